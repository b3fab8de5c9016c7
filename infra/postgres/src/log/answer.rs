//! What a call said, as one outcome a command and the new heads of the shards.

use std::collections::BTreeMap;

use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, LogError};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::clock::Hlc;

use super::statement::{Reply, Verdicts};

/// How far a stamp stands from the one before it, inside a batch.
const STRIDE: u64 = 4;

/// Where a shard stands after a batch.
pub(super) type Moved = BTreeMap<ShardNumber, (u64, Hlc)>;

/// The outcomes, in the order of the commands, and the shards that have moved.
pub(super) fn outcomes<'a>(
    commands: impl Iterator<Item = &'a AppendCommand> + Clone,
    reply: Reply,
) -> Result<(Vec<AppendOutcome>, Moved), LogError> {
    let mut shards: Vec<ShardNumber> = commands.clone().map(|command| command.shard).collect();
    shards.sort_unstable();
    shards.dedup();
    if reply.position.len() != shards.len() || reply.hlc.len() != shards.len() {
        return Err(strange("it does not name the shards of the batch"));
    }
    match reply.verdicts {
        None => Ok(accepted(commands, &shards, &reply)),
        Some(verdicts) => judged(commands, verdicts),
    }
}

fn strange(fault: &'static str) -> LogError {
    LogError::Engine {
        doing: "understand its database's answer",
        source: fault.into(),
    }
}

fn events(command: &AppendCommand) -> usize {
    command.streams.iter().map(|part| part.events.len()).sum()
}

/// All commands were accepted: their events follow each other in their shards.
fn accepted<'a>(
    commands: impl Iterator<Item = &'a AppendCommand>,
    shards: &[ShardNumber],
    reply: &Reply,
) -> (Vec<AppendOutcome>, Moved) {
    let mut next: Vec<(u64, u64)> = reply
        .position
        .iter()
        .zip(&reply.hlc)
        .map(|(position, hlc)| (position.cast_unsigned(), hlc.cast_unsigned()))
        .collect();
    let mut moved = Moved::new();
    let outcomes = commands.map(|command| {
        let (position, hlc) = &mut next[shards.binary_search(&command.shard).unwrap_or(0)];
        let count = events(command) as u64;
        let first = if count == 0 { *position } else { *position + 1 };
        let hlcs: Vec<Hlc> = (0..count).map(|n| Hlc(*hlc + STRIDE * n)).collect();
        *position += count;
        *hlc += STRIDE * count;
        if let Some(last) = hlcs.last() {
            moved.insert(command.shard, (*position, *last));
        }
        AppendOutcome::Committed {
            first,
            last: *position,
            hlcs,
        }
    });
    (outcomes.collect(), moved)
}

