//! Transactions no node may take, sent past every check of ours, and what each node says to them.

use vaultstream_event_schemas::chain::{EvmPlan, RawTransaction, TransactionView};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome as Outcome;

use crate::bench::{Bench, ETHER, SOMEBODY, native, wei};
use crate::wallet::Wallet;

/// A way to be refused: its name, the bytes, what every node must make of them.
pub struct Refusal {
    pub name: &'static str,
    pub transaction: RawTransaction,
    pub outcome: Outcome,
}

/// Signed bytes with one signature byte changed: some other key's signature, or none's.
fn tampered(plan: &EvmPlan, wallet: &Wallet) -> RawTransaction {
    let signed = wallet.sign(plan);
    let mut bytes = vaultstream_chain_evm::transaction::bytes_of(&signed.raw).expect("our own bytes");
    let last = bytes.len() - 1;
    bytes[last] ^= 0x01;
    let raw = alloy_primitives::hex::encode_prefixed(&bytes);
    RawTransaction {
        txid: vaultstream_chain_evm::txid(&raw).expect("bytes"),
        raw,
    }
}

/// Every refusal, prepared from a fresh wallet so that each is refused for its own reason alone.
pub async fn prepare(bench: &Bench, number: u8) -> Vec<Refusal> {
    let rich = bench.funded(number).await;
    let poor = Wallet::new(number + 1);
    let pay = async |from: &Wallet, nonce: u64, change: fn(&mut EvmPlan)| {
        let intent = bench.intent(from, SOMEBODY, native(), 1);
        let mut plan = bench.planned(&intent, nonce, 21_000).await;
        change(&mut plan);
        plan
    };
    let keep: fn(&mut EvmPlan) = |_| ();
    // Nonce 0 is consumed, nonce 1 is in the pool.
    let consumed = rich.sign(&pay(&rich, 0, keep).await);
    bench.accept(&consumed).await;
    bench.mine(1).await;
    let pooled = rich.sign(&pay(&rich, 1, keep).await);
    bench.accept(&pooled).await;
    let refusal = |name, transaction, outcome| Refusal {
        name,
        transaction,
        outcome,
    };
    let mut refusals = vec![refusal("duplicate", pooled, Outcome::AlreadyKnown)];
    let other = pay(&rich, 0, |p| p.value = wei(2)).await;
    refusals.push(refusal("nonce-consumed", rich.sign(&other), Outcome::Contested));
    let rival = pay(&rich, 1, |p| p.value = wei(2)).await;
    refusals.push(refusal("replacement", rich.sign(&rival), Outcome::Contested));
    let wrong = tampered(&pay(&rich, 2, keep).await, &rich);
    refusals.push(refusal("wrong-signature", wrong, Outcome::Rejected));
    let penniless = pay(&poor, 0, keep).await;
    refusals.push(refusal("underfunded", poor.sign(&penniless), Outcome::Rejected));
    let greedy = pay(&rich, 2, |p| p.value = wei(ETHER)).await;
    refusals.push(refusal(
        "amount-above-balance",
        rich.sign(&greedy),
        Outcome::Rejected,
    ));
    let elsewhere = pay(&rich, 2, |p| p.chain_id = 1).await;
    refusals.push(refusal("wrong-chain", rich.sign(&elsewhere), Outcome::Rejected));
    let starved = pay(&rich, 2, |p| p.gas_limit = 20_999).await;
    refusals.push(refusal("gas-too-low", rich.sign(&starved), Outcome::Rejected));
    let inverted = pay(&rich, 2, |p| p.max_priority_fee_per_gas = wei(1_000_000_000_000)).await;
    refusals.push(refusal("tip-above-fee", rich.sign(&inverted), Outcome::Rejected));
    refusals
}

/// A wrong signature, a nonce gap, an underfunded transaction and their like mean the same on every node.
pub async fn should_be_understood_alike(bench: &Bench) {
    for refusal in prepare(bench, 30).await {
        let (outcome, detail) = bench.send(&refusal.transaction).await;
        assert_eq!(outcome, refusal.outcome, "{}: {detail}", refusal.name);
        assert!(!detail.is_empty() && detail.chars().count() <= 512);
        if outcome == Outcome::Rejected {
            assert_eq!(
                bench.view(&refusal.transaction.txid).await,
                TransactionView::Absent,
                "{}",
                refusal.name
            );
        }
    }
}
