//! Transfers and their executions as they are answered, read from the transfer's own events.

use vaultstream_client::{Approver, Execution, Failure, Transfer};
use vaultstream_domain::execution::ExecutionState;
use vaultstream_domain::ports::event_log::MAX_READ;
use vaultstream_domain::ports::keyring::{KeyringError, open};
use vaultstream_domain::ports::{EventLog, Keyring};
use vaultstream_domain::transfer::{Transfer as Aggregate, TransferEvent, TransferState};
use vaultstream_domain::{Decider, Event, State};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::sealed::Sealed;
use vaultstream_event_schemas::transfer::v1::Memo;
use vaultstream_event_schemas::{ErrorCode, ExecutionId, ExecutionStatus, OrganizationId, TransferId};
use vaultstream_kernel::load_state;

use super::not_found;
use crate::catalogue::{Catalogue, ChainHeads};
use crate::error::ApiError;

/// Where the parts of a transfer's answer come from.
#[derive(Clone, Copy)]
pub struct TransferSources<'a> {
    /// The events.
    pub log: &'a dyn EventLog,
    /// Opens the memo.
    pub keyring: &'a dyn Keyring,
    /// Decimals and native assets.
    pub catalogue: &'a Catalogue,
    /// How deep blocks are.
    pub heads: &'a dyn ChainHeads,
}

/// A transfer of an organization, as fresh as the log.
pub async fn transfer(
    sources: TransferSources<'_>,
    id: TransferId,
    organization: OrganizationId,
) -> Result<Transfer, ApiError> {
    if sources.log.registry().entry(id.shard()).is_none() {
        return Err(not_found());
    }
    let events = sources.log.read_stream(id.into(), 0, MAX_READ).await?;
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Err(not_found());
    };
    if first.envelope.organization != organization {
        return Err(not_found());
    }
    let story = Story::read(&events)?;
    let request = story.state.request.as_ref().ok_or_else(not_found)?;
    let note = note(sources.keyring, request.memo.as_ref(), story.state.is_memo_erased).await?;
    let mut executions = Vec::new();
    if let Some(id) = story.state.execution
        && let State::Execution(state) = load_state(sources.log, id.into()).await?.state
    {
        executions.push(execution(sources, id, &state));
    }
    Ok(Transfer {
        id,
        organization_id: organization,
        vault_id: request.vault,
        account_id: request.account,
        status: story.state.status.ok_or_else(not_found)?,
        amount: sources.catalogue.amount(&request.asset, request.amount),
        destination: request.destination.clone(),
        external_id: request.external_id.clone(),
        memo_erased: note == Note::Erased,
        memo: note.text(),
        fee_max: request
            .fee_max
            .and_then(|fee| sources.catalogue.native_amount(&request.asset.chain(), fee)),
        approvals_needed: story.screened.then_some(story.state.approvals_needed),
        approvals: story.approvals,
        failure: story.failure,
        expires_at: request.expires_at,
        created_at: first.envelope.occurred_at,
        updated_at: last.envelope.occurred_at,
        executions,
        version: last.envelope.sequence,
        token: None,
    })
}

/// What became of the note of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// There never was one.
    None,
    /// It says this.
    Says(String),
    /// Its key is gone: nobody can read it any more. The transfer goes on without it.
    Erased,
}

impl Note {
    /// What it says, when it can be read.
    pub fn text(self) -> Option<String> {
        match self {
            Self::Says(text) => Some(text),
            Self::None | Self::Erased => None,
        }
    }
}

/// Opens the note of a transfer. The log's word that it was erased counts more than a key that has come back.
pub async fn note(
    keyring: &dyn Keyring,
    sealed: Option<&Sealed<Memo>>,
    is_erased: bool,
) -> Result<Note, KeyringError> {
    let Some(sealed) = sealed.filter(|_| !is_erased) else {
        return Ok(if is_erased { Note::Erased } else { Note::None });
    };
    match open(keyring, sealed).await {
        Ok(memo) => Ok(Note::Says(memo.0)),
        Err(KeyringError::Erased(_)) => Ok(Note::Erased),
        Err(KeyringError::Absent(subject)) => {
            // Kept apart from backups on purpose: whoever puts the log back without the keys has erased them all.
            tracing::warn!(
                subject,
                "there is no key of this subject; what it sealed is read as erased"
            );
            Ok(Note::Erased)
        }
        Err(error) => Err(error),
    }
}

/// An execution as it is answered.
pub fn execution(sources: TransferSources<'_>, id: ExecutionId, state: &ExecutionState) -> Execution {
    let chain = state.queued.as_ref().map(|q| &q.chain);
    let inclusion = state.inclusion.as_ref();
    let tip = chain
        .and_then(|chain| sources.heads.head(chain))
        .map(|head| head.tip.at.height);
    let depth = |height: u64| tip.and_then(|tip| tip.checked_sub(height)).map(|deep| deep + 1);
    let txid = inclusion
        .map(|i| &i.txid)
        .or_else(|| state.attempts.last().map(|a| &a.transaction.txid));
    Execution {
        id,
        status: state.status.unwrap_or(ExecutionStatus::Queued),
        txid: txid.cloned(),
        attempts: u32::try_from(state.attempts.len()).unwrap_or(u32::MAX),
        confirmations: inclusion.and_then(|i| depth(i.block.height)),
        block: inclusion.map(|i| i.block.clone()),
        fee: inclusion.and_then(|i| sources.catalogue.native_amount(chain?, i.fee)),
    }
}

/// What a transfer's events say besides its folded state.
#[derive(Default)]
struct Story {
    state: TransferState,
    screened: bool,
    approvals: Vec<Approver>,
    failure: Option<Failure>,
}

impl Story {
    fn read(events: &[StoredEvent]) -> Result<Self, ApiError> {
        let mut story = Self::default();
        for stored in events {
            for event in Event::read(stored)? {
                if let Event::Transfer(event) = event {
                    story.tell(stored, &event);
                }
            }
        }
        Ok(story)
    }

    fn tell(&mut self, stored: &StoredEvent, event: &TransferEvent) {
        Aggregate::evolve(&mut self.state, event);
        match event {
            TransferEvent::Screened(_) => self.screened = true,
            TransferEvent::Approved(_) => self.approvals.push(Approver {
                actor: stored.envelope.actor.clone(),
                at: Some(stored.envelope.occurred_at),
            }),
            TransferEvent::Denied(e) => self.fail(None, &e.reason),
            TransferEvent::Cancelled(e) => self.fail(None, &e.reason),
            TransferEvent::Expired(e) => {
                self.fail(None, &format!("nobody approved it before {}", e.deadline));
            }
            TransferEvent::Failed(e) => self.fail(ErrorCode::parse(&e.code), &e.detail),
            TransferEvent::Reversed(e) => {
                self.fail(
                    None,
                    &format!("its chain undid transaction {} in block {}", e.txid, e.block.hash),
                );
            }
            TransferEvent::Requested(_)
            | TransferEvent::MemoErased(_)
            | TransferEvent::ExecutionStarted(_)
            | TransferEvent::Completed(_) => {}
        }
    }

    fn fail(&mut self, code: Option<ErrorCode>, detail: &str) {
        self.failure = Some(Failure {
            code,
            detail: detail.to_owned(),
        });
    }
}
