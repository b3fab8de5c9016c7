//! A chain as a model: blocks with parents, accounts with nonces and balances, a pool, reorganizations.
//!
//! It is the judge of the simulation: what is in its canonical blocks was paid. A transaction is included when its nonce
//! is the account's next and the balance covers it; a block is final when [`FINAL_DEPTH`] blocks lie above it, and
//! reorganizations stay above final blocks.

mod ledger;
mod pool;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vaultstream_chain_evm::transaction::Decoded;
use vaultstream_event_schemas::chain::{AssetSettings, Block, BlockRef, ChainSettings};
use vaultstream_event_schemas::{Amount, AssetId, ChainId, Slug};

use crate::weather::Weather;
pub(crate) use ledger::{GAS, Included, Ledger};
pub(crate) use pool::Pool;

/// The EIP-155 number.
pub const CHAIN_ID: u64 = 31_337;
/// A block is final when so many lie above it.
pub const FINAL_DEPTH: u64 = 5;
/// A block is safe when so many lie above it.
const SAFE_DEPTH: u64 = 2;
/// A whole unit of the native asset.
pub const ETHER: u128 = 1_000_000_000_000_000_000;

/// The native asset.
///
/// # Panics
/// Never: the name is well-formed.
pub fn native() -> AssetId {
    AssetId::try_new("eip155:31337/slip44:60").expect("a well-formed name")
}

/// The chain's settings.
///
/// # Panics
/// Never: the names are well-formed.
pub fn settings() -> ChainSettings {
    ChainSettings {
        id: ChainId::try_new("eip155:31337").expect("a well-formed name"),
        slug: Slug::try_new("eth_sim").expect("a well-formed slug"),
        name: "Simulated".to_owned(),
        sandbox: true,
        assets: vec![AssetSettings {
            id: native(),
            symbol: "ETH".to_owned(),
            decimals: 18,
        }],
    }
}

/// A block with the state behind it.
#[derive(Clone)]
pub(crate) struct Mined {
    pub(crate) block: Block,
    pub(crate) included: Vec<Included>,
    pub(crate) ledger: Ledger,
}

/// The chain's state.
pub(crate) struct Inner {
    /// The canonical blocks, by height.
    pub(crate) canonical: Vec<Mined>,
    /// Blocks that were detached, by hash.
    pub(crate) stale: BTreeMap<String, Block>,
    pub(crate) pool: Pool,
    gifts: Vec<(String, u128)>,
    salt: u64,
}

/// A handle to the chain. Clones share it.
#[derive(Clone)]
pub struct SimChain {
    inner: Arc<Mutex<Inner>>,
}

fn hash_of(height: u64, salt: u64) -> String {
    format!("0x{height:032x}{salt:032x}")
}

impl Default for SimChain {
    fn default() -> Self {
        let genesis = Mined {
            block: Block {
                at: BlockRef {
                    hash: hash_of(0, 0),
                    height: 0,
                },
                parent: hash_of(0, u64::MAX),
            },
            included: Vec::new(),
            ledger: Ledger::default(),
        };
        let mut inner = Inner {
            canonical: vec![genesis],
            stale: BTreeMap::new(),
            pool: Pool::default(),
            gifts: Vec::new(),
            salt: 0,
        };
        (0..=FINAL_DEPTH).for_each(|_| inner.mine(|_| true));
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }
}

impl Inner {
    pub(crate) fn tip(&self) -> &Mined {
        self.canonical.last().expect("there is a first block")
    }

    /// Mines a block of what the pool has and `takes` lets in.
    fn mine(&mut self, mut takes: impl FnMut(&Decoded) -> bool) {
        self.salt += 1;
        let (parent, mut ledger) = (self.tip().block.at.clone(), self.tip().ledger.clone());
        for (address, wei) in self.gifts.drain(..) {
            ledger.give(&address, wei);
        }
        let mut included = Vec::new();
        for transaction in self.pool.ready(&ledger) {
            if takes(&transaction)
                && let Some(one) = ledger.include(&transaction)
            {
                self.pool.remove(&transaction.txid);
                included.push(one);
            }
        }
        let at = BlockRef {
            hash: hash_of(parent.height + 1, self.salt),
            height: parent.height + 1,
        };
        let block = Block {
            at,
            parent: parent.hash,
        };
        self.canonical.push(Mined {
            block,
            included,
            ledger,
        });
        self.pool
            .forget_consumed(&self.canonical[self.canonical.len() - 1].ledger);
    }

