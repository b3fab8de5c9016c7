//! The end of a quarantine: what operators state, whether enough of them signed it, and the mark that ends it.

use sha2::{Digest, Sha256};
use vaultstream_event_schemas::AccountId;
use vaultstream_event_schemas::mark::{Mark, MarkRef};
use vaultstream_event_schemas::note::Note;
use vaultstream_event_schemas::note::keys::Keys;
use vaultstream_event_schemas::release::{Release, ReleaseError, hash_of};

use super::look::Looked;
use super::lost::Lost;
use super::write::stand_of;
use super::{MarkError, MarkOptions, MarkPorts, Marker};

/// Why a quarantine goes on.
#[derive(Debug, thiserror::Error)]
pub enum RefuseRelease {
    /// Mark or log do not answer.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// The text under the signatures is none.
    #[error(transparent)]
    Statement(#[from] ReleaseError),
    /// Two notes say different things.
    #[error("the signed notes do not have one text; each operator signs the same statement")]
    Texts,
    /// Too few operators signed.
    #[error("{valid} of the configured operators signed this statement, {needed} are needed")]
    TooFew {
        /// Operators with a valid signature.
        valid: usize,
        /// The configured threshold.
        needed: usize,
    },
    /// The installation, the mark, the log or the chain are not as they were stated.
    #[error(
        "{0} is not as it was stated; run `vaultstream reconcile` again, and let the new statement be signed"
    )]
    Changed(&'static str),
}

/// What operators sign about what was looked at; who has read another place too adds what that has.
pub async fn statement(
    ports: &MarkPorts,
    looked: &Looked,
    lost: &Lost,
    unknown: Vec<(AccountId, u64)>,
) -> Result<Release, MarkError> {
    let heads = ports.log.heads().await?;
    Ok(Release {
        origin: ports.seal.origin().to_owned(),
        keys: keys_hash(ports).await?,
        mark: looked.mark.as_ref().map(|(name, _)| *name),
        shards: stand_of(ports, &heads, &[]).await?,
        lost: u64::try_from(lost.binds.len()).unwrap_or(u64::MAX),
        lost_hash: hash_of(&lost.binds),
        gone: None,
        unknown,
    })
}

async fn keys_hash(ports: &MarkPorts) -> Result<[u8; 32], MarkError> {
    let keys = ports.seal.public_keys().await?;
    Ok(Sha256::digest(keys.to_string()).into())
}

/// The statement under these notes and the names of who signed it, when enough operators did.
pub fn signed(
    notes: &[Note],
    operators: &Keys,
    needed: usize,
) -> Result<(Release, Vec<String>), RefuseRelease> {
    let text = notes.first().map_or("", Note::text);
    if notes.iter().any(|note| note.text() != text) {
        return Err(RefuseRelease::Texts);
    }
    let release: Release = text.parse()?;
    let mut names: Vec<String> = Vec::new();
    for key in notes.iter().flat_map(|note| operators.signers(note)) {
        if !names.iter().any(|name| name == key.name()) {
            names.push(key.name().to_owned());
        }
    }
    names.sort();
    let valid = names.len();
    // Without a threshold nobody could have agreed to anything.
    if needed == 0 || valid < needed {
        return Err(RefuseRelease::TooFew { valid, needed });
    }
    Ok((release, names))
}

/// Whether everything is as it was stated. The log may have gone on from there: what it had is what counts.
pub async fn check(ports: &MarkPorts, stated: &Release, now: &Release) -> Result<(), RefuseRelease> {
    if stated.origin != now.origin || stated.keys != now.keys {
        return Err(RefuseRelease::Changed("the installation"));
    }
    if stated.mark != now.mark {
        return Err(RefuseRelease::Changed("the mark"));
    }
    if (stated.lost, stated.lost_hash) != (now.lost, now.lost_hash) {
        return Err(RefuseRelease::Changed("what the log has forgotten"));
    }
    if stated.gone != now.gone {
        return Err(RefuseRelease::Changed(
            "what another place still has and the log has lost",
        ));
    }
    if stated.unknown != now.unknown {
        return Err(RefuseRelease::Changed("what the chain has consumed"));
    }
    let is_same = |a: &super::MarkedShard, b: &super::MarkedShard| {
        a.shard == b.shard && a.incarnation == b.incarnation && a.position <= b.position
    };
    let pairs = stated.shards.iter().zip(&now.shards);
    if stated.shards.len() != now.shards.len() || !pairs.clone().all(|(a, b)| is_same(a, b)) {
        return Err(RefuseRelease::Changed("the log"));
    }
    for shard in &stated.shards {
        let hash = super::look::hash_at(ports.log.as_ref(), shard.shard, shard.position).await;
        if hash.map_err(MarkError::from)? != Some(shard.hash) {
            return Err(RefuseRelease::Changed("the log"));
        }
    }
    Ok(())
}

/// Keeps the mark that ends the quarantine: where the log stands now, and the statement.
pub async fn end(ports: &MarkPorts, looked: &Looked, release: &Release) -> Result<MarkRef, MarkError> {
    let mut marker = Marker::new(ports.clone(), MarkOptions::default());
    marker.checkpoint = looked.checkpoint;
    marker.newest = looked.mark.as_ref().map(newest_of);
    marker.append(&[], Some(release.hash())).await
}

fn newest_of((name, mark): &(MarkRef, Mark)) -> super::Newest {
    super::Newest {
        name: *name,
        shards: mark.shards.clone(),
    }
}
