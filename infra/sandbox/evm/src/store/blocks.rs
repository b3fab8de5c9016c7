//! Blocks, canonical and detached, and where each transaction is.

use std::sync::Arc;

use revm::primitives::{B256, U256};
use rlp::{Rlp, RlpStream};
use rusqlite::{OptionalExtension, Row, params};

use super::{HISTORY, Store, damaged};
use crate::{
    assemble::Block,
    codec,
    error::Error,
    header::{Credit, Header, Sealed},
    receipt::Receipt,
    transaction::Transaction,
};

const COLUMNS: &str = "hash, header, body, receipts, credits, canonical";

impl Store {
    /// Writes `block` as the new canonical head.
    pub(crate) fn attach_block(&self, block: &Block) -> Result<(), Error> {
        let number = block.sealed.header.number;
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO blocks (number, hash, canonical, header, body, receipts, credits) VALUES (?, ?, 1, ?, ?, ?, ?)",
        )?;
        statement.execute(params![
            number,
            block.sealed.hash.as_slice(),
            block.sealed.header.stored(),
            body_bytes(&block.transactions),
            receipt_bytes(&block.receipts),
            credit_bytes(&block.credits),
        ])?;
        let mut statement = self
            .connection
            .prepare_cached("INSERT INTO transactions VALUES (?, ?, ?)")?;
        for (position, tx) in block.transactions.iter().enumerate() {
            statement.execute(params![tx.hash.as_slice(), number, position])?;
        }
        let mut statement = self
            .connection
            .prepare_cached("DELETE FROM blocks WHERE canonical = 0 AND number < ?")?;
        statement.execute(params![number.saturating_sub(HISTORY)])?;
        Ok(())
    }

    /// Takes the canonical block `number` out of the chain; it stays readable by its hash.
    pub(crate) fn detach_block(&self, number: u64) -> Result<(), Error> {
        self.connection
            .execute("DELETE FROM transactions WHERE number = ?", params![number])?;
        self.connection.execute(
            "UPDATE blocks SET canonical = 0 WHERE number = ? AND canonical = 1",
            params![number],
        )?;
        Ok(())
    }

    pub(crate) fn head_number(&self) -> Result<Option<u64>, Error> {
        let mut query = self
            .connection
            .prepare_cached("SELECT max(number) FROM blocks WHERE canonical = 1")?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// Canonical headers from `from` to `to`, both included, ascending.
    pub(crate) fn headers(&self, from: u64, to: u64) -> Result<Vec<Sealed>, Error> {
        let mut query = self.connection.prepare_cached(
            "SELECT hash, header FROM blocks WHERE canonical = 1 AND number BETWEEN ? AND ? ORDER BY number",
        )?;
        let rows = query.query_map(params![from, to], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.map(|row| {
            let (hash, header): (Vec<u8>, Vec<u8>) = row?;
            sealed(&hash, &header)
        })
        .collect()
    }

    /// The canonical block `number`.
    pub(crate) fn block_at(&self, number: u64) -> Result<Option<Block>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM blocks WHERE canonical = 1 AND number = ?");
        let mut query = self.connection.prepare_cached(&sql)?;
        let row = query.query_row(params![number], raw_row).optional()?;
        row.map(|row| self.block(&row)).transpose()
    }

    /// The block with `hash`, and whether it is canonical.
    pub(crate) fn block_with(&self, hash: &B256) -> Result<Option<(Block, bool)>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM blocks WHERE hash = ?");
        let mut query = self.connection.prepare_cached(&sql)?;
        let row = query.query_row(params![hash.as_slice()], raw_row).optional()?;
        row.map(|row| Ok((self.block(&row)?, row.canonical))).transpose()
    }

    /// Block number and position of a canonical transaction.
    pub(crate) fn transaction_place(&self, hash: &B256) -> Result<Option<(u64, usize)>, Error> {
        let mut query = self
            .connection
            .prepare_cached("SELECT number, position FROM transactions WHERE hash = ?")?;
        Ok(query
            .query_row(params![hash.as_slice()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }

    fn block(&self, row: &RawRow) -> Result<Block, Error> {
        let transactions = codec::list(&Rlp::new(&row.body), |entry| {
            Ok((codec::address(&entry.at(0)?)?, entry.at(1)?.data()?.to_vec()))
        })?;
        let transactions = transactions.into_iter().map(|(sender, raw)| {
            Transaction::restore(&raw, sender, self.chain_id)
                .map(Arc::new)
                .map_err(damaged)
        });
        Ok(Block {
            sealed: sealed(&row.hash, &row.header)?,
            transactions: transactions.collect::<Result<_, Error>>()?,
            receipts: codec::list(&Rlp::new(&row.receipts), Receipt::from_stored)?,
            credits: codec::list(&Rlp::new(&row.credits), |entry| {
                Ok(Credit {
                    index: entry.val_at(0)?,
                    address: codec::address(&entry.at(1)?)?,
                    wei: uint(entry, 2)?,
                })
            })?,
        })
    }
}

struct RawRow {
    hash: Vec<u8>,
    header: Vec<u8>,
    body: Vec<u8>,
    receipts: Vec<u8>,
    credits: Vec<u8>,
    canonical: bool,
}

fn raw_row(row: &Row<'_>) -> rusqlite::Result<RawRow> {
    Ok(RawRow {
        hash: row.get(0)?,
        header: row.get(1)?,
        body: row.get(2)?,
        receipts: row.get(3)?,
        credits: row.get(4)?,
        canonical: row.get(5)?,
    })
}

fn uint(item: &Rlp<'_>, index: usize) -> codec::Decoded<U256> {
    codec::uint(&item.at(index)?)
}

fn sealed(hash: &[u8], header: &[u8]) -> Result<Sealed, Error> {
    let hash = B256::try_from(hash).map_err(damaged)?;
    Ok(Sealed {
        hash,
        header: Header::from_stored(header)?,
    })
}

fn body_bytes(transactions: &[Arc<Transaction>]) -> Vec<u8> {
    let mut out = RlpStream::new_list(transactions.len());
    for tx in transactions {
        out.begin_list(2);
        codec::put_address(&mut out, &tx.sender);
        out.append(&tx.raw.as_ref());
    }
    out.out().to_vec()
}

fn receipt_bytes(receipts: &[Receipt]) -> Vec<u8> {
    let mut out = RlpStream::new_list(receipts.len());
    receipts.iter().for_each(|receipt| receipt.put_stored(&mut out));
    out.out().to_vec()
}

fn credit_bytes(credits: &[Credit]) -> Vec<u8> {
    let mut out = RlpStream::new_list(credits.len());
    for credit in credits {
        out.begin_list(3);
        out.append(&credit.index);
        codec::put_address(&mut out, &credit.address);
        codec::put_uint(&mut out, credit.wei);
    }
    out.out().to_vec()
}
