//! Debits: the chain says what was paid, whatever becomes of the log. Each transfer has an amount of its own, so a debit
//! names its intent.

use std::collections::BTreeSet;

use vaultstream_domain::execution::Slots;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::transfer::{Transfer, execution_id};
use vaultstream_event_schemas::{ExecutionId, TransferStatus};

use crate::people::{People, payee};
use crate::world::World;

/// Whether every transfer has come to its end. One that was refused may be in the log all the same: another try of it was
/// under way.
pub(super) fn is_settled(world: &World, people: &People) -> bool {
    let (asked, open) = (people.record.all(), people.record.open());
    asked.len() as u64 == world.plan.transfers
        && asked.iter().all(|asked| {
            let status = world.load::<Transfer>(asked.transfer).status;
            let is_over = !open.contains(asked) || people.record.is_forgotten(asked.transfer);
            status.map_or(is_over, TransferStatus::is_terminal)
        })
}

pub(super) fn check(world: &World, people: &People, found: &mut Vec<String>) {
    let (paid, payee) = (world.chain.paid(), payee());
    let mut known = 0;
    for asked in people.record.all() {
        let debits = paid
            .iter()
            .filter(|(_, to, wei, _)| *to == payee && *wei == asked.wei)
            .count();
        known += debits;
        if debits > 1 {
            found.push(format!(
                "{} was paid {debits} times; one intent has one debit at most",
                asked.transfer
            ));
        }
        let status = world.load::<Transfer>(asked.transfer).status;
        let is_completed = status == Some(TransferStatus::Completed);
        if status.is_none() && people.record.is_forgotten(asked.transfer) {
            // It was paid, perhaps, in a history that is lost, and whoever asked for it knows.
            continue;
        }
        if is_completed != (debits > 0) && status.is_none_or(TransferStatus::is_terminal) {
            found.push(format!(
                "{} is {status:?} and has {debits} debits",
                asked.transfer
            ));
        }
    }
    if known != paid.len() {
        found.push(format!(
            "the chain has {} transactions, {known} of them are of transfers",
            paid.len()
        ));
    }
    slots(world, people, found);
}

/// Nothing stays committed for nobody: every slot was consumed or given back. What was signed in a lost history is kept for
/// those alone that nobody asked for again.
fn slots(world: &World, people: &People, found: &mut Vec<String>) {
    let asked = people.record.all().into_iter().map(|asked| asked.transfer);
    let forgotten: BTreeSet<ExecutionId> = asked
        .filter(|transfer| people.record.is_forgotten(*transfer))
        .map(execution_id)
        .collect();
    let registry = world.log.registry();
    for entry in registry.entries() {
        for event in world.log.events(entry.number) {
            let is_first = event.envelope.sequence == 1 && event.envelope.event_type.starts_with("slots.");
            if !is_first {
                continue;
            }
            let state = world.load::<Slots>(event.envelope.stream);
            let waiting = state
                .entries
                .values()
                .filter(|entry| entry.consumed.is_none())
                .count();
            if waiting > 0 {
                found.push(format!(
                    "{waiting} commitments of {} stay for nobody",
                    event.envelope.stream
                ));
            }
            if let Some(execution) = state.lost.keys().find(|lost| !forgotten.contains(*lost)) {
                found.push(format!("what was signed for {execution} is still taken for lost"));
            }
        }
    }
}
