//! The signer and the token of the integration tests, for the tests in here: one implementation of each.

#[expect(dead_code, reason = "the integration tests use more of it")]
#[path = "../tests/suite/signer.rs"]
mod suite;
#[expect(dead_code, reason = "the integration tests use more of it")]
#[path = "../tests/suite/token.rs"]
pub(crate) mod token;

pub(crate) use self::suite::{ETHER, Key, Plan, keccak};
