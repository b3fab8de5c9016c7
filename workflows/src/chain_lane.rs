//! A chain's lane: follows its head, carries its executions, reads its accounts' balances.
//!
//! One loop does it all in a fixed order, so that it can be driven step by step: take in new work, follow the head,
//! send what is ready, look at what is under way, read balances. Executions of one account go out one after another,
//! because their slot values are given in order; accounts go out side by side. Everything is bounded: the inbox, the
//! concurrency towards the node, the balances read per head. Behind a closed barrier the head is followed and balances are
//! read, and nothing else is done.

mod balances;
mod finality;
mod intake;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vaultstream_chain_evm::HeadRing;
use vaultstream_chain_evm::head_ring::{HeadUpdate, ReadBlocks};
use vaultstream_domain::error::Causes;
use vaultstream_domain::execution::{ExecutionCommand, RecordExecution};
use vaultstream_domain::ports::ChainNode;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::chain::{Block, ChainHead};
use vaultstream_event_schemas::execution::v1;
use vaultstream_event_schemas::{AccountId, ExecutionId};

use crate::services::{Chain, CommandError, Services};
use crate::settle_execution::{Followed, Job, SettleError, SettleExecution, Step};

use finality::Noted;
pub use intake::{FeedLane, LaneMessage, WatchAccounts, WatchedAccount, resumed_job};

use intake::job_of;

/// How a lane behaves.
#[derive(Debug, Clone)]
pub struct LaneOptions {
    /// How often the head is asked for.
    pub poll_ms: u64,
    /// Requests to the node under way at once.
    pub concurrency: usize,
    /// Accounts whose balances are read per head, besides those with executions under way.
    pub balances_per_head: usize,
    /// Blocks without inclusion after which an execution counts as stuck.
    pub stuck_after_blocks: u64,
}

impl Default for LaneOptions {
    fn default() -> Self {
        Self {
            poll_ms: 200,
            concurrency: 16,
            balances_per_head: 256,
            stuck_after_blocks: 600,
        }
    }
}

/// Work waiting for a lane, at most.
const INBOX: usize = 4_096;
/// Executions concluded last whose accounts are read at every head: what they moved is news.
const CONCLUDED: usize = 64;
/// Executions sent per account and turn, so that following is not starved.
const SENT_PER_TURN: usize = 32;

/// Gives a lane work.
#[derive(Clone)]
pub struct LaneHandle {
    inbox: mpsc::Sender<LaneMessage>,
    head: tokio::sync::watch::Receiver<Option<ChainHead>>,
}

impl LaneHandle {
    /// Where the followed chain stands; `None` before the node first answered.
    pub fn head(&self) -> tokio::sync::watch::Receiver<Option<ChainHead>> {
        self.head.clone()
    }
}

/// An execution under way.
struct Open {
    job: Job,
    step: Option<Step>,
    since: Option<u64>,
}

/// The lane.
pub struct ChainLane {
    services: Services,
    chain: Chain,
    options: LaneOptions,
    saga: SettleExecution,
    inbox: mpsc::Receiver<LaneMessage>,
    announce: tokio::sync::watch::Sender<Option<ChainHead>>,
    ring: HeadRing,
    open: BTreeMap<ExecutionId, Open>,
    accounts: HashMap<AccountId, WatchedAccount>,
    rotation: VecDeque<AccountId>,
    concluded: VecDeque<AccountId>,
    finality: Noted,
    has_recalled: bool,
}

/// The node as the ring reads it.
struct Blocks<'a>(&'a dyn ChainNode);

impl ReadBlocks for Blocks<'_> {
    type Error = NodeError;
    async fn head(&self) -> Result<ChainHead, NodeError> {
        self.0.head().await
    }
    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        self.0.block_at(height).await
    }
    async fn block_by_hash(&self, hash: &str) -> Result<Option<Block>, NodeError> {
        self.0.block_by_hash(hash).await
    }
}

