//! A process: an executor with an empty cache, reactions without cursors, a lane that remembers nothing but the head it
//! kept. It is driven step by step, and what dies is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::ports::chain_node::{BroadcastAnswer, NodeError};
use vaultstream_domain::ports::keys::{KeyError, KeySuite, SignRequest, Signature};
use vaultstream_domain::ports::{AccountKeys, ChainNode, EventLog, Signing};
use vaultstream_domain::{CommandContext, Event, Transact};
use vaultstream_event_schemas::chain::{
    Block, BlockRef, ChainHead, FeeQuote, Intent, RawTransaction, TransactionView,
};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_event_schemas::{AccountId, Amount, AssetId, ShardNumber};
use vaultstream_infra_keystore::Keystore;
use vaultstream_kernel::Executor;
use vaultstream_workflows::advance_transfer::AdvanceTransfer;
use vaultstream_workflows::chain_lane::{FeedLane, WatchAccounts};
use vaultstream_workflows::open_account::OpenAccount;
use vaultstream_workflows::{ChainLane, CommandError, Commands, LaneOptions, React, ReactError, Services};

use crate::script::Script;
use crate::world::World;

/// How events reach the reactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Each once.
    Once,
    /// Each twice.
    Twice,
    /// All of them again at every step.
    Replayed,
}

/// A process under a script.
pub struct Process {
    pub services: Services,
    pub script: Arc<Script>,
    delivery: Delivery,
    log: Arc<dyn EventLog>,
    reactions: Vec<Arc<dyn React>>,
    lane: ChainLane,
    cursors: BTreeMap<ShardNumber, u64>,
    stop: CancellationToken,
}

impl Process {
    pub fn start(world: &World<'_>, script: Script) -> Self {
        Self::delivering(world, script, Delivery::Once)
    }

    pub fn delivering(world: &World<'_>, script: Script, delivery: Delivery) -> Self {
        let (script, stop) = (Arc::new(script), CancellationToken::new());
        let services = world.services(&script, &stop);
        let chain = services
            .chains
            .values()
            .next()
            .cloned()
            .expect("one chain is served");
        let (lane, handle) = ChainLane::new(services.clone(), chain, LaneOptions::default());
        let reactions: Vec<Arc<dyn React>> = vec![
            Arc::new(OpenAccount::new(services.clone())),
            Arc::new(AdvanceTransfer::new(services.clone())),
            Arc::new(FeedLane::new(services.clone(), handle.clone())),
            Arc::new(WatchAccounts::new(handle)),
        ];
        Self {
            log: services.log.clone(),
            services,
            script,
            delivery,
            reactions,
            lane,
            cursors: BTreeMap::new(),
            stop,
        }
    }

    /// One round: what is new in the log, then one turn of the lane. Answers whether the process still lives.
    pub async fn step(&mut self) -> bool {
        let script = self.script.clone();
        tokio::select! {
            biased;
            () = script.death() => false,
            () = self.work() => !script.is_dead(),
        }
    }

    async fn work(&mut self) {
        if self.delivery == Delivery::Replayed {
            self.cursors.clear();
        }
        let shards: Vec<ShardNumber> = self
            .log
            .registry()
            .entries()
            .iter()
            .map(|entry| entry.number)
            .collect();
        for shard in shards {
            self.deliver(shard).await;
        }
        self.lane.turn().await;
    }

