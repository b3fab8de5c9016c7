//! Reads what accounts hold, at the tip and by its hash, and records what is news.
//!
//! Accounts with executions under way or just concluded are read at every head; the others take turns, so that the cost
//! of a head is bounded however many accounts there are.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use vaultstream_domain::error::Causes;
use vaultstream_domain::execution::ObserveBalance;
use vaultstream_event_schemas::AccountId;
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::vault::v1::BalanceObserved;

use super::{ChainLane, WatchedAccount};
use crate::services::{Chain, Services};

impl ChainLane {
    /// Whose turn it is at this head.
    fn turn_of(&mut self) -> BTreeSet<AccountId> {
        let mut turn: BTreeSet<AccountId> = self.open.values().map(|o| o.job.scope.account).collect();
        turn.extend(&self.concluded);
        for _ in 0..self.options.balances_per_head.min(self.rotation.len()) {
            if let Some(account) = self.rotation.pop_front() {
                self.rotation.push_back(account);
                turn.insert(account);
            }
        }
        turn
    }

    pub(super) async fn read_balances(&mut self, at: &BlockRef) {
        let turn = self.turn_of();
        let accounts: Vec<WatchedAccount> = turn
            .iter()
            .filter_map(|id| self.accounts.get(id).cloned())
            .collect();
        let (services, chain) = (&self.services, &self.chain);
        futures::stream::iter(accounts)
            .for_each_concurrent(self.options.concurrency, |account| {
                read(services, chain, account, at)
            })
            .await;
    }
}

async fn read(services: &Services, chain: &Chain, account: WatchedAccount, at: &BlockRef) {
    for asset in &chain.settings.assets {
        let minor = match chain.node.balance(&account.address, &asset.id, at).await {
            Ok(minor) => minor,
            Err(error) => {
                tracing::debug!(account = %account.account, asset = %asset.id, error = %Causes(&error), "balance not read now");
                return;
            }
        };
        let observe = ObserveBalance {
            account: account.account,
            organization: account.organization,
            vault: account.vault,
            reading: BalanceObserved {
                asset: asset.id.clone(),
                block: at.clone(),
                minor,
            },
        };
        let context = services.context("observe_balances", None, None);
        if let Err(error) = services.commands.execute(context, Arc::new(observe)).await {
            tracing::warn!(account = %account.account, error = %Causes(&error), "balance not recorded now");
        }
    }
}
