//! Opening and beginning a chain, and keeping memory and file the same.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use super::{Chain, Control};
use crate::{
    assemble::genesis_block,
    error::Error,
    genesis::Genesis,
    options::Options,
    pool::Pool,
    state::State,
    store::{HISTORY, Store},
};

impl Chain {
    /// Opens the chain in the data directory, or begins one there. `now` is in seconds since the epoch.
    pub(crate) fn open(options: &Options, now: u64) -> Result<Self, Error> {
        let wanted = Genesis::of(options);
        let store = Store::open(&options.data_dir, options.chain_id, options.durability)?;
        let control = match store.meta::<Genesis>("genesis")? {
            None => begin(&store, &wanted, now)?,
            Some(found) => {
                found.must_equal(&wanted, &absolute(&options.data_dir))?;
                store
                    .meta("control")?
                    .ok_or_else(|| Error::Damaged("the control record is missing".to_owned()))?
            }
        };
        let mut chain = Self {
            genesis: wanted,
            control,
            pool: Pool::default(),
            store,
            state: State::default(),
            undos: VecDeque::new(),
            recent: VecDeque::new(),
            safe_depth: options.safe_depth,
            finalized_depth: options.finalized_depth,
        };
        chain.load()?;
        Ok(chain)
    }

    /// Runs `work` in one database transaction; when it fails, the file and memory are as before.
    pub(super) fn atomically<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let control = self.control.clone();
        self.store.begin()?;
        let outcome = work(self).and_then(|value| Ok(self.store.commit().map(|()| value)?));
        if outcome.is_err() {
            self.store.rollback();
            self.control = control;
            self.load()?;
        }
        outcome
    }

    /// Reads everything that is kept in memory from the file, and checks that it belongs together.
    fn load(&mut self) -> Result<(), Error> {
        let missing = || Error::Damaged("there is no block".to_owned());
        let number = self.store.head_number()?.ok_or_else(missing)?;
        let recent = VecDeque::from(self.store.headers(number.saturating_sub(HISTORY), number)?);
        let undos = self.store.undos(number)?;
        let mut state = State::default();
        state.apply(&self.store.world()?);
        let head = recent.back().ok_or_else(missing)?;
        if let Some(hash) = state.missing_code() {
            return Err(Error::Damaged(format!("the code with hash {hash} is missing")));
        }
        if head.header.clone().seal().hash != head.hash {
            return Err(Error::Damaged(format!(
                "the hash of block {number} does not match its header"
            )));
        }
        if state.root() != head.header.state_root {
            return Err(Error::Damaged(format!(
                "the state does not match the state root of block {number}"
            )));
        }
        (self.recent, self.undos, self.state) = (recent, undos, state);
        Ok(())
    }
}

/// Writes block 0.
fn begin(store: &Store, genesis: &Genesis, now: u64) -> Result<Control, Error> {
    let control = Control {
        automine: true,
        block_time_ms: genesis.block_time_ms,
        forced_base_fee: None,
        fork: 0,
        next_credit: 0,
    };
    let changes = genesis.state()?;
    let mut state = State::default();
    state.apply(&changes);
    let block = genesis_block(now, genesis.base_fee, genesis.chain_id, state.root());
    store.begin()?;
    store.put_meta("genesis", genesis)?;
    store.put_meta("control", &control)?;
    store.attach_block(&block)?;
    store.write_changes(&changes)?;
    store.commit()?;
    Ok(control)
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
