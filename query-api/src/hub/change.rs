//! What changed, conflated: a reader's items folded into the keys of the rows they changed.
//!
//! A slow subscriber finds each key once, however often its row changed meanwhile, and reads the row as it is then.
//! Keys come in the order of their first unseen change. At most [`MAX_DIRTY`] keys wait; a subscriber further behind is
//! closed and reads the present state instead.

use std::collections::{HashSet, VecDeque};

use vaultstream_event_schemas::token::Positions;
use vaultstream_event_schemas::{AccountId, ErrorCode, TransferId, VaultId};

use super::{Item, Reader};
use crate::refusal::Refusal;

/// Keys that wait for one subscriber.
pub const MAX_DIRTY: usize = 10_000;
/// Items taken in before a key is given out.
const INTAKE: usize = 2_048;

/// The key of a row that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A transfer, its executions included.
    Transfer(TransferId),
    /// A vault, its accounts included.
    Vault(VaultId),
    /// What an account holds.
    Balances(AccountId),
}

/// Which keys an item changes for one kind of subscription.
pub type KeysOf = fn(&Item) -> Vec<Key>;

/// A reader whose items are conflated by key.
pub struct Changes {
    reader: Reader,
    keys_of: KeysOf,
    only: Option<Key>,
    waiting: VecDeque<Key>,
    known: HashSet<Key>,
}

impl Changes {
    /// Conflates a reader's items by the keys they change.
    pub fn new(reader: Reader, keys_of: KeysOf) -> Self {
        Self {
            reader: reader.patient(),
            keys_of,
            only: None,
            waiting: VecDeque::new(),
            known: HashSet::new(),
        }
    }

    /// Follows one key alone and begins with it.
    pub fn only(&mut self, key: Key) {
        self.only = Some(key);
        self.begin_with(key);
    }

    /// Begins with a key, as if it had just changed.
    pub fn begin_with(&mut self, key: Key) {
        if self.known.insert(key) {
            self.waiting.push_back(key);
        }
    }

    /// The next key whose row changed, and what the row then includes.
    pub async fn next(&mut self) -> Result<(Key, Positions), Refusal> {
        loop {
            for _ in 0..INTAKE {
                let Some(delivery) = self.reader.next_ready().await? else {
                    break;
                };
                self.take(&delivery.item)?;
            }
            if let Some(key) = self.waiting.pop_front() {
                self.known.remove(&key);
                return Ok((key, self.reader.cursor().clone()));
            }
            let delivery = self.reader.next().await?;
            self.take(&delivery.item)?;
        }
    }

    fn take(&mut self, item: &Item) -> Result<(), Refusal> {
        for key in (self.keys_of)(item) {
            if self.only.is_none_or(|only| only == key) {
                self.begin_with(key);
            }
        }
        if self.waiting.len() > MAX_DIRTY {
            return Err(Refusal::new(
                ErrorCode::Overloaded,
                "too many rows changed since the last one was taken; read the present state and subscribe again",
            ));
        }
        Ok(())
    }
}
