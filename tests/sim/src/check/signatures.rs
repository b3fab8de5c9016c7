//! Signatures, over every life of the log: none before a mark has it, one transaction an intent, one intent a slot value; and
//! in quarantine nothing is bound, signed or sent.

use std::collections::{BTreeMap, BTreeSet};

use vaultstream_event_schemas::AccountId;

use crate::acts::What;
use crate::people::People;
use crate::world::World;

pub(super) fn check(world: &World, people: &People, found: &mut Vec<String>) {
    let signed = world.log.acts().signed();
    let mut by_wei: BTreeMap<u128, BTreeSet<&str>> = BTreeMap::new();
    let mut by_slot: BTreeMap<(AccountId, u64), BTreeSet<&str>> = BTreeMap::new();
    for one in &signed {
        by_wei.entry(one.wei).or_default().insert(&one.digest);
        by_slot
            .entry((one.account, one.slot))
            .or_default()
            .insert(&one.digest);
    }
    let unmarked = signed.iter().filter(|one| !one.is_marked).count();
    if unmarked > 0 {
        found.push(format!("{unmarked} signatures were made before a mark had them"));
    }
    for asked in people.record.all() {
        let digests = by_wei.get(&asked.wei).map_or(0, BTreeSet::len);
        if digests > 1 {
            let transfer = asked.transfer;
            found.push(format!("{digests} transactions were signed for {transfer}"));
        }
    }
    for ((account, slot), digests) in by_slot.iter().filter(|(_, digests)| digests.len() > 1) {
        let digests = digests.len();
        found.push(format!(
            "{digests} transactions were signed for slot {slot} of {account}"
        ));
    }
    quarantines(world, found);
}

/// Whether a process says that the log is in quarantine.
pub(super) fn is_quarantined(world: &World) -> bool {
    world.doors().iter().any(|door| door.marks.quarantine().is_some())
}

fn quarantines(world: &World, found: &mut Vec<String>) {
    for quarantine in world.rewound.quarantines() {
        let acts = world.log.acts().between(quarantine.from_us, quarantine.until_us);
        if let Some(act) = acts.first() {
            let what = match &act.what {
                What::Written(event_type) => format!("{event_type} was written"),
                What::Signed(signed) => format!("{} was signed", signed.digest),
                What::Sent(txid) => format!("{txid} was sent"),
            };
            let all = acts.len();
            found.push(format!("{what} in quarantine, the first of {all} such acts"));
        }
        if quarantine.until_us == i64::MAX {
            found.push("a quarantine was released, and no mark says so".to_owned());
        }
    }
    if is_quarantined(world) {
        found.push("a process is in quarantine at the end".to_owned());
    }
}
