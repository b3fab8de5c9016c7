//! Places of the log by time: where a shard stood at a moment, and where a stream did.
//!
//! A shard's clock grows with its positions, so both are found by halving: at most sixty-four reads of one event, usually
//! fewer than thirty.

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{ErrorCode, Hlc, ShardNumber, StreamId, Timestamp};

use crate::refusal::Refusal;

/// A moment as a shard's clock counts; moments before 1970 are before every event.
pub fn clock_at(moment: Timestamp) -> Hlc {
    Hlc(u64::try_from(moment.as_micros()).unwrap_or(0))
}

/// A shard's clock as a moment.
pub fn moment_of(clock: Hlc) -> Timestamp {
    Timestamp::from_micros(i64::try_from(clock.0).unwrap_or(i64::MAX))
}

/// The event at a position that the shard has passed.
pub async fn event_at(log: &dyn EventLog, shard: ShardNumber, position: u64) -> Result<StoredEvent, Refusal> {
    let found = log.read_shard(shard, position.saturating_sub(1), 1).await?;
    found
        .into_iter()
        .next()
        .filter(|event| event.position == position)
        .ok_or_else(|| {
            // positions are dense: one that is not there is damage
            tracing::error!(%shard, position, "an event of the log is missing");
            Refusal::of(ErrorCode::EventUnreadable)
        })
}

/// The position of a shard's last event at or before a moment of its clock; 0 when there is none.
pub async fn last_until(
    log: &dyn EventLog,
    shard: ShardNumber,
    head: Head,
    moment: Hlc,
) -> Result<u64, Refusal> {
    if head.position == 0 || head.hlc <= moment {
        return Ok(head.position);
    }
    let (mut within, mut beyond) = (0, head.position);
    while within + 1 < beyond {
        let middle = within + (beyond - within) / 2;
        if event_at(log, shard, middle).await?.hlc <= moment {
            within = middle;
        } else {
            beyond = middle;
        }
    }
    Ok(within)
}

/// The sequence of a stream's last event at or before a position of its shard; 0 when there is none.
pub async fn last_of_stream(log: &dyn EventLog, stream: StreamId, position: u64) -> Result<u64, Refusal> {
    let is_within = async |sequence: u64| -> Result<bool, Refusal> {
        let event = log.read_stream(stream, sequence - 1, 1).await?;
        Ok(event.first().is_some_and(|event| event.position <= position))
    };
    let mut beyond = 1;
    while is_within(beyond).await? {
        beyond *= 2;
    }
    let mut within = beyond / 2;
    while within + 1 < beyond {
        let middle = within + (beyond - within) / 2;
        if is_within(middle).await? {
            within = middle;
        } else {
            beyond = middle;
        }
    }
    Ok(within)
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::VaultId;
    use vaultstream_event_schemas::envelope::Owner;
    use vaultstream_event_schemas::vault::v1::VaultRenamed;

    use super::*;
    use crate::rig::History;

    #[tokio::test]
    async fn places_should_be_those_a_scan_finds() {
        let history = History::new();
        let organization = history.organization();
        let vaults: Vec<VaultId> = (0..3).map(|_| history.vault()).collect();
        let core = ShardNumber(0);
        assert_eq!(
            last_until(
                &*history.log,
                core,
                history.log.heads().await.expect("heads")[&core],
                Hlc(u64::MAX)
            )
            .await,
            Ok(0)
        );
        for n in 0..37 {
            let renamed = VaultRenamed {
                name: format!("n{n}"),
            };
            let vault = vaults[if n % 5 == 0 { 1 } else { 0 }];
            history.put(vault, organization, Owner::Itself, &renamed).await;
        }
        let head = history.log.heads().await.expect("heads")[&core];
        let all = history.log.read_shard(core, 0, 100).await.expect("read");
        let last = |test: &dyn Fn(&StoredEvent) -> bool| {
            all.iter()
                .filter(|e| test(e))
                .map(|e| e.position)
                .max()
                .unwrap_or(0)
        };
        for event in &all {
            for moment in [event.hlc.0 - 1, event.hlc.0, event.hlc.0 + 1] {
                let found = last_until(&*history.log, core, head, Hlc(moment)).await;
                assert_eq!(found, Ok(last(&|e| e.hlc.0 <= moment)), "{moment}");
            }
            for vault in &vaults {
                let found = last_of_stream(&*history.log, vault.stream(), event.position).await;
                let expected = all
                    .iter()
                    .filter(|e| e.envelope.stream == vault.stream() && e.position <= event.position);
                assert_eq!(
                    found,
                    Ok(expected.count() as u64),
                    "{vault} at {}",
                    event.position
                );
            }
        }
        assert_eq!(last_until(&*history.log, core, head, Hlc(0)).await, Ok(0));
        assert_eq!(
            event_at(&*history.log, core, 99).await.map_err(|r| r.code),
            Err(ErrorCode::EventUnreadable)
        );
    }
}
