//! A development Ethereum chain: real transactions, real execution (revm, Cancun), real JSON-RPC — on loopback, with
//! faults on demand.
//!
//! It stands where a node would, to be believed by nobody: it decodes with `rlp`, recovers senders with `k256`, and
//! shares no encoder with the code it tests. The chain is durable in its data directory; the mempool is not, as a real
//! node's need not be. Block hashes, transaction, receipt, withdrawal and state roots are the protocol's. Not the
//! protocol's: there is no consensus (`safe` and `finalized` are depths), the base fee can be forced, timestamps may
//! repeat, credits appear as withdrawals (whose sub-gwei rest is credited too), and there are no beacon roots.
//!
//! Two ports: the public one speaks `eth_*`, `net_*`, `web3_*`, `txpool_status`; the control port `sandbox_*`.

mod assemble;
mod chain;
mod codec;
mod error;
mod execute;
mod faults;
mod fee;
mod genesis;
mod hash;
mod header;
mod http;
mod options;
mod pool;
mod receipt;
mod rpc;
mod service;
#[cfg(test)]
mod signer;
mod state;
mod store;
mod transaction;
mod trie;

pub use error::Error;
pub use options::{Durability, Options, parse_prefund};
pub use rpc::RpcError;
pub use service::{Running, Sandbox};
