//! Ethereum node client: `ChainNode` over JSON-RPC and HTTP, and the faucets of sandbox chains.
//!
//! Invariants. Nothing is implicit: no nonce is chosen, nothing is retried, nothing is cached. A reading says at which
//! block it is true and is asked for by block hash (EIP-1898). A broadcast answers an outcome whatever happens, and what
//! no row of the table in `classify` explains is ambiguous. Answers are bounded in size and time; the address of the
//! endpoint, which may hold a credential, is in no error, log or event. Refuses an endpoint of another chain.

pub mod classify;
pub mod faucet;
pub mod options;

mod broadcast;
mod connect;
mod estimate;
mod fee;
mod head;
mod node;
mod redact;
mod rpc;
mod state;
mod tls;
mod transaction;
mod transport;

pub use connect::ConnectError;
pub use faucet::{AnvilFaucet, SandboxFaucet};
pub use node::EvmNode;
pub use options::Options;
