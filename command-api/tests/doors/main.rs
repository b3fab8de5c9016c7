//! The doors as a client meets them: the whole router over a real log, a real executor and a real keystore.

mod bad_input;
mod changes;
mod credentials;
mod erasures;
mod idempotency;
mod keys;
mod organizations;
mod pages;
mod preconditions;
mod rates;
mod sessions;
mod standing;
mod transfers;
mod vaults;
mod views;
mod world;
