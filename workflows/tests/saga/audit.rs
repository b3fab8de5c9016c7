//! What must hold however a saga went: the chain is the judge of debits, the log of decisions.

use vaultstream_domain::transfer::execution_id;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{StreamId, TransferId, TransferStatus};

use crate::world::World;

/// What nodes answered and when somebody looked: it differs from run to run and decides nothing.
const LOOKS: [&str; 3] = [
    "execution.broadcast_tried",
    "execution.seen",
    "account.balance_observed",
];

/// The types of the events of each stream of a story, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History(Vec<(String, Vec<String>)>);

impl History {
    pub async fn of(world: &World<'_>, transfers: &[TransferId]) -> Self {
        let mut streams: Vec<(String, StreamId)> = vec![
            ("account".to_owned(), world.account.into()),
            ("slots".to_owned(), world.account.slots().into()),
        ];
        for (n, transfer) in transfers.iter().enumerate() {
            streams.push((format!("transfer {n}"), (*transfer).into()));
            streams.push((format!("execution {n}"), execution_id(*transfer).into()));
        }
        let mut history = Vec::with_capacity(streams.len());
        for (name, stream) in streams {
            let types = events(world, stream).await.into_iter();
            history.push((name, types.map(|e| e.envelope.event_type).collect()));
        }
        Self(history)
    }

    /// Without what was only looked at.
    pub fn decisions(mut self) -> Self {
        for (_, types) in &mut self.0 {
            types.retain(|t| !LOOKS.contains(&t.as_str()));
        }
        self
    }
}

pub async fn events(world: &World<'_>, stream: StreamId) -> Vec<StoredEvent> {
    let page = world.log.read_stream(stream, 0, 10_000).await;
    page.expect("a readable stream")
}

/// How often an event of a type is in a stream.
pub async fn count(world: &World<'_>, stream: impl Into<StreamId>, event_type: &str) -> usize {
    let events = events(world, stream.into()).await;
    events
        .iter()
        .filter(|e| e.envelope.event_type == event_type)
        .count()
}

/// Holds the story of these transfers (and no others of the account) against the chain. Answers how many were paid.
pub async fn audit(world: &World<'_>, transfers: &[(TransferId, u128)]) -> u64 {
    let (mut owed, mut paid) = (0, 0);
    for (transfer, wei) in transfers {
        let execution = execution_id(*transfer);
        let finalized = count(world, execution, "execution.finalized").await;
        let signed = count(world, execution, "execution.signed").await;
        let completed = world.status(*transfer).await == TransferStatus::Completed;
        assert!(
            finalized <= 1,
            "{transfer} has {finalized} final debits; one intent has one at most"
        );
        assert!(signed <= 1, "{transfer} was signed {signed} times");
        assert_eq!(
            completed,
            finalized == 1,
            "{transfer}: its status and its execution disagree"
        );
        if completed {
            owed += wei;
            paid += 1;
        }
    }
    assert_eq!(
        world.net.balance(&world.payee).await,
        owed,
        "the payee has another amount than the completed transfers say"
    );
    let address = world.address().await.expect("an open account");
    assert_eq!(
        world.net.sent(&address).await,
        paid,
        "the chain has another number of transactions than the log"
    );
    let committed = world.committed().await;
    assert!(committed.is_zero(), "{committed} wei stay reserved for nobody");
    let slots = world.slots().await;
    let waiting = slots.entries.values().filter(|e| e.consumed.is_none()).count();
    assert_eq!(waiting, 0, "an entry is neither consumed nor released: {slots:?}");
    paid
}
