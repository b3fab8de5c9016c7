//! Carries a transfer from its request to its execution: screening and the organization's setting, then, once it is
//! approved, the hand-over; and lets it lapse at its deadline.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Causes;
use vaultstream_domain::organization::Organization;
use vaultstream_domain::transfer::{
    ChangeTransfer, StartExecution, Transfer, TransferCommand, TransferEvent,
};
use vaultstream_domain::vault::Account;
use vaultstream_domain::{Event, Transact};
use vaultstream_event_schemas::chain::Intent;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::execution::v1::Queued;
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::transfer::v1;
use vaultstream_event_schemas::{AccountId, OrganizationId, Timestamp, TransferId, TransferStatus, VaultId};

use crate::reactor::{React, ReactError};
use crate::services::{CommandError, Services};
use crate::shared_load::SharedLoad;

/// How often deadlines are looked at.
const DEADLINE_TICK_MS: u64 = 1_000;

/// A deadline, ordered by time.
type Deadline = (Timestamp, TransferId, OrganizationId, VaultId, AccountId);

/// The reaction.
pub struct AdvanceTransfer {
    services: Services,
    organizations: SharedLoad<Organization>,
    deadlines: Mutex<BTreeSet<Deadline>>,
}

impl AdvanceTransfer {
    /// A reaction on these services.
    pub fn new(services: Services) -> Self {
        Self {
            organizations: SharedLoad::new(services.clone()),
            services,
            deadlines: Mutex::new(BTreeSet::new()),
        }
    }

    /// Remembers the deadline of a transfer that is open at start.
    pub async fn remember(
        &self,
        transfer: TransferId,
        organization: OrganizationId,
    ) -> Result<(), ReactError> {
        let state = self.services.load::<Transfer>(transfer).await?;
        if let (Some(request), Some(status)) = (state.request, state.status)
            && matches!(
                status,
                TransferStatus::Requested | TransferStatus::Screening | TransferStatus::AwaitingApproval
            )
        {
            self.watch(transfer, organization, &request);
        }
        Ok(())
    }

    fn watch(&self, transfer: TransferId, organization: OrganizationId, r: &v1::Requested) {
        self.keep((r.expires_at, transfer, organization, r.vault, r.account));
    }

    fn keep(&self, deadline: Deadline) {
        let mut deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
        deadlines.insert(deadline);
    }

    fn due(&self, now: Timestamp) -> Vec<Deadline> {
        let mut deadlines = self.deadlines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while deadlines.first().is_some_and(|(at, ..)| *at <= now) {
            due.extend(deadlines.pop_first());
        }
        due
    }

    /// Lets transfers lapse at their deadlines until `stop`; not while the log is in quarantine, which may have forgotten
    /// that they were paid.
    pub async fn run_deadlines(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let now = self.services.clock.now();
            if !self.services.barrier.is_quarantined() {
                for deadline in self.due(now) {
                    self.expire(deadline, now).await;
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.services.clock.sleep_ms(DEADLINE_TICK_MS) => {}
            }
        }
    }

    async fn expire(&self, deadline: Deadline, now: Timestamp) {
        let (_, transfer, organization, vault, account) = deadline;
        let command = TransferCommand::Expire { now };
        let change = ChangeTransfer {
            transfer,
            account,
            organization,
            vault,
            expected: None,
            command,
        };
        let context = self.services.context("expire_transfer", None, None);
        if let Err(CommandError::Unavailable(error)) =
            self.services.commands.execute(context, Arc::new(change)).await
        {
            tracing::warn!(%transfer, error = %Causes(error.as_ref()), "deadline not recorded; trying again");
            self.keep(deadline);
        }
    }

    async fn screen(
        &self,
        stored: &StoredEvent,
        transfer: TransferId,
        r: &v1::Requested,
    ) -> Result<(), ReactError> {
        self.watch(transfer, stored.envelope.organization, r);
        let organization = self
            .organizations
            .get(stored.envelope.organization.into())
            .await?;
        let (approvals_needed, rule) = match organization.approval {
            Some(Approval::None) => (0, "the organization asks for no approval"),
            // An organization that cannot be read asks for an approval: a failure never loosens a rule.
            Some(Approval::One) | None => (1, "the organization asks for one approval"),
        };
        let command = TransferCommand::RecordScreening(v1::Screened {
            approvals_needed,
            rule: rule.to_owned(),
        });
        self.execute(
            stored,
            ChangeTransfer {
                transfer,
                account: r.account,
                organization: stored.envelope.organization,
                vault: r.vault,
                expected: None,
                command,
            },
        )
        .await
    }

    async fn start(&self, stored: &StoredEvent, transfer: TransferId) -> Result<(), ReactError> {
        let state = self.services.load::<Transfer>(transfer).await?;
        let (Some(request), Some(TransferStatus::Approved)) = (state.request, state.status) else {
            return Ok(());
        };
        let account = self.services.load::<Account>(request.account).await?;
        let source = account
            .address
            .ok_or_else(|| ReactError::service(format!("account {} has no address", request.account)))?;
        let queued = Queued {
            account: request.account,
            chain: request.asset.chain(),
            intent: Intent {
                amount: request.amount,
                asset: request.asset,
                destination: request.destination,
                source,
            },
            transfers: vec![transfer],
        };
        let organization = stored.envelope.organization;
        self.execute(
            stored,
            StartExecution {
                transfer,
                organization,
                vault: request.vault,
                queued,
            },
        )
        .await?;
        self.services.boundary.passed("queued");
        Ok(())
    }

    async fn execute(
        &self,
        stored: &StoredEvent,
        use_case: impl Transact + 'static,
    ) -> Result<(), ReactError> {
        let context = self.services.context(
            self.name(),
            Some(stored.envelope.event_ref()),
            stored.envelope.trace.clone(),
        );
        Ok(self
            .services
            .commands
            .execute(context, Arc::new(use_case))
            .await?)
    }
}

#[async_trait]
impl React for AdvanceTransfer {
    fn name(&self) -> &'static str {
        "advance_transfer"
    }
    fn wants(&self, event_type: &str) -> bool {
        matches!(
            event_type,
            "transfer.requested" | "transfer.screened" | "transfer.approved"
        )
    }
    async fn react(&self, stored: &StoredEvent, event: &Event) -> Result<(), ReactError> {
        let Event::Transfer(event) = event else {
            return Ok(());
        };
        let transfer = TransferId::try_from(stored.envelope.stream).map_err(ReactError::service)?;
        match event {
            TransferEvent::Requested(request) => self.screen(stored, transfer, request).await,
            TransferEvent::Screened(screened) if screened.approvals_needed == 0 => {
                self.start(stored, transfer).await
            }
            TransferEvent::Approved(_) => self.start(stored, transfer).await,
            _ => Ok(()),
        }
    }
}