fn judged<'a>(
    commands: impl Iterator<Item = &'a AppendCommand> + Clone,
    verdicts: Verdicts,
) -> Result<(Vec<AppendOutcome>, Moved), LogError> {
    let many = commands.clone().count();
    if [verdicts.verdict.len(), verdicts.first.len(), verdicts.last.len()] != [many; 3] {
        return Err(strange("it does not give one verdict a command"));
    }
    // The slots of streams stand in the order in which the batch names them first.
    let mut streams = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for part in commands.clone().flat_map(|command| &command.streams) {
        if seen.insert(part.stream) {
            streams.push(part.stream);
        }
    }
    let mut stamps = verdicts.stamps.into_iter().map(|hlc| Hlc(hlc.cast_unsigned()));
    let mut moved = Moved::new();
    let mut outcomes = Vec::with_capacity(many);
    let places = verdicts.first.iter().zip(&verdicts.last);
    for ((command, verdict), (first, last)) in commands.zip(verdicts.verdict).zip(places) {
        let (first, last) = (first.cast_unsigned(), last.cast_unsigned());
        outcomes.push(match verdict {
            0 | 3 => {
                let hlcs: Vec<Hlc> = stamps.by_ref().take(events(command)).collect();
                if hlcs.len() < events(command) {
                    return Err(strange("it lacks stamps"));
                }
                if let (0, Some(hlc)) = (verdict, hlcs.last()) {
                    moved.insert(command.shard, (last, *hlc));
                }
                AppendOutcome::Committed { first, last, hlcs }
            }
            1 => {
                let slot = usize::try_from(first).ok().and_then(|slot| slot.checked_sub(1));
                let stream = slot.and_then(|slot| streams.get(slot));
                let stream = *stream.ok_or_else(|| strange("it names a stream outside the batch"))?;
                AppendOutcome::Conflict { stream, actual: last }
            }
            2 => AppendOutcome::ClockAhead,
            _ => return Err(strange("it gives an unknown verdict")),
        });
    }
    Ok((outcomes, moved))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vaultstream_domain::ports::conformance::sample::{Writer, command, stream};

    fn batch() -> Vec<AppendCommand> {
        let (mut a, mut b, guard) = (
            Writer::new(stream(0, 1)),
            Writer::new(stream(3, 1)),
            Writer::new(stream(0, 2)),
        );
        vec![
            a.command("a", 2),
            b.command("b", 1),
            command(vec![guard.unchanged()]),
            a.command("c", 1),
        ]
    }

    fn committed(first: u64, last: u64, hlcs: &[u64]) -> AppendOutcome {
        AppendOutcome::Committed {
            first,
            last,
            hlcs: hlcs.iter().copied().map(Hlc).collect(),
        }
    }

    #[test]
    fn accepted_batch_should_be_numbered_from_where_its_shards_stood() {
        let batch = batch();
        let reply = Reply {
            position: vec![10, 0],
            hlc: vec![100, 900],
            verdicts: None,
        };
        let (outcomes, moved) = outcomes(batch.iter(), reply).expect("understood");
        assert_eq!(
            outcomes,
            vec![
                committed(11, 12, &[100, 104]),
                committed(1, 1, &[900]),
                committed(12, 12, &[]),
                committed(13, 13, &[108]),
            ]
        );
        assert_eq!(moved[&ShardNumber(0)], (13, Hlc(108)));
        assert_eq!(moved[&ShardNumber(3)], (1, Hlc(900)));
    }

    fn verdicts(verdict: Vec<i32>, stamps: Vec<i64>) -> Reply {
        let judged = Verdicts {
            verdict,
            first: vec![5, 2, 7, 8],
            last: vec![6, 4, 7, 8],
            stamps,
        };
        Reply {
            position: vec![7, 4],
            hlc: vec![1, 1],
            verdicts: Some(judged),
        }
    }

    #[test]
    fn judged_batch_should_give_each_command_its_own_outcome() {
        let batch = batch();
        let (told, moved) =
            outcomes(batch.iter(), verdicts(vec![3, 1, 0, 0], vec![50, 54, 70])).expect("understood");
        assert_eq!(told[0], committed(5, 6, &[50, 54]), "said before");
        assert_eq!(
            told[1],
            AppendOutcome::Conflict {
                stream: stream(3, 1),
                actual: 4
            }
        );
        assert_eq!(told[2], committed(7, 7, &[]));
        assert_eq!(told[3], committed(8, 8, &[70]));
        assert_eq!(
            moved.into_iter().collect::<Vec<_>>(),
            vec![(ShardNumber(0), (8, Hlc(70)))]
        );
    }

    #[test]
    fn answer_that_does_not_fit_should_be_an_error() {
        let batch = batch();
        for (name, reply) in [
            (
                "shards",
                Reply {
                    position: vec![1],
                    hlc: vec![1],
                    verdicts: None,
                },
            ),
            ("commands", verdicts(vec![0; 3], vec![])),
            ("stamps", verdicts(vec![0; 4], vec![1])),
            ("verdict", verdicts(vec![9, 0, 0, 0], vec![])),
        ] {
            assert!(
                matches!(outcomes(batch.iter(), reply), Err(LogError::Engine { .. })),
                "{name}"
            );
        }
    }
}
