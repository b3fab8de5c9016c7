//! `vaultstream erase`: what personal data a subject has, and, confirmed, the end of it.

use anyhow::anyhow;
use clap::Args;
use vaultstream_client::http::With;
use vaultstream_client::{DatumStatus, EraseSubject, Erasure};
use vaultstream_event_schemas::{Grounds, StreamId, StreamKind};

use super::connection::Ask;
use super::output::{facts, print};
use super::request::post;
use super::{Done, Ended};

/// What is to be erased.
#[derive(Debug, Args)]
pub struct Asked {
    /// Whose personal data: a transfer, trf_…, or an organization, org_….
    subject: String,
    /// Destroy it for ever: name what dies, memo or contact. Without this only what there is is shown.
    #[arg(long, value_name = "DATA", requires = "grounds")]
    confirm: Vec<String>,
    /// On what grounds: request, retention or mistake.
    #[arg(long, requires = "confirm")]
    grounds: Option<Grounds>,
    /// Sent again with the same key, the same erasure is meant.
    #[arg(long, value_name = "KEY", requires = "confirm")]
    idempotency_key: Option<String>,
}

pub async fn run(ask: Ask, erase: Asked) -> Done {
    let subject = checked(&erase.subject)?;
    let Some(grounds) = erase.grounds else {
        let path = format!("/v1/erasures/{subject}");
        let found: Erasure = ask.client.get(&path, With::default()).await?.body;
        return print(ask.output, &found, || {
            let mut text = shown(&found);
            for held in found.data.iter().filter(|d| d.status == DatumStatus::Held) {
                text += &format!(
                    "nothing was erased; to destroy it for ever: --confirm {} --grounds request|retention|mistake\n",
                    held.name
                );
            }
            text
        });
    };
    let body = EraseSubject {
        subject,
        data: erase.confirm,
        grounds,
    };
    let erased: Erasure = post(&ask, "/v1/erasures", &body, erase.idempotency_key).await?;
    print(ask.output, &erased, || shown(&erased))
}

/// A subject as part of a path: nothing else fits one.
fn checked(subject: &str) -> Result<String, Ended> {
    let stream: Option<StreamId> = subject.parse().ok();
    stream
        .filter(|s| matches!(s.kind, StreamKind::Transfer | StreamKind::Organization))
        .map(|s| s.to_string())
        .ok_or_else(|| {
            Ended::Unsent(anyhow!(
                "a subject is a transfer, trf_…, or an organization, org_…"
            ))
        })
}

fn shown(erasure: &Erasure) -> String {
    let mut lines = vec![("subject", erasure.subject.clone())];
    for datum in &erasure.data {
        let status = match datum.status {
            DatumStatus::Absent => "absent",
            DatumStatus::Held => "held",
            DatumStatus::Erased => "erased",
        };
        lines.push(("data", format!("{}: {status}", datum.name)));
    }
    let destroyed = if erasure.key_destroyed { "yes" } else { "no" };
    lines.push(("key destroyed", destroyed.to_owned()));
    lines.push((
        "grounds",
        erasure.grounds.map(|g| g.to_string()).unwrap_or_default(),
    ));
    lines.push((
        "erased at",
        erasure.erased_at.map(|at| at.to_string()).unwrap_or_default(),
    ));
    lines.push((
        "erased by",
        erasure
            .erased_by
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    ));
    lines.push(("event", erasure.event.clone().unwrap_or_default()));
    facts(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_should_not_leave_their_place_in_the_path() {
        assert!(checked("../transfers").is_err());
        assert!(checked("acc_0").is_err());
    }
}
