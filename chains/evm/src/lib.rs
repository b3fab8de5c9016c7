//! Pure Ethereum knowledge.
