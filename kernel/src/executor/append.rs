//! Sending a batch until the log has answered for it.

use vaultstream_domain::ports::event_log::{AppendOutcome, LogError};

use super::batch::Batch;
use super::{Options, Ports};
use crate::observer::Fact;

/// The pauses between tries, in milliseconds; the last one repeats.
const PAUSES_MS: [u64; 5] = [5, 25, 100, 500, 1_000];

/// A batch that the log has answered for, or has failed to.
pub(super) struct Sent {
    pub(super) batch: Batch,
    pub(super) result: Result<Vec<AppendOutcome>, LogError>,
}

/// Sends a batch. When the engine fails, the same batch is sent again: what of it is durable already is recognised by
/// its hashes and answered as the first time.
pub(super) async fn send(mut batch: Batch, ports: Ports, options: Options) -> Sent {
    let started = ports.clock.now();
    let commands = std::mem::take(&mut batch.commands);
    let mut attempt = 1;
    let result = loop {
        let now = (!options.engine_clock).then_some(batch.now);
        match ports.log.append(commands.clone(), now).await {
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
    if result.is_ok() {
        let micros = ports.clock.now().as_micros() - started.as_micros();
        let (commands, bytes) = (commands.len(), batch.bytes);
        ports.observer.observe(&Fact::Appended {
            commands,
            bytes,
            micros: u64::try_from(micros).unwrap_or(0),
        });
    }
    Sent { batch, result }
}
