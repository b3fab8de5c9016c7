//! The node client against two independent nodes: one contract suite runs unchanged on our sandbox and on anvil.

mod anvil;
mod bench;
mod capture;
mod contract;
mod engine;
mod faults;
mod following;
mod refusals;
mod sandbox;
mod tls;
mod token;
mod wallet;
