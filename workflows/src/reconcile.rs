//! Reconciling a log that is behind its mark: what the log has forgotten, account by account, from marks and chains.
//!
//! Nothing is changed here. Three numbers tell of an account: the lowest slot value that the log never bound, the one
//! that marks say was never bound, and how many the chain has consumed. What lies between the first and the second was
//! signed and is forgotten; what the chain has consumed beyond both, nobody here knows of.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use vaultstream_domain::Event;
use vaultstream_domain::aggregate::OfState;
use vaultstream_domain::execution::{Execution, Slots};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_domain::ports::event_log::LogError;
use vaultstream_domain::vault::AccountEvent;
use vaultstream_event_schemas::chain::Plan;
use vaultstream_event_schemas::mark::MarkedBind;
use vaultstream_event_schemas::release::Release;
use vaultstream_event_schemas::{AccountId, ExecutionStatus, Family, ShardNumber, Slug};
use vaultstream_kernel::mark::lost::{Lost, LostError, lost};
use vaultstream_kernel::mark::release::statement;
use vaultstream_kernel::mark::{Looked, MarkError, MarkPorts, look};
use vaultstream_kernel::{LoadError, load_state};

use crate::services::Chain;

/// Events read at a time when accounts are looked for.
const PAGE: usize = 2_000;
/// Accounts whose chain is asked at once.
const AT_ONCE: usize = 16;

/// A slot value that was signed and is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostBind {
    /// What was bound.
    pub bind: MarkedBind,
    /// How far its execution is in the log; none when the log does not know it.
    pub status: Option<ExecutionStatus>,
    /// Whether the chain has consumed the slot.
    pub is_consumed: bool,
}

/// What was found of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The account.
    pub account: AccountId,
    /// Its chain.
    pub chain: Slug,
    /// Its address.
    pub address: String,
    /// The lowest slot value that the log never bound.
    pub in_log: u64,
    /// How many slots the chain has consumed at its tip.
    pub consumed: u64,
    /// What was signed and is forgotten, in order of slot value.
    pub lost: Vec<LostBind>,
    /// Slots that the chain has consumed and nothing here knows.
    pub unknown: u64,
}

impl Finding {
    /// Whether there is nothing to tell.
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.unknown == 0
    }

    /// Slot values of transactions that are not on chain and whose executions the log does not know: what comes after
    /// them waits until their requests come again.
    pub fn gaps(&self) -> Vec<u64> {
        let gap = |lost: &&LostBind| lost.status.is_none() && !lost.is_consumed;
        self.lost
            .iter()
            .filter(gap)
            .map(|lost| lost.bind.slot())
            .collect()
    }
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    /// What mark and log say.
    pub looked: Looked,
    /// What the log has forgotten.
    pub lost: Lost,
    /// Every account, in order.
    pub accounts: Vec<Finding>,
    /// What operators sign.
    pub statement: Release,
}

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Marks or log do not answer, or do not belong together.
    #[error(transparent)]
    Lost(#[from] LostError),
    /// The log does not answer.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A stream cannot be folded.
    #[error("a stream of the log cannot be read")]
    Load(#[from] LoadError),
    /// A chain does not answer.
    #[error("chain {chain} does not say how many slots of {address} are consumed")]
    Node {
        /// The chain.
        chain: Slug,
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: NodeError,
    },
    /// A chain is not configured any more.
    #[error("account {account} is on chain {chain}, which is not configured; put its section back")]
    NoChain {
        /// The account.
        account: AccountId,
        /// The chain.
        chain: String,
    },
}

impl From<MarkError> for ReconcileError {
    fn from(error: MarkError) -> Self {
        Self::Lost(error.into())
    }
}

/// Compares mark, log and chains.
pub async fn reconcile(
    ports: &MarkPorts,
    chains: &BTreeMap<Slug, Chain>,
) -> Result<Reconciliation, ReconcileError> {
    let looked = look(ports, None).await?;
    let lost = lost(ports, looked.mark.as_ref()).await?;
    let mut addresses = opened(ports.log.as_ref()).await?;
    for bind in &lost.binds {
        let Plan::Evm(plan) = &bind.plan;
        addresses.entry(bind.account).or_insert_with(|| plan.from.clone());
    }
    let find = |(account, address)| finding(ports.log.as_ref(), chains, &lost, account, address);
    let accounts: Vec<Finding> = futures::stream::iter(addresses)
        .map(find)
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let unknown = accounts.iter().filter(|found| found.unknown > 0);
    let unknown = unknown.map(|found| (found.account, found.unknown)).collect();
    let statement = statement(ports, &looked, &lost, unknown).await?;
    Ok(Reconciliation {
        looked,
        lost,
        accounts,
        statement,
    })
}

/// Every account that the log has opened, with its address.
async fn opened(log: &dyn EventLog) -> Result<BTreeMap<AccountId, String>, ReconcileError> {
    let mut all = BTreeMap::new();
    let registry = log.registry();
    let shards: BTreeSet<ShardNumber> = registry
        .entries()
        .iter()
        .filter(|entry| matches!(entry.family, Family::Chain(_)))
        .map(|entry| entry.number)
        .collect();
    for shard in shards {
        let mut after = 0;
        loop {
            let page = log.read_shard(shard, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for stored in page.iter().filter(|e| e.envelope.event_type == "account.opened") {
                let Ok(account) = AccountId::try_from(stored.envelope.stream) else {
                    continue;
                };
                for event in Event::read(stored).unwrap_or_default() {
                    if let Event::Account(AccountEvent::Opened(opened)) = event {
                        all.insert(account, opened.address);
                    }
                }
            }
        }
    }
    Ok(all)
}

async fn finding(
    log: &dyn EventLog,
    chains: &BTreeMap<Slug, Chain>,
    lost: &Lost,
    account: AccountId,
    address: String,
) -> Result<Finding, ReconcileError> {
    let registry = log.registry();
    let family = registry.entry(account.shard()).map(|entry| entry.family.clone());
    let found = match &family {
        Some(Family::Chain(slug)) => chains.get_key_value(slug),
        _ => None,
    };
    let Some((slug, chain)) = found else {
        let chain = family.map_or_else(|| "?".to_owned(), |family| family.to_string());
        return Err(ReconcileError::NoChain { account, chain });
    };
    let slots = load_state(log, account.slots().into()).await?;
    let in_log = Slots::of(&slots.state).map_or(0, |slots| slots.next);
    let consumed = consumed(slug, chain, &address).await?;
    let mut binds: Vec<LostBind> = Vec::new();
    for bind in lost.binds.iter().filter(|bind| bind.account == account) {
        let execution = load_state(log, bind.execution.into()).await?;
        binds.push(LostBind {
            bind: bind.clone(),
            status: Execution::of(&execution.state).and_then(|execution| execution.status),
            is_consumed: consumed > bind.slot(),
        });
    }
    binds.sort_by_key(|lost| lost.bind.slot());
    let marked = binds.last().map_or(0, |lost| lost.bind.slot() + 1);
    Ok(Finding {
        account,
        chain: slug.clone(),
        address,
        in_log,
        consumed,
        lost: binds,
        unknown: consumed.saturating_sub(in_log.max(marked)),
    })
}

async fn consumed(slug: &Slug, chain: &Chain, address: &str) -> Result<u64, ReconcileError> {
    let ask = async {
        let head = chain.node.head().await?;
        chain.node.slots_consumed(address, &head.tip.at).await
    };
    ask.await.map_err(|source| ReconcileError::Node {
        chain: slug.clone(),
        address: address.to_owned(),
        source,
    })
}