    /// Gives the reactions what they have not had; an event that cannot be reacted to is given again next time.
    async fn deliver(&mut self, shard: ShardNumber) {
        let cursor = self.cursors.get(&shard).copied().unwrap_or(0);
        let events = self
            .log
            .read_shard(shard, cursor, 10_000)
            .await
            .expect("a readable log");
        let times = if self.delivery == Delivery::Twice { 2 } else { 1 };
        for stored in events {
            let meanings = Event::read(&stored).expect("a readable event");
            for _ in 0..times {
                let wanted = |r: &&Arc<dyn React>| r.wants(&stored.envelope.event_type);
                for reaction in self.reactions.iter().filter(wanted) {
                    for event in &meanings {
                        match reaction.react(&stored, event).await {
                            Ok(()) | Err(ReactError::Command(CommandError::Refused(_))) => {}
                            Err(_) => return,
                        }
                    }
                }
            }
            self.cursors.insert(shard, stored.position);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lost() -> Box<dyn std::error::Error + Send + Sync> {
    "scripted".into()
}

/// An executor under a script.
pub struct ScriptedCommands(pub Executor, pub Arc<Script>);

#[async_trait]
impl Commands for ScriptedCommands {
    async fn execute(
        &self,
        context: CommandContext,
        use_case: Arc<dyn Transact>,
    ) -> Result<(), CommandError> {
        let call = || Commands::execute(&self.0, context.clone(), use_case.clone());
        let broken = || Err(CommandError::Unavailable(lost()));
        self.1.around(use_case.name(), call, broken).await
    }
}

/// A keystore under a script.
pub struct ScriptedKeys(pub Arc<Keystore>, pub Arc<Script>);

fn store_failed<T>() -> Result<T, KeyError> {
    Err(KeyError::Store {
        doing: "answer",
        source: lost(),
    })
}

#[async_trait]
impl AccountKeys for ScriptedKeys {
    async fn create(&self, account: AccountId, suite: KeySuite) -> Result<Vec<u8>, KeyError> {
        let call = || self.0.create(account, suite);
        self.1.around("keys.create", call, store_failed).await
    }
}

#[async_trait]
impl Signing for ScriptedKeys {
    async fn sign(&self, request: SignRequest) -> Result<Signature, KeyError> {
        let call = || self.0.sign(request.clone());
        self.1.around("keys.sign", call, store_failed).await
    }
}

/// A node under a script.
pub struct ScriptedNode(pub Arc<dyn ChainNode>, pub Arc<Script>);

fn no_answer<T>() -> Result<T, NodeError> {
    Err(NodeError::Unavailable("scripted".to_owned()))
}

#[async_trait]
impl ChainNode for ScriptedNode {
    async fn head(&self) -> Result<ChainHead, NodeError> {
        self.1.around("node.head", || self.0.head(), no_answer).await
    }
    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        let call = || self.0.block_at(height);
        self.1.around("node.block_at", call, no_answer).await
    }
    async fn block_by_hash(&self, hash: &str) -> Result<Option<Block>, NodeError> {
        let call = || self.0.block_by_hash(hash);
        self.1.around("node.block_by_hash", call, no_answer).await
    }
    async fn balance(&self, address: &str, asset: &AssetId, at: &BlockRef) -> Result<Amount, NodeError> {
        let call = || self.0.balance(address, asset, at);
        self.1.around("node.balance", call, no_answer).await
    }
    async fn slots_consumed(&self, address: &str, at: &BlockRef) -> Result<u64, NodeError> {
        let call = || self.0.slots_consumed(address, at);
        self.1.around("node.slots_consumed", call, no_answer).await
    }
    async fn quote_fee(&self) -> Result<FeeQuote, NodeError> {
        self.1
            .around("node.quote_fee", || self.0.quote_fee(), no_answer)
            .await
    }
    async fn estimate_work(&self, intent: &Intent) -> Result<u64, NodeError> {
        let call = || self.0.estimate_work(intent);
        self.1.around("node.estimate_work", call, no_answer).await
    }
    async fn transaction(&self, txid: &str) -> Result<TransactionView, NodeError> {
        let call = || self.0.transaction(txid);
        self.1.around("node.transaction", call, no_answer).await
    }
    async fn broadcast(&self, transaction: &RawTransaction) -> BroadcastAnswer {
        let broken = || BroadcastAnswer {
            outcome: BroadcastOutcome::Ambiguous,
            detail: "scripted".to_owned(),
            node: "scripted".to_owned(),
        };
        let call = || self.0.broadcast(transaction);
        self.1.around("node.broadcast", call, broken).await
    }
}
