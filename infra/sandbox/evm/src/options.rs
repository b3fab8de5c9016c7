//! How a sandbox chain is configured. Refuses what would not be a working loopback chain.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::error::Error;

/// What a written block survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Power loss: each block is synced before it is visible. The default, because a client that saw a block finalized
    /// must find it after any restart; at a block a second the sync costs nothing.
    #[default]
    PowerLoss,
    /// The death of the process only. For tests that mine very many blocks.
    ProcessDeath,
}

/// Configuration of a [`crate::Sandbox`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the chain lives; created if absent. One process at a time.
    pub data_dir: PathBuf,
    /// EIP-155 id. Part of the genesis.
    pub chain_id: u64,
    /// Time between blocks in milliseconds, 10 to 3,600,000. Part of the genesis; the control port can change the
    /// pace of a living chain.
    pub block_time_ms: u64,
    /// Public JSON-RPC; loopback only, port 0 takes a free one.
    pub rpc_listen: SocketAddr,
    /// The `sandbox_*` methods; loopback only, port 0 takes a free one.
    pub control_listen: SocketAddr,
    /// Accounts with a balance (wei) in block 0. Part of the genesis.
    pub prefunded: Vec<([u8; 20], u128)>,
    /// The block tagged `safe` is this far below the head.
    pub safe_depth: u64,
    /// The block tagged `finalized` is this far below the head; at most [`Options::MAX_FINALIZED_DEPTH`].
    pub finalized_depth: u64,
    /// What a written block survives.
    pub durability: Durability,
    /// Wall time in seconds since the epoch, for block timestamps.
    pub clock: fn() -> u64,
}

impl Options {
    /// Deeper blocks cannot be undone, so finality must come before.
    pub const MAX_FINALIZED_DEPTH: u64 = 128;

    /// Chain 31337 with a block a second on free loopback ports, `safe` 2 and `finalized` 4 blocks deep.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            data_dir: data_dir.into(),
            chain_id: 31_337,
            block_time_ms: 1_000,
            rpc_listen: any,
            control_listen: any,
            prefunded: Vec::new(),
            safe_depth: 2,
            finalized_depth: 4,
            durability: Durability::default(),
            clock: system_clock,
        }
    }

    /// Refuses values that could not work, naming the option and the remedy.
    ///
    /// # Errors
    /// [`Error::Option`] or [`Error::NotLoopback`].
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |name, problem: String| Err(Error::Option { name, problem });
        for address in [self.rpc_listen, self.control_listen] {
            if !address.ip().is_loopback() {
                return Err(Error::NotLoopback(address));
            }
        }
        if self.chain_id == 0 || self.chain_id > u64::from(u32::MAX) {
            return refuse(
                "chain_id",
                format!("{} is not between 1 and {}", self.chain_id, u32::MAX),
            );
        }
        check_block_time(self.block_time_ms).or_else(|problem| refuse("block_time_ms", problem))?;
        if self.finalized_depth > Self::MAX_FINALIZED_DEPTH || self.safe_depth > self.finalized_depth {
            let limit = Self::MAX_FINALIZED_DEPTH;
            let (safe, finalized) = (self.safe_depth, self.finalized_depth);
            return refuse(
                "finalized_depth",
                format!("need safe ({safe}) ≤ finalized ({finalized}) ≤ {limit}"),
            );
        }
        let mut seen = BTreeSet::new();
        match self.prefunded.iter().find(|(address, _)| !seen.insert(address)) {
            Some((twice, _)) => refuse(
                "prefunded",
                format!("0x{} is listed twice; add up", hex::encode(twice)),
            ),
            None => Ok(()),
        }
    }
}

/// The default clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: everything inside takes the time from `Options::clock`"
)]
fn system_clock() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// A pace the producer can keep.
pub(crate) fn check_block_time(ms: u64) -> Result<(), String> {
    if (10..=3_600_000).contains(&ms) {
        Ok(())
    } else {
        Err(format!("{ms} ms is not between 10 and 3600000 ms"))
    }
}

/// Reads `0xADDRESS=WEI`.
///
/// # Errors
/// Which half is wrong, and the form that is expected.
pub fn parse_prefund(text: &str) -> Result<([u8; 20], u128), String> {
    let (address, wei) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?}: expected 0xADDRESS=WEI"))?;
    let digits = address
        .strip_prefix("0x")
        .ok_or_else(|| format!("address {address:?} must start with 0x"))?;
    let bytes = hex::decode(digits)
        .ok()
        .and_then(|bytes| <[u8; 20]>::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| format!("address {address:?} must have 40 hex digits"))?;
    let wei = wei
        .parse()
        .map_err(|_| format!("{wei:?} is not a whole number of wei below 2^128"))?;
    Ok((bytes, wei))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Options)) -> String {
        let mut options = Options::new("unused");
        change(&mut options);
        options.check().expect_err("must be refused").to_string()
    }

    #[test]
    fn options_should_refuse_what_cannot_work() {
        assert!(Options::new("unused").check().is_ok());
        assert!(refused(|o| o.rpc_listen = ([0, 0, 0, 0], 0).into()).contains("loopback only"));
        assert!(refused(|o| o.control_listen = ([192, 168, 0, 1], 1).into()).contains("192.168.0.1"));
        assert!(refused(|o| o.chain_id = 0).contains("chain_id"));
        assert!(refused(|o| o.block_time_ms = 9).contains("block_time_ms"));
        assert!(refused(|o| o.safe_depth = 5).contains("safe (5)"));
        assert!(refused(|o| o.finalized_depth = 129).contains("129"));
        assert!(refused(|o| o.prefunded = vec![([1; 20], 1), ([1; 20], 2)]).contains("listed twice"));
    }

    #[test]
    fn prefund_should_name_the_wrong_half() {
        let good = "0x00000000000000000000000000000000000000ff=12";
        assert_eq!(
            parse_prefund(good).map(|(address, wei)| (address[19], wei)),
            Ok((255, 12))
        );
        assert!(parse_prefund("12").expect_err("no =").contains("0xADDRESS=WEI"));
        assert!(
            parse_prefund("0xff=1")
                .expect_err("short")
                .contains("40 hex digits")
        );
        assert!(
            parse_prefund(&good.replace("=12", "=-1"))
                .expect_err("negative")
                .contains("whole number")
        );
    }
}
