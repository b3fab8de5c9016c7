//! Fuzzing of every parser that meets strangers: committed seeds, and what becomes of them when they are changed.
//!
//! Everywhere the same is demanded: no panic, bounded time and memory, a refusal that is short and names what is wrong,
//! and where something can be written, that it is read back as the same. A few thousand changed inputs in everyday tests,
//! the same ones every time; `VAULTSTREAM_FUZZ_SECONDS` gives each target so many seconds of ever new ones.

mod archive;
mod bodies;
mod graphql;
mod harness;
mod headers;
mod names;
mod node;
mod notes;
mod queries;
mod records;
mod tokens;
mod transactions;
