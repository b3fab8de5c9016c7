//! System tests: the real binary, real engines, public interfaces only.

mod audit;
mod authorization;
mod backup;
mod bad_input;
mod browser;
mod chain;
mod cluster;
mod cluster_erasure;
mod cluster_refusals;
mod cluster_rewind;
#[path = "../../infra/telemetry/tests/traces/collector.rs"]
#[expect(
    dead_code,
    reason = "the telemetry's own tests look at bytes and attributes, too"
)]
mod collector;
mod demonstrations;
mod erasure;
mod eyes;
mod faults;
mod journey;
mod people;
mod product;
mod quarantine;
mod races;
mod refusal;
mod replay;
mod rewind;
mod rolling;
#[path = "../../infra/sandbox/evm/tests/suite/signer.rs"]
#[expect(dead_code, reason = "the sandbox's own suite spoils signatures, too")]
mod signer;
mod start_up;
mod tenants;
#[path = "../../infra/sandbox/evm/tests/suite/token.rs"]
#[expect(dead_code, reason = "the sandbox's own suite looks at receipts, too")]
mod token;
mod tokens;
mod traces;
mod views;
