//! System tests: the real binary, real engines, public interfaces only.

mod bad_input;
mod boundaries;
mod browser;
mod chain;
mod cluster;
mod eyes;
mod faults;
mod journey;
mod people;
mod product;
mod races;
mod start_up;
