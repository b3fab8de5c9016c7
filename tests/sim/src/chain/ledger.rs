//! Accounts of the simulated chain: nonce and balance behind a block.

use std::collections::BTreeMap;

use vaultstream_chain_evm::transaction::Decoded;

/// Gas of a plain transfer.
pub(crate) const GAS: u64 = 21_000;
/// What a unit of gas costs, in wei.
pub(crate) const PRICE: u128 = 1_000_000_000;

/// A transaction in a block.
#[derive(Clone)]
pub(crate) struct Included {
    pub(crate) transaction: Decoded,
    /// In wei.
    pub(crate) fee: u128,
}

#[derive(Debug, Clone, Default)]
struct Account {
    nonce: u64,
    balance: u128,
    /// All that was ever given to it from outside.
    given: u128,
}

/// All accounts behind a block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(BTreeMap<String, Account>);

/// What a transaction costs at most, value included.
pub(crate) fn most(transaction: &Decoded) -> u128 {
    let plan = &transaction.plan;
    let price = plan.max_fee_per_gas.to_u128().unwrap_or(u128::MAX);
    let value = plan.value.to_u128().unwrap_or(u128::MAX);
    value.saturating_add(price.saturating_mul(u128::from(plan.gas_limit)))
}

impl Ledger {
    pub(crate) fn nonce(&self, address: &str) -> u64 {
        self.0.get(address).map_or(0, |account| account.nonce)
    }

    pub(crate) fn balance(&self, address: &str) -> u128 {
        self.0.get(address).map_or(0, |account| account.balance)
    }

    pub(crate) fn give(&mut self, address: &str, wei: u128) {
        let account = self.0.entry(address.to_owned()).or_default();
        account.balance += wei;
        account.given += wei;
    }

    /// What was given between an earlier state and this one.
    pub(crate) fn gifts_since(&self, earlier: &Self) -> Vec<(String, u128)> {
        let given = |ledger: &Self, address: &str| ledger.0.get(address).map_or(0, |a| a.given);
        let all = self.0.keys().map(|address| {
            let wei = given(self, address) - given(earlier, address);
            (address.clone(), wei)
        });
        all.filter(|(_, wei)| *wei > 0).collect()
    }

    /// Carries a transaction out, when it is the account's next and its balance covers it.
    pub(crate) fn include(&mut self, transaction: &Decoded) -> Option<Included> {
        let plan = &transaction.plan;
        if plan.nonce != self.nonce(&plan.from) || most(transaction) > self.balance(&plan.from) {
            return None;
        }
        let (fee, value) = (PRICE * u128::from(GAS), plan.value.to_u128()?);
        let payer = self.0.entry(plan.from.clone()).or_default();
        payer.nonce += 1;
        payer.balance -= value + fee;
        self.0.entry(plan.to.clone()).or_default().balance += value;
        Some(Included {
            transaction: transaction.clone(),
            fee,
        })
    }
}