    /// Detaches so many blocks; answers their transactions.
    fn detach(&mut self, depth: u64) -> Vec<Decoded> {
        let mut transactions = Vec::new();
        for _ in 0..depth {
            let Some(mined) = self.canonical.pop() else { break };
            // Gifts come again with the next block.
            let before = self.tip().ledger.clone();
            self.gifts.extend(mined.ledger.gifts_since(&before));
            self.stale.insert(mined.block.at.hash.clone(), mined.block);
            transactions.extend(mined.included.into_iter().map(|one| one.transaction));
        }
        transactions
    }
}

impl SimChain {
    pub(crate) fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an address money, from the next block on.
    pub fn give(&self, address: &str, wei: u128) {
        self.locked().gifts.push((address.to_owned(), wei));
    }

    /// The height of the newest block.
    pub fn height(&self) -> u64 {
        self.locked().tip().block.at.height
    }

    /// Every transaction of the canonical chain, as (paying address, paid address, value in wei, id).
    pub fn paid(&self) -> Vec<(String, String, u128, String)> {
        let inner = self.locked();
        let all = inner.canonical.iter().flat_map(|mined| &mined.included);
        all.map(|one| {
            let plan = &one.transaction.plan;
            let value = plan.value.to_u128().unwrap_or(u128::MAX);
            (
                plan.from.clone(),
                plan.to.clone(),
                value,
                one.transaction.txid.clone(),
            )
        })
        .collect()
    }

    /// Lets blocks come, one after the other, and now and then takes some back.
    pub async fn live(self, weather: Weather, block_us: u64) {
        loop {
            let us = weather
                .sim()
                .draw(|dice| dice.between(block_us / 2, block_us * 3 / 2));
            weather.sim().sleep_us(us).await;
            self.block(&weather);
        }
    }

    fn block(&self, weather: &Weather) {
        let mut inner = self.locked();
        if weather.strikes("reorg", |odds| odds.reorgs) {
            let depth = weather.sim().draw(|dice| dice.between(1, FINAL_DEPTH - 1));
            let lost = inner.detach(depth);
            let again = lost.into_iter().filter(|_| !weather.sim().chance(300));
            let again: Vec<Decoded> = again.collect();
            again
                .into_iter()
                .for_each(|transaction| inner.pool.put(transaction));
            (0..depth).for_each(|_| inner.mine(|_| weather.sim().chance(500)));
        }
        if weather.strikes("pool-forgot", |odds| odds.pool_forgets) {
            let ids = inner.pool.ids();
            if let Some(gone) = weather.sim().draw(|dice| dice.one_of(&ids).cloned()) {
                inner.pool.remove(&gone);
            }
        }
        let calm = weather.is_calm();
        inner.mine(|_| calm || weather.sim().chance(700));
        let (at, paid) = (&inner.tip().block.at, inner.tip().included.len());
        weather
            .sim()
            .note("block", format_args!("{} with {paid} transactions", at.height));
    }
}

impl Inner {
    /// The canonical block at a hash.
    pub(crate) fn at_hash(&self, hash: &str) -> Option<&Mined> {
        self.canonical.iter().find(|mined| mined.block.at.hash == hash)
    }

    /// The canonical block that lies so deep under a height.
    pub(crate) fn below(&self, height: u64, depth: u64) -> BlockRef {
        let at = usize::try_from(height.saturating_sub(depth)).unwrap_or(0);
        let mined = self.canonical.get(at).unwrap_or_else(|| self.tip());
        mined.block.at.clone()
    }

    pub(crate) fn safe_and_final(&self, height: u64) -> (BlockRef, BlockRef) {
        (self.below(height, SAFE_DEPTH), self.below(height, FINAL_DEPTH))
    }
}

/// Wei as an amount.
pub(crate) fn wei(value: u128) -> Amount {
    Amount::from_u128(value)
}
