//! The state on disk, the records that undo blocks, and credits that wait for their block.

use std::collections::VecDeque;

use revm::primitives::{Address, B256, Bytes, U256};
use rusqlite::params;

use super::{HISTORY, Store, damaged};
use crate::{
    error::Error,
    header::Credit,
    state::{Account, Changes},
};

impl Store {
    /// Makes `changes` true on disk.
    pub(crate) fn write_changes(&self, changes: &Changes) -> Result<(), Error> {
        let mut code = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO codes VALUES (?, ?)")?;
        for (hash, bytes) in &changes.code {
            code.execute(params![hash.as_slice(), bytes.as_ref()])?;
        }
        let mut put = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)")?;
        let mut delete = self
            .connection
            .prepare_cached("DELETE FROM accounts WHERE address = ?")?;
        for (address, account) in &changes.accounts {
            match account {
                None => delete.execute(params![address.as_slice()])?,
                Some(account) => put.execute(params![
                    address.as_slice(),
                    account.nonce.to_be_bytes(),
                    account.balance.to_be_bytes::<32>(),
                    account.code_hash.as_slice(),
                ])?,
            };
        }
        let mut put = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO slots VALUES (?, ?, ?)")?;
        let mut delete = self
            .connection
            .prepare_cached("DELETE FROM slots WHERE address = ? AND slot = ?")?;
        for ((address, slot), value) in &changes.slots {
            let slot = slot.to_be_bytes::<32>();
            if value.is_zero() {
                delete.execute(params![address.as_slice(), slot])?;
            } else {
                put.execute(params![address.as_slice(), slot, value.to_be_bytes::<32>()])?;
            }
        }
        Ok(())
    }

    /// The whole state, as the change from nothing.
    pub(crate) fn world(&self) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        let mut query = self.connection.prepare("SELECT hash, code FROM codes")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            changes.code.insert(
                B256::from(row.get::<_, [u8; 32]>(0)?),
                Bytes::from(row.get::<_, Vec<u8>>(1)?),
            );
        }
        let mut query = self
            .connection
            .prepare("SELECT address, nonce, balance, code_hash FROM accounts")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let account = Account {
                nonce: u64::from_be_bytes(row.get(1)?),
                balance: U256::from_be_bytes::<32>(row.get(2)?),
                code_hash: B256::from(row.get::<_, [u8; 32]>(3)?),
            };
            changes
                .accounts
                .insert(Address::from(row.get::<_, [u8; 20]>(0)?), Some(account));
        }
        let mut query = self
            .connection
            .prepare("SELECT address, slot, value FROM slots")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let key = (
                Address::from(row.get::<_, [u8; 20]>(0)?),
                U256::from_be_bytes::<32>(row.get(1)?),
            );
            changes.slots.insert(key, U256::from_be_bytes::<32>(row.get(2)?));
        }
        Ok(changes)
    }

    /// Keeps what undoes block `number`, and forgets what is too old.
    pub(crate) fn put_undo(&self, number: u64, undo: &Changes) -> Result<(), Error> {
        let mut put = self.connection.prepare_cached("INSERT INTO undo VALUES (?, ?)")?;
        put.execute(params![number, undo.stored()])?;
        let mut prune = self
            .connection
            .prepare_cached("DELETE FROM undo WHERE number <= ?")?;
        if let Some(limit) = number.checked_sub(HISTORY) {
            prune.execute(params![limit])?;
        }
        Ok(())
    }

    pub(crate) fn remove_undo(&self, number: u64) -> Result<(), Error> {
        self.connection
            .execute("DELETE FROM undo WHERE number = ?", params![number])?;
        Ok(())
    }

    /// Undo records, oldest first; they must end at `head` without a gap.
    pub(crate) fn undos(&self, head: u64) -> Result<VecDeque<Changes>, Error> {
        let mut query = self
            .connection
            .prepare("SELECT number, changes FROM undo ORDER BY number")?;
        let mut rows = query.query([])?;
        let mut undos = VecDeque::new();
        let mut last = None;
        while let Some(row) = rows.next()? {
            let number: u64 = row.get(0)?;
            if last.is_some_and(|last| number != last + 1) {
                return Err(damaged(format!("undo records have a gap before block {number}")));
            }
            last = Some(number);
            undos.push_back(Changes::from_stored(&row.get::<_, Vec<u8>>(1)?)?);
        }
        if last.unwrap_or(0) != head {
            return Err(damaged(format!(
                "undo records end at block {last:?}, the chain at {head}"
            )));
        }
        Ok(undos)
    }

    pub(crate) fn put_credit(&self, credit: &Credit) -> Result<(), Error> {
        let mut put = self
            .connection
            .prepare_cached("INSERT INTO credits VALUES (?, ?, ?)")?;
        put.execute(params![
            credit.index,
            credit.address.as_slice(),
            credit.wei.to_be_bytes::<32>()
        ])?;
        Ok(())
    }

    pub(crate) fn remove_credit(&self, index: u64) -> Result<(), Error> {
        let mut delete = self
            .connection
            .prepare_cached("DELETE FROM credits WHERE id = ?")?;
        delete.execute(params![index])?;
        Ok(())
    }

    /// Credits that no block holds yet, oldest first.
    pub(crate) fn waiting_credits(&self) -> Result<Vec<Credit>, Error> {
        let mut query = self
            .connection
            .prepare_cached("SELECT id, address, wei FROM credits ORDER BY id")?;
        let rows = query.query_map([], |row| {
            Ok(Credit {
                index: row.get(0)?,
                address: Address::from(row.get::<_, [u8; 20]>(1)?),
                wei: U256::from_be_bytes::<32>(row.get(2)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
