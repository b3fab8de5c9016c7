//! Kafka on a real broker: the suites of the ports, what goes wrong, and what must not go unnoticed.

mod bus;
mod echo;
mod faults;
mod place;
mod publisher;
mod relay;
mod security;
mod topics;
