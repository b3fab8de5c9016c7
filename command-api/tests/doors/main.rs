//! The doors as a client meets them: the whole router over a real log, a real executor and a real keystore.

mod bad_input;
mod credentials;
mod erasures;
mod idempotency;
mod keys_and_organizations;
mod pages;
mod preconditions;
mod scopes;
mod sessions;
mod transfers;
mod vaults;
mod views;
mod world;
