//! Ethereum node client.
