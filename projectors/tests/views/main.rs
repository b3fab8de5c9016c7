//! Views on the real embedded log and the real embedded store: what folds mean, what faults may not change, what reads
//! answer, and rebuilds beside live traffic.

mod faults;
mod freshness;
mod history;
mod keepers;
mod lanes;
mod life;
mod meaning;
mod meanings;
mod past;
mod poison;
mod reads;
mod rebuild;
mod requests;
mod retry;
mod setup;
mod tenants;
mod terms;
