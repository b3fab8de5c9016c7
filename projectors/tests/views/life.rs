//! The life of one transfer and its execution, step by step.

use vaultstream_domain::execution::ExecutionEvent as E;
use vaultstream_domain::transfer::TransferEvent as T;
use vaultstream_event_schemas::chain::{EvmPlan, Intent, Plan, RawTransaction};
use vaultstream_event_schemas::execution::v1 as ev1;
use vaultstream_event_schemas::transfer::v1 as tv1;
use vaultstream_event_schemas::{Amount, ExecutionId, Timestamp, TransferId};

use crate::history::{Account, START_US, asset, block, chain};

pub type Steps = (Vec<T>, Vec<E>, Option<u8>);

/// What happens to a transfer at a step of its life, and the step after it.
pub fn life(
    step: u8,
    luck: u64,
    transfer: TransferId,
    execution: ExecutionId,
    account: Account,
    txid: &str,
) -> Steps {
    let end = |event: T| (vec![event], vec![], None);
    let fee = Amount::from_u128(21_000);
    let reason = || "because".to_owned();
    match (step, luck) {
        (0, _) => {
            let approvals_needed = u32::from(luck.is_multiple_of(2));
            let screened = tv1::Screened {
                approvals_needed,
                rule: "all".into(),
            };
            (
                vec![screened.into()],
                vec![],
                Some(if approvals_needed == 0 { 2 } else { 1 }),
            )
        }
        (1, 0) => end(tv1::Denied { reason: reason() }.into()),
        (1, 1) => end(tv1::Cancelled { reason: reason() }.into()),
        (1, 2) => end(tv1::Expired {
            deadline: Timestamp::from_micros(START_US),
        }
        .into()),
        (1, _) => (vec![tv1::Approved { approvals: 1 }.into()], vec![], Some(2)),
        (2, _) => {
            let queued = ev1::Queued {
                account: account.id,
                chain: chain(account.chain),
                intent: Intent {
                    amount: fee,
                    asset: asset(account.chain, 0),
                    destination: "0x1".into(),
                    source: "0x2".into(),
                },
                transfers: vec![transfer],
            };
            (
                vec![tv1::ExecutionStarted { execution }.into()],
                vec![queued.into()],
                Some(3),
            )
        }
        _ => on_chain(step, luck, txid),
    }
}

/// The part of a life that happens on chain.
fn on_chain(step: u8, luck: u64, txid: &str) -> Steps {
    let txid = txid.to_owned();
    let moves = |events: Vec<E>, next: u8| (vec![], events, Some(next));
    let reason = || "because".to_owned();
    match (step, luck) {
        (3, 0) => {
            let dead = ev1::Dead {
                code: "insufficient-funds".into(),
                detail: reason(),
                proof: ev1::ProofOfDeath::NeverSigned,
            };
            let failed = tv1::Failed {
                code: "insufficient-funds".into(),
                detail: reason(),
            };
            (vec![failed.into()], vec![dead.into()], None)
        }
        (3, _) => {
            let planned = ev1::Planned { plan: plan(luck) };
            let bound = ev1::Bound {
                digest: "0xd1".into(),
                plan: plan(luck),
            };
            let transaction = RawTransaction {
                raw: "0x02".into(),
                txid,
            };
            moves(
                vec![
                    planned.into(),
                    bound.into(),
                    ev1::Signed {
                        attempt: 1,
                        transaction,
                    }
                    .into(),
                ],
                4,
            )
        }
        _ => after_signing(step, luck, &txid),
    }
}

/// From the first broadcast on.
fn after_signing(step: u8, luck: u64, txid: &str) -> Steps {
    let txid = txid.to_owned();
    let moves = |events: Vec<E>, next: u8| (vec![], events, Some(next));
    let fee = Amount::from_u128(21_000);
    let reason = || "because".to_owned();
    match (step, luck) {
        (4, _) => {
            let outcome = if luck < 4 {
                ev1::BroadcastOutcome::Ambiguous
            } else {
                ev1::BroadcastOutcome::Accepted
            };
            let tried = ev1::BroadcastTried {
                attempt: 1,
                detail: "said".into(),
                node: "n1".into(),
                outcome,
            };
            moves(vec![tried.into()], if luck < 4 { 4 } else { 5 })
        }
        (5, 0) => moves(vec![ev1::Stuck { detail: reason() }.into()], 5),
        (5, 1) => moves(
            vec![
                ev1::Seen {
                    node: "n1".into(),
                    txid,
                }
                .into(),
            ],
            5,
        ),
        (5, _) => moves(
            vec![
                ev1::Included {
                    block: block(luck),
                    fee,
                    succeeded: true,
                    txid,
                }
                .into(),
            ],
            6,
        ),
        (6, 0..=3) => moves(
            vec![
                ev1::Detached {
                    block: block(luck),
                    txid,
                }
                .into(),
            ],
            5,
        ),
        (6, _) => {
            let finalized = ev1::Finalized {
                block: block(luck),
                fee,
                succeeded: true,
                txid: txid.clone(),
            };
            let completed = tv1::Completed {
                block: block(luck),
                fee,
                txid,
            };
            let next = (luck == 19).then_some(7);
            (vec![completed.into()], vec![finalized.into()], next)
        }
        _ => {
            let reversed = ev1::Reversed {
                block: block(luck),
                txid: txid.clone(),
            };
            (
                vec![
                    tv1::Reversed {
                        block: block(luck),
                        txid,
                    }
                    .into(),
                ],
                vec![reversed.into()],
                None,
            )
        }
    }
}

fn plan(nonce: u64) -> Plan {
    Plan::Evm(EvmPlan {
        chain_id: 31_337,
        data: "0x".into(),
        from: "0x2".into(),
        gas_limit: 21_000,
        max_fee_per_gas: Amount::from_u128(10),
        max_priority_fee_per_gas: Amount::from_u128(1),
        nonce,
        to: "0x1".into(),
        value: Amount::from_u128(1),
    })
}
