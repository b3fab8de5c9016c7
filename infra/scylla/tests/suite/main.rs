//! The view store on a real engine that speaks CQL (Apache Cassandra in ScyllaDB's place): the contract, what only this
//! adapter can get wrong, faults, and a rebuild against another store.

mod contract;
mod faults;
#[path = "../../../../projectors/tests/views/history.rs"]
#[expect(dead_code, reason = "the views' own tests ask more of it")]
mod history;
#[path = "../../../../projectors/tests/views/life.rs"]
mod life;
mod meaning;
mod node;
mod opening;
mod same;
mod setup;
