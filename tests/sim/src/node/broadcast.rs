//! Taking bytes: what the node does with them, and what it says about it.

use vaultstream_chain_evm::decode;
use vaultstream_domain::ports::chain_node::BroadcastAnswer;
use vaultstream_event_schemas::chain::RawTransaction;
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_infra_chain_evm::classify::classify;

use super::SimNode;
use super::mischief::{Mischief, WORDS};
use crate::acts::What;
use crate::chain::SimChain;

/// What the node does with bytes that arrive; its words when it does not take them.
fn arrive(chain: &SimChain, raw: &str) -> Result<(), String> {
    let transaction = decode(raw).map_err(|error| error.to_string())?;
    let mut inner = chain.locked();
    let (from, nonce) = (transaction.plan.from.clone(), transaction.plan.nonce);
    let ledger = &inner.tip().ledger;
    if nonce < ledger.nonce(&from) {
        let next = ledger.nonce(&from);
        return Err(format!("nonce too low: next nonce {next}, tx nonce {nonce}"));
    }
    if ledger.balance(&from) < transaction.plan.value.to_u128().unwrap_or(u128::MAX) {
        return Err("insufficient funds for gas * price + value".to_owned());
    }
    match inner.pool.at(&from, nonce) {
        Some(waiting) if waiting.txid == transaction.txid => Err("already known".to_owned()),
        Some(_) => Err("replacement transaction underpriced".to_owned()),
        None => {
            inner.pool.put(transaction);
            Ok(())
        }
    }
}

fn answer(outcome: BroadcastOutcome, detail: &str) -> BroadcastAnswer {
    BroadcastAnswer {
        outcome,
        detail: detail.to_owned(),
        node: "simulated".to_owned(),
    }
}

fn words(index: usize) -> BroadcastAnswer {
    let words = WORDS[index % WORDS.len()];
    answer(classify(words), words)
}

impl SimNode {
    pub(super) async fn take(&self, transaction: &RawTransaction) -> BroadcastAnswer {
        let sent = What::Sent(transaction.txid.clone());
        self.acts.did(self.weather.sim().now_us(), sent);
        self.weather.latency().await;
        let mischief = self.script.next().unwrap_or_else(|| {
            if self
                .weather
                .strikes("broadcast-muddled", |odds| odds.node_muddles)
            {
                self.weather.sim().draw(Mischief::drawn)
            } else {
                Mischief::None
            }
        });
        let said = self.carry_out(mischief, transaction);
        self.weather.sim().note(
            "broadcast",
            format_args!("{} {mischief:?}: {:?}", transaction.txid, said.outcome),
        );
        self.weather.latency().await;
        said
    }

    fn carry_out(&self, mischief: Mischief, transaction: &RawTransaction) -> BroadcastAnswer {
        let unheard = || answer(BroadcastOutcome::Ambiguous, "no answer in time");
        // What becomes of bytes that nobody hears about is for the chain to show.
        match mischief {
            Mischief::None => match arrive(&self.chain, &transaction.raw) {
                Ok(()) => answer(BroadcastOutcome::Accepted, "accepted"),
                Err(words) => answer(classify(&words), &words),
            },
            Mischief::LostOnTheWay => unheard(),
            Mischief::Unheard => {
                drop(arrive(&self.chain, &transaction.raw));
                unheard()
            }
            Mischief::Late(ms) => {
                let (chain, raw, sim) = (
                    self.chain.clone(),
                    transaction.raw.clone(),
                    self.weather.sim().clone(),
                );
                let late = async move {
                    sim.sleep_us(ms * 1_000).await;
                    drop(arrive(&chain, &raw));
                };
                self.weather
                    .sim()
                    .spawn(self.network, "late-bytes", Box::pin(late));
                unheard()
            }
            Mischief::TakenButSays(index) => {
                drop(arrive(&self.chain, &transaction.raw));
                words(index)
            }
            Mischief::SaysOnly(index) => words(index),
        }
    }
}
