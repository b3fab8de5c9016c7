//! What a chain is born with, and the refusal to continue a chain as another one.

use std::{collections::BTreeMap, path::Path};

use revm::primitives::{Address, U256};
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    fee::{BLOCK_GAS_LIMIT, INITIAL_BASE_FEE},
    options::Options,
    state::{Account, Changes},
};

/// Kept in the data directory for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Genesis {
    pub(crate) chain_id: u64,
    pub(crate) block_time_ms: u64,
    pub(crate) gas_limit: u64,
    pub(crate) base_fee: u64,
    /// Address in lower-case hex → wei in decimal.
    prefunded: BTreeMap<String, String>,
}

impl Genesis {
    pub(crate) fn of(options: &Options) -> Self {
        let prefunded = options
            .prefunded
            .iter()
            .map(|(address, wei)| (hex::encode(address), wei.to_string()));
        Self {
            chain_id: options.chain_id,
            block_time_ms: options.block_time_ms,
            gas_limit: BLOCK_GAS_LIMIT,
            base_fee: INITIAL_BASE_FEE,
            prefunded: prefunded.collect(),
        }
    }

    /// Refuses to go on with the chain of `self`, found on disk, when `wanted` is another.
    pub(crate) fn must_equal(&self, wanted: &Self, path: &Path) -> Result<(), Error> {
        let mut differences = Vec::new();
        let numbers = [
            ("chain id", self.chain_id, wanted.chain_id),
            ("block time in ms", self.block_time_ms, wanted.block_time_ms),
            ("block gas limit", self.gas_limit, wanted.gas_limit),
            ("initial base fee", self.base_fee, wanted.base_fee),
        ];
        for (name, old, new) in numbers {
            if old != new {
                differences.push(format!("{name} was {old} and is now {new}"));
            }
        }
        let addresses = self.prefunded.keys().chain(wanted.prefunded.keys());
        for address in addresses.collect::<std::collections::BTreeSet<_>>() {
            let (old, new) = (self.prefunded.get(address), wanted.prefunded.get(address));
            if old != new {
                let show = |wei: Option<&String>| {
                    wei.map_or_else(|| "absent".to_owned(), |wei| format!("{wei} wei"))
                };
                differences.push(format!(
                    "prefunded 0x{address} was {} and is now {}",
                    show(old),
                    show(new)
                ));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        let more = differences.len().saturating_sub(5);
        differences.truncate(5);
        let mut differences = differences.join(", ");
        if more > 0 {
            differences.push_str(&format!(", and {more} more"));
        }
        Err(Error::Genesis {
            path: path.to_owned(),
            differences,
        })
    }

    pub(crate) fn state(&self) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        for (address, wei) in &self.prefunded {
            let damaged = |_| Error::Damaged(format!("genesis account {address} is unreadable"));
            let address: Address = address.parse().map_err(|_| damaged(()))?;
            let balance: U256 = wei.parse().map_err(|_| damaged(()))?;
            changes.accounts.insert(
                address,
                Some(Account {
                    balance,
                    ..Account::default()
                }),
            );
        }
        changes
            .accounts
            .retain(|_, account| account.as_ref().is_some_and(|account| !account.is_empty()));
        Ok(changes)
    }
}
