//! The sandbox chain from outside: real sockets, a signer and a client of the tests' own, and the library our clients
//! use as the second reader of every answer.

mod arguments;
mod blocks;
mod contracts;
mod durability;
mod encoding;
mod faults;
mod garbage;
mod order;
mod refusals;
mod reorg_wishes;
mod reorgs;
mod rig;
mod signer;
mod token;
mod transfers;
