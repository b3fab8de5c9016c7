//! How work reaches a lane: from events as they come, and from the to-do view at start.

use async_trait::async_trait;
use vaultstream_domain::Event;
use vaultstream_domain::execution::{Execution, ExecutionEvent, ExecutionScope};
use vaultstream_domain::vault::{Account, AccountEvent};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{AccountId, ExecutionId, OrganizationId, VaultId};

use super::LaneHandle;
use crate::reactor::{React, ReactError};
use crate::services::Services;
use crate::settle_execution::Job;

/// An account whose balances are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedAccount {
    /// Which.
    pub account: AccountId,
    /// Its address.
    pub address: String,
    /// The tenant.
    pub organization: OrganizationId,
    /// The vault that owns it.
    pub vault: VaultId,
}

/// Work for a lane.
#[derive(Debug, Clone)]
pub enum LaneMessage {
    /// An execution to carry.
    Execution(Job),
    /// An account to watch.
    Account(WatchedAccount),
}

impl LaneHandle {
    /// Hands work over; waits while the lane's inbox is full.
    pub async fn send(&self, message: LaneMessage) -> Result<(), ReactError> {
        self.inbox
            .send(message)
            .await
            .map_err(|_| ReactError::service("the chain's lane has stopped"))
    }
}

/// The job of an execution that was under way when its work was last put down, under the trace it was queued under;
/// `None` when it was never queued.
pub async fn resumed_job(
    services: &Services,
    execution: ExecutionId,
    organization: OrganizationId,
) -> Result<Option<Job>, ReactError> {
    // An execution begins by being queued.
    let first = services.log.read_stream(execution.into(), 0, 1).await;
    let first = first.map_err(ReactError::service)?;
    let trace = first.into_iter().next().and_then(|event| event.envelope.trace);
    job_of(services, execution, organization, trace).await
}

/// The job of an execution that is in the log; `None` when it was never queued.
pub(super) async fn job_of(
    services: &Services,
    execution: ExecutionId,
    organization: OrganizationId,
    trace: Option<String>,
) -> Result<Option<Job>, ReactError> {
    let state = services.load::<Execution>(execution).await?;
    let Some(queued) = state.queued else {
        return Ok(None);
    };
    let account = services.load::<Account>(queued.account).await?;
    let vault = account
        .vault
        .ok_or_else(|| ReactError::service(format!("account {} has no vault", queued.account)))?;
    let scope = ExecutionScope {
        execution,
        account: queued.account,
        organization,
        vault,
    };
    Ok(Some(Job {
        scope,
        transfers: queued.transfers,
        trace,
    }))
}

/// The reaction that feeds a lane. It is done when the lane has the work in memory: what is not over at the next start
/// comes back from the to-do view.
pub struct FeedLane {
    services: Services,
    lane: LaneHandle,
}

impl FeedLane {
    /// Feeds this lane.
    pub const fn new(services: Services, lane: LaneHandle) -> Self {
        Self { services, lane }
    }
}

#[async_trait]
impl React for FeedLane {
    fn name(&self) -> &'static str {
        "settle_execution"
    }
    fn wants(&self, event_type: &str) -> bool {
        event_type == "execution.queued"
    }
    async fn react(&self, stored: &StoredEvent, event: &Event) -> Result<(), ReactError> {
        let envelope = &stored.envelope;
        let bad = |e: vaultstream_event_schemas::IdError| ReactError::service(e);
        match event {
            Event::Execution(ExecutionEvent::Queued(_)) => {
                let execution = ExecutionId::try_from(envelope.stream).map_err(bad)?;
                let (organization, trace) = (envelope.organization, envelope.trace.clone());
                match job_of(&self.services, execution, organization, trace).await? {
                    Some(job) => self.lane.send(LaneMessage::Execution(job)).await,
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// The reaction that tells a lane which accounts to watch. It reads its shard from the beginning at every start, because
/// the lane's list of accounts is memory only.
pub struct WatchAccounts {
    lane: LaneHandle,
}

impl WatchAccounts {
    /// Tells this lane.
    pub const fn new(lane: LaneHandle) -> Self {
        Self { lane }
    }
}

#[async_trait]
impl React for WatchAccounts {
    fn name(&self) -> &'static str {
        "watch_accounts"
    }
    fn wants(&self, event_type: &str) -> bool {
        event_type == "account.opened"
    }
    async fn react(&self, stored: &StoredEvent, event: &Event) -> Result<(), ReactError> {
        let envelope = &stored.envelope;
        let (Event::Account(AccountEvent::Opened(opened)), Some(vault)) = (event, envelope.owner.vault())
        else {
            return Ok(());
        };
        let account = AccountId::try_from(envelope.stream).map_err(ReactError::service)?;
        let (address, organization) = (opened.address.clone(), envelope.organization);
        self.lane
            .send(LaneMessage::Account(WatchedAccount {
                account,
                address,
                organization,
                vault,
            }))
            .await
    }
}
