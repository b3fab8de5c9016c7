//! A sandbox Ethereum chain.
