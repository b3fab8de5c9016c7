//! What people do when the log was put back: they send again what they had asked for, with the same ids, and go on as if
//! nothing had been.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vaultstream_domain::transfer::Transfer;
use vaultstream_event_schemas::{ShardNumber, TransferId, TransferStatus};

use super::{People, Sent};

/// Of a thousand transfers that are sent again, so many are withdrawn then.
const MINDS_CHANGED: u64 = 150;

pub(super) fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl People {
    fn status(&self, transfer: TransferId) -> Option<TransferStatus> {
        self.world.load::<Transfer>(transfer).status
    }

    /// Transfers that have come to their end, and people have seen it.
    pub fn ended(&self) -> BTreeSet<TransferId> {
        let all = self.record.all().into_iter().map(|asked| asked.transfer);
        all.filter(|transfer| self.status(*transfer).is_some_and(TransferStatus::is_terminal))
            .collect()
    }

    /// The log has kept so many events of each shard. What was told beyond them counts no more, and nobody asks again for
    /// what they have seen the end of, unless they send everything.
    pub fn rewound(&self, kept: &BTreeMap<ShardNumber, u64>, ended: &BTreeSet<TransferId>) {
        self.record.rewound(kept, &self.world.log);
        self.record.listens_anew();
        if !self.world.plan.is_all_again {
            let is_gone = |t: &&TransferId| self.status(**t).is_none() && self.record.is_taken(**t);
            let gone = ended.iter().filter(is_gone);
            gone.for_each(|transfer| self.record.forgotten(*transfer));
        }
        locked(&self.ended).clone_from(ended);
    }

    /// Sends again what had been taken, until every answer is clear.
    pub async fn again(self: Arc<Self>) {
        self.establish().await;
        let (sent, ended) = (locked(&self.sent).clone(), locked(&self.ended).clone());
        for (transfer, sent) in sent {
            if !self.record.is_taken(transfer) || self.record.is_forgotten(transfer) {
                continue;
            }
            let this = self.clone();
            if ended.contains(&transfer) && !self.world.plan.is_all_again {
                // It may wait for an approval again that people gave once.
                if self.world.plan.is_approved_by_people {
                    self.spawn("approval", async move { this.approve(transfer).await });
                }
            } else {
                self.spawn("again", async move { this.resend(sent).await });
            }
        }
    }

    async fn resend(&self, (command, request): Sent) {
        let changes_mind = self
            .world
            .sim
            .draw(|dice| self.world.plan.is_all_again && dice.chance(MINDS_CHANGED));
        self.request(command, request, changes_mind).await;
    }
}
