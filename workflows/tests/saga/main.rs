//! The sagas on the real log, the real executor, the real keystore and a real chain: every step is run, failed before
//! and after its effect, repeated and unwound, and after each the money is counted.
//!
//! `script` says what goes wrong and when; `process` is what a crash takes; `world` is what it does not; `audit` holds
//! what must be true however it went: at most one debit an intent, nothing reserved for ever, the same decisions.

mod audit;
mod boundaries;
mod elsewhere;
mod erasures;
mod lost;
mod net;
mod node_faults;
mod process;
mod reactor;
mod repeated;
mod resumed;
mod script;
#[path = "../../../infra/sandbox/evm/tests/suite/signer.rs"]
#[expect(dead_code, reason = "the sandbox's own suite spoils signatures, too")]
mod signer;
mod steps;
#[path = "../../../infra/sandbox/evm/tests/suite/token.rs"]
#[expect(dead_code, reason = "the sandbox's own suite looks at receipts, too")]
mod token;
mod tokens;
mod unwound;
mod world;
