//! Writing marks: one for all that wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_domain::ports::note_list::{KeptNote, NoteKind, NoteListError};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::Hash;
use vaultstream_event_schemas::mark::{MAX_BINDS, Mark, MarkRef, MarkedBind, MarkedShard};
use vaultstream_event_schemas::note::Note;

use super::look::{behind, hash_at};
use super::{MarkError, Marker, Newest, Request, Rewound, Standing};
use crate::observer::Fact;

/// Marks that other processes may write between this one's look and its mark, before it gives up for now.
const TRIES: usize = 16;

impl Marker {
    /// Marks a bind together with whatever else waits, and answers.
    pub(super) async fn cover(&mut self, first: Request, asked: &mut mpsc::Receiver<Request>) {
        let mut waiting = vec![first];
        while waiting.len() < MAX_BINDS {
            match asked.try_recv() {
                Ok(next) => waiting.push(next),
                Err(_) => break,
            }
        }
        let refusal = match self.show.borrow().standing.clone() {
            Standing::Holds => None,
            Standing::Quarantined(rewound) => Some(MarkError::Quarantined(rewound)),
            Standing::Unknown(why) => Some(MarkError::Unknown(why)),
        };
        if let Some(refusal) = refusal {
            return answer(waiting, &Err(refusal));
        }
        let (known, new): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|request| self.covered.get(&request.bind.execution) == Some(&request.bind.digest));
        answer(known, &Ok(()));
        if new.is_empty() {
            return;
        }
        let binds: Vec<MarkedBind> = new.iter().map(|request| request.bind.clone()).collect();
        let done = self.write(&binds).await;
        answer(new, &done);
    }

    async fn write(&mut self, binds: &[MarkedBind]) -> Result<(), MarkError> {
        let begun = self.ports.clock.now().as_micros();
        match self.append(binds, None).await {
            Ok(name) => {
                for bind in binds {
                    self.covered.put(bind.execution, bind.digest.clone());
                }
                let micros = self.ports.clock.now().as_micros().saturating_sub(begun);
                self.ports.observer.observe(&Fact::Marked {
                    number: name.number,
                    binds: binds.len(),
                    micros: u64::try_from(micros).unwrap_or(0),
                });
                self.show.send_modify(|seen| seen.unwritten = None);
                Ok(())
            }
            Err(error) => {
                let why = Causes(&error).to_string();
                self.ports.observer.observe(&Fact::MarkUnwritten { why: &why });
                self.show.send_modify(|seen| seen.unwritten = Some(why));
                Err(error)
            }
        }
    }

    /// Keeps the next mark; when another process was first, looks and keeps the one after.
    pub(super) async fn append(
        &mut self,
        binds: &[MarkedBind],
        release: Option<Hash>,
    ) -> Result<MarkRef, MarkError> {
        for _ in 0..TRIES {
            let shards = self.shards(release.is_some()).await?;
            let number = self.newest.as_ref().map_or(1, |newest| newest.name.number + 1);
            let mark = Mark {
                origin: self.ports.seal.origin().to_owned(),
                number,
                marked_at: self.ports.clock.now(),
                previous: self.newest.as_ref().map(|newest| newest.name.hash),
                checkpoint: self.checkpoint,
                release,
                shards,
                binds: binds.to_vec(),
            };
            let note = self.ports.seal.seal(mark.to_string()).await?;
            let hash = Note::parse(&note)
                .map_err(|_| NoteListError::Malformed {
                    kind: NoteKind::Mark,
                    number,
                })?
                .hash();
            match self.ports.marks.append(&KeptNote { number, note }).await {
                Ok(()) => {
                    let name = MarkRef { number, hash };
                    let shards = mark.shards;
                    self.newest = Some(Newest { name, shards });
                    self.show.send_modify(|seen| seen.mark = Some(name));
                    return Ok(name);
                }
                // A release is over one mark and no other.
                Err(NoteListError::Number { .. }) if release.is_none() => self.catch_up().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(MarkError::Contended)
    }

    /// Takes up what another process has marked; ends signing when the log does not hold it.
    async fn catch_up(&mut self) -> Result<(), MarkError> {
        self.take_up().await?;
        match self.show.borrow().standing.clone() {
            Standing::Quarantined(rewound) => Err(MarkError::Quarantined(rewound)),
            Standing::Holds | Standing::Unknown(_) => Ok(()),
        }
    }

    /// Where the log stands now; a log that ends before the newest mark is in quarantine from here on.
    async fn shards(&mut self, is_release: bool) -> Result<Vec<MarkedShard>, MarkError> {
        let heads = self.ports.log.heads().await?;
        if let Some(newest) = &self.newest
            && !is_release
        {
            let why = behind(&heads, &newest.shards);
            if !why.is_empty() {
                let mark = Some(newest.name);
                let rewound = Arc::new(Rewound { mark, why });
                self.stand(Standing::Quarantined(Arc::clone(&rewound)));
                return Err(MarkError::Quarantined(rewound));
            }
        }
        let known = self.newest.as_ref().map_or(&[][..], |newest| &newest.shards);
        stand_of(&self.ports, &heads, known).await
    }
}

/// Where shards stand, with the hashes of their last events; those that have not moved are not read again.
pub(super) async fn stand_of(
    ports: &super::MarkPorts,
    heads: &BTreeMap<ShardNumber, Head>,
    known: &[MarkedShard],
) -> Result<Vec<MarkedShard>, MarkError> {
    let mut shards = Vec::with_capacity(heads.len());
    for (shard, head) in heads {
        let (incarnation, position) = (head.incarnation, head.position);
        let same = |known: &&MarkedShard| {
            known.shard == *shard && known.position == position && known.incarnation == incarnation
        };
        let hash = match known.iter().find(same) {
            Some(known) => known.hash,
            None => hash_at(ports.log.as_ref(), *shard, position)
                .await?
                .ok_or_else(|| MarkError::Unknown(format!("shard {shard} has no event at its head")))?,
        };
        shards.push(MarkedShard {
            shard: *shard,
            incarnation,
            position,
            hash,
        });
    }
    Ok(shards)
}

fn answer(requests: Vec<Request>, outcome: &Result<(), MarkError>) {
    for request in requests {
        // Who asked may have gone away.
        let _ = request.answer.send(outcome.clone());
    }
}
