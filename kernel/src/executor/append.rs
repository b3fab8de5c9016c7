//! Sending a batch until the log has answered for it.

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, LogError};

use super::batch::Batch;
use super::{Options, Ports};
use crate::observer::Fact;

/// The pauses between tries, in milliseconds; the last one repeats.
const PAUSES_MS: [u64; 5] = [5, 25, 100, 500, 1_000];

/// A batch that the log has answered for, or has failed to.
pub(super) struct Sent {
    pub(super) batch: Batch,
    pub(super) result: Result<Vec<AppendOutcome>, LogError>,
    /// The shard lives another life than memory knows.
    pub(super) reborn: bool,
}

/// Sends a batch. When the engine fails, the same batch is sent again: what of it is durable already is recognised by
/// its hashes and answered as the first time. When the shard was given another life meanwhile, sending again is no
/// way to learn what became of it; then the events are looked for.
pub(super) async fn send(mut batch: Batch, ports: Ports, options: Options) -> Sent {
    let started = ports.clock.now();
    let commands = std::mem::take(&mut batch.commands);
    let now = (!options.engine_clock).then_some(batch.now);
    let mut attempt = 1;
    let mut reborn = false;
    let result = loop {
        let answer = if reborn {
            find(&*ports.log, &commands).await
        } else {
            ports.log.append(commands.clone(), now).await
        };
        #[cfg(feature = "planted")]
        let answer = crate::planted::unclear_is_yes(answer, &commands);
        match answer {
            Err(LogError::Incarnation { .. }) if !reborn => reborn = true,
            Err(error @ LogError::Engine { .. }) if attempt < options.append_tries => {
                ports.observer.observe(&Fact::AppendRepeated {
                    attempt,
                    error: &error,
                });
                let pause = PAUSES_MS.get(attempt as usize - 1).or(PAUSES_MS.last());
                ports.clock.sleep_ms(pause.copied().unwrap_or(0)).await;
                attempt += 1;
            }
            Ok(outcomes) if outcomes.len() != commands.len() => {
                let (got, sent) = (outcomes.len(), commands.len());
                let source = format!("it gave {got} outcomes for {sent} commands").into();
                break Err(LogError::Engine {
                    doing: "append",
                    source,
                });
            }
            result => break result,
        }
    };
    if let Ok(outcomes) = &result {
        let ended = ports.clock.now().as_micros();
        let micros = ended - started.as_micros();
        if let Some(ahead_us) = ahead_us(outcomes, started.as_micros(), ended) {
            ports.observer.observe(&Fact::Clock { ahead_us });
        }
        let (commands, bytes) = (commands.len(), batch.bytes);
        ports.observer.observe(&Fact::Appended {
            commands,
            bytes,
            micros: u64::try_from(micros).unwrap_or(0),
        });
    }
    Sent {
        batch,
        result,
        reborn,
    }
}

/// How far the log's clock is ahead of this process's: 0 when the newest event was stamped while it was being sent.
fn ahead_us(outcomes: &[AppendOutcome], started: i64, ended: i64) -> Option<i64> {
    let newest = outcomes.iter().filter_map(|outcome| match outcome {
        AppendOutcome::Committed { hlcs, .. } => hlcs.last(),
        AppendOutcome::Conflict { .. } | AppendOutcome::ClockAhead => None,
    });
    let stamp = i64::try_from(newest.max()?.0).unwrap_or(i64::MAX);
    Some(stamp - stamp.clamp(started, ended.max(started)))
}

/// What became of commands of an earlier life of the shard: committed when all their events stand in the log; else
/// nothing of them does, nothing of them ever will, and they are to be decided again like after a conflict.
async fn find(log: &dyn EventLog, commands: &[AppendCommand]) -> Result<Vec<AppendOutcome>, LogError> {
    let mut outcomes = Vec::with_capacity(commands.len());
    for command in commands {
        outcomes.push(find_one(log, command).await?);
    }
    Ok(outcomes)
}

async fn find_one(log: &dyn EventLog, command: &AppendCommand) -> Result<AppendOutcome, LogError> {
    let mut places = Vec::new();
    for part in command.streams.iter().filter(|part| !part.events.is_empty()) {
        let stored = log
            .read_stream(part.stream, part.expected, part.events.len())
            .await?;
        let stands = stored
            .iter()
            .map(|e| e.hash)
            .eq(part.events.iter().map(|e| e.hash));
        if !stands {
            let actual = stored
                .last()
                .map_or(part.expected, |event| event.envelope.sequence);
            return Ok(AppendOutcome::Conflict {
                stream: part.stream,
                actual,
            });
        }
        places.extend(stored.iter().map(|event| (event.position, event.hlc)));
    }
    match (places.first(), places.last()) {
        (Some((first, _)), Some((last, _))) => Ok(AppendOutcome::Committed {
            first: *first,
            last: *last,
            hlcs: places.iter().map(|(_, hlc)| *hlc).collect(),
        }),
        // A condition says nothing about another life.
        _ => Ok(AppendOutcome::Conflict {
            stream: command.streams[0].stream,
            actual: 0,
        }),
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::Hlc;

    use super::*;

    fn committed(hlcs: &[u64]) -> AppendOutcome {
        AppendOutcome::Committed {
            first: 1,
            last: 1,
            hlcs: hlcs.iter().copied().map(Hlc).collect(),
        }
    }

    #[test]
    fn clock_of_the_log_should_be_told_by_its_newest_stamp() {
        let ahead = |outcomes: &[AppendOutcome]| ahead_us(outcomes, 1_000, 1_200);
        assert_eq!(
            ahead(&[committed(&[900]), committed(&[1_100])]),
            Some(0),
            "stamped on the way"
        );
        assert_eq!(ahead(&[committed(&[7_001_200])]), Some(7_000_000), "ahead");
        assert_eq!(ahead(&[committed(&[400])]), Some(-600), "behind");
        assert_eq!(
            ahead(&[committed(&[]), AppendOutcome::ClockAhead]),
            None,
            "nothing was stamped"
        );
    }
}
