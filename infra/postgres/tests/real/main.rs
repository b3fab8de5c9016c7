//! The adapters on a real PostgreSQL. Every test has databases of its own; tests that kill the server have a server of
//! their own.

mod contract;
mod databases;
mod faults;
mod ground;
mod note_list;
mod opening;
mod race;
mod standstill;
mod twin;