impl ChainLane {
    /// A lane for a chain, and the handle that gives it work.
    pub fn new(services: Services, chain: Chain, options: LaneOptions) -> (Self, LaneHandle) {
        let (sender, inbox) = mpsc::channel(INBOX);
        let (announce, head) = tokio::sync::watch::channel(None);
        let saga = SettleExecution::new(services.clone(), chain.clone());
        let lane = Self {
            services,
            chain,
            options,
            saga,
            inbox,
            announce,
            ring: HeadRing::new(),
            open: BTreeMap::new(),
            accounts: HashMap::new(),
            rotation: VecDeque::new(),
            concluded: VecDeque::new(),
            finality: Noted::default(),
            has_recalled: false,
        };
        (lane, LaneHandle { inbox: sender, head })
    }

    fn note(&self) -> String {
        format!("head/{}", self.chain.settings.slug)
    }

    /// What lanes before this one have noted.
    async fn recall(&mut self) {
        if !std::mem::replace(&mut self.has_recalled, true) {
            self.recall_ring().await;
            self.recall_finality().await;
        }
    }

    async fn recall_ring(&mut self) {
        let why = match self.services.progress.load(&self.note()).await {
            Ok(Some(bytes)) => match HeadRing::from_bytes(&bytes) {
                Ok(ring) => {
                    self.ring = ring;
                    return;
                }
                Err(error) => error.to_string(),
            },
            Ok(None) => return,
            Err(error) => Causes(&error).to_string(),
        };
        tracing::warn!(chain = %self.chain.settings.slug, %why, "remembered head not readable; following anew");
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                message = self.inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                () = self.services.clock.sleep_ms(self.options.poll_ms) => {}
            }
            self.turn().await;
        }
    }

    /// One turn of the loop, without waiting for anything new.
    pub async fn turn(&mut self) {
        self.recall().await;
        while let Ok(message) = self.inbox.try_recv() {
            self.take(message);
        }
        let update = self.follow_head().await;
        self.send_out().await;
        if let Some(update) = update {
            self.after(update).await;
        }
    }

    fn take(&mut self, message: LaneMessage) {
        match message {
            LaneMessage::Execution(job) => {
                let open = Open {
                    job,
                    step: None,
                    since: None,
                };
                self.open.entry(open.job.scope.execution).or_insert(open);
            }
            LaneMessage::Account(account) => {
                if self.accounts.insert(account.account, account.clone()).is_none() {
                    self.rotation.push_front(account.account);
                }
            }
        }
    }

    /// Asks for the head; answers an update when the chain moved, or at the first answer.
    async fn follow_head(&mut self) -> Option<HeadUpdate> {
        let update = match self.ring.advance(&Blocks(self.chain.node.as_ref())).await {
            Ok(update) => update,
            Err(error) => {
                tracing::debug!(chain = %self.chain.settings.slug, error = %Causes(&error), "the head cannot be followed now");
                return None;
            }
        };
        let first = self.announce.borrow().is_none();
        let moved = !update.attached.is_empty() || !update.detached.is_empty();
        let finality = self
            .announce
            .borrow()
            .as_ref()
            .is_some_and(|h| h.finalized != update.head.finalized);
        if !(first || moved || finality) {
            return None;
        }
        if !update.detached.is_empty() {
            tracing::warn!(chain = %self.chain.settings.slug, blocks = update.detached.len(), "blocks were detached");
        }
        self.announce.send_replace(Some(update.head.clone()));
        // A ring that is kept before what it shows is noted would hide a breach from the next lane.
        if self.keep_finality(&update).await {
            let (note, ring) = (self.note(), self.ring.to_bytes());
            if let Err(error) = self.services.progress.save(&note, &ring).await {
                tracing::warn!(chain = %self.chain.settings.slug, error = %Causes(&error), "head not kept; a restart follows it anew");
            }
        }
        Some(update)
    }

    /// Sends what waits to go out: accounts side by side, the executions of one account in order of their ids' age.
    async fn send_out(&mut self) {
        if !self.services.barrier.is_open() {
            return;
        }
        let mut by_account: BTreeMap<AccountId, Vec<Job>> = BTreeMap::new();
        for open in self
            .open
            .values()
            .filter(|o| !matches!(o.step, Some(Step::Follow | Step::Done)))
        {
            let jobs = by_account.entry(open.job.scope.account).or_default();
            if jobs.len() < SENT_PER_TURN {
                jobs.push(open.job.clone());
            }
        }
        let saga = &self.saga;
        let results: Vec<_> = futures::stream::iter(by_account.into_values())
            .map(|jobs| send_in_order(saga, jobs))
            .buffer_unordered(self.options.concurrency)
            .collect()
            .await;
        for (execution, step) in results.into_iter().flatten() {
            if step == Step::Done {
                self.open.remove(&execution);
            } else if let Some(open) = self.open.get_mut(&execution) {
                open.step = Some(step);
            }
        }
    }

    /// What a new head asks for.
    async fn after(&mut self, update: HeadUpdate) {
        self.undo_breached().await;
        if self.services.barrier.is_open() {
            self.look_at_open(&update.head).await;
        }
        self.read_balances(&update.head.tip.at).await;
    }

    async fn look_at_open(&mut self, head: &ChainHead) {
        let jobs: Vec<Job> = self
            .open
            .values()
            .filter(|o| o.step == Some(Step::Follow))
            .map(|o| o.job.clone())
            .collect();
        let (saga, ring) = (&self.saga, &self.ring);
        let results: Vec<_> = futures::stream::iter(jobs)
            .map(|job| async move { (saga.follow(&job, head, ring).await, job) })
            .buffer_unordered(self.options.concurrency)
            .collect()
            .await;
        for (result, job) in results {
            self.settle_result(result, &job, head).await;
        }
    }

    async fn settle_result(&mut self, result: Result<Followed, SettleError>, job: &Job, head: &ChainHead) {
        let execution = job.scope.execution;
        match result {
            Ok(Followed::Open) => self.mind_stuck(job, head).await,
            Ok(Followed::Done) => {
                self.open.remove(&execution);
                self.concluded.push_back(job.scope.account);
                if self.concluded.len() > CONCLUDED {
                    self.concluded.pop_front();
                }
            }
            Err(error) => {
                tracing::debug!(%execution, error = %Causes(&error), "not followed now; trying again");
            }
        }
    }

    /// An execution without inclusion for too many blocks is marked once, for people to look at.
    async fn mind_stuck(&mut self, job: &Job, head: &ChainHead) {
        let Some(open) = self.open.get_mut(&job.scope.execution) else {
            return;
        };
        let height = head.tip.at.height;
        let since = *open.since.get_or_insert(height);
        if height.saturating_sub(since) < self.options.stuck_after_blocks {
            return;
        }
        open.since = Some(height);
        let detail = format!("no final block for {} blocks", height - since);
        let command = ExecutionCommand::MarkStuck(v1::Stuck { detail });
        let marked = RecordExecution {
            scope: job.scope,
            command,
        };
        if let Err(error) = self.run_command(marked, job).await {
            tracing::warn!(execution = %job.scope.execution, error = %Causes(&error), "not recorded now");
        }
    }

    async fn run_command(
        &self,
        use_case: impl vaultstream_domain::Transact + 'static,
        job: &Job,
    ) -> Result<(), CommandError> {
        let context = self.services.context("chain_lane", None, job.trace.clone());
        self.services.commands.execute(context, Arc::new(use_case)).await
    }
}

/// Sends the executions of one account in order; stops at the first that is not done, so that a later slot value never
/// overtakes an earlier one.
async fn send_in_order(saga: &SettleExecution, jobs: Vec<Job>) -> Vec<(ExecutionId, Step)> {
    let mut done = Vec::with_capacity(jobs.len());
    for job in jobs {
        match saga.advance(&job).await {
            Ok(step) => done.push((job.scope.execution, step)),
            Err(error) => {
                tracing::warn!(execution = %job.scope.execution, error = %Causes(&error), "not sent now; trying again");
                break;
            }
        }
    }
    done
}
