//! The pure fold: stored events, decoded and folded into states, on one core.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use vaultstream_domain::aggregate::{Event, fold, initial};
use vaultstream_domain::transfer::TransferEvent;
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, Hash, HashedEvent, Owner, StoredEvent};
use vaultstream_event_schemas::transfer::v1;
use vaultstream_event_schemas::{
    AccountId, Actor, CommandId, ExecutionId, Hlc, OrganizationId, ShardNumber, StreamId, Timestamp,
    TransferId, VaultId, id,
};

use crate::line::BenchLine;

const LIVES: u32 = 20_000;

/// Folds the lives of many transfers, six events each, decoding included.
#[expect(clippy::unused_async, reason = "every module of the bench has the same shape")]
pub async fn run(out: &mut Vec<BenchLine>) -> Result<()> {
    let transfer = TransferId::from_uuid(id::with_shard(id::random(1, 1), ShardNumber(1)));
    let stream: StreamId = transfer.into();
    let life = life(stream)?;
    let started = Instant::now();
    for _ in 0..LIVES {
        let state = fold(initial(stream), black_box(&life))?;
        black_box(state);
    }
    let events = f64::from(LIVES) * f64::from(u32::try_from(life.len())?);
    let rate = events / started.elapsed().as_secs_f64();
    out.push(BenchLine::at_least(
        "pure fold, decoding included",
        rate,
        "events/s a core",
        100_000.0,
    ));
    Ok(())
}

/// The six events of a transfer.
pub fn life(stream: StreamId) -> Result<Vec<StoredEvent>> {
    let placed = |n| id::with_shard(id::random(1, n), ShardNumber(1));
    let at = Timestamp::from_micros(1_795_000_000_000_000);
    let events: [TransferEvent; 6] = [
        v1::Requested {
            account: AccountId::from_uuid(placed(2)),
            amount: "1000".parse()?,
            asset: "eip155:31337/slip44:60".parse()?,
            destination: "0x8617E340B3D01FA5F11F306F4090FD50E238070D".into(),
            expires_at: at,
            external_id: Some("invoice 2026-11-21/0001".into()),
            fee_max: None,
            memo: None,
            vault: VaultId::from_uuid(placed(3)),
        }
        .into(),
        v1::Screened {
            approvals_needed: 1,
            rule: "one approval".into(),
        }
        .into(),
        v1::Approved { approvals: 1 }.into(),
        v1::ExecutionStarted {
            execution: ExecutionId::from_uuid(placed(4)),
        }
        .into(),
        v1::Completed {
            block: BlockRef {
                hash: format!("0x{}", "ab".repeat(32)),
                height: 7,
            },
            fee: "21000".parse()?,
            txid: format!("0x{}", "cd".repeat(32)),
        }
        .into(),
        v1::Reversed {
            block: BlockRef {
                hash: format!("0x{}", "ab".repeat(32)),
                height: 7,
            },
            txid: format!("0x{}", "cd".repeat(32)),
        }
        .into(),
    ];
    let mut hash = GENESIS;
    events
        .into_iter()
        .zip(1..)
        .map(|(event, sequence)| stored(stream, event, sequence, &mut hash))
        .collect()
}

fn stored(stream: StreamId, event: TransferEvent, sequence: u64, hash: &mut Hash) -> Result<StoredEvent> {
    let encoded = Event::from(event).encode()?;
    let envelope = Envelope {
        actor: Actor::system("bench"),
        causation: None,
        command: CommandId::from_uuid(id::random(1, 5)),
        incarnation: 1,
        occurred_at: Timestamp::from_micros(0),
        organization: OrganizationId::from_uuid(id::random(1, 6)),
        owner: Owner::Itself,
        sequence,
        shard: ShardNumber(1),
        stream,
        trace: None,
        event_type: encoded.event_type.to_owned(),
        version: encoded.version,
    };
    let event = HashedEvent::try_new(envelope, encoded, *hash)?;
    *hash = event.hash;
    Ok(StoredEvent {
        position: sequence,
        hlc: Hlc(sequence),
        envelope: event.envelope,
        payload: event.payload,
        previous: event.previous,
        hash: event.hash,
    })
}
