//! What a release writes into the log: what every account has forgotten, then that operators released it.
//!
//! Each step can be begun again anywhere, because nothing is written twice. Neither ends the quarantine: only the mark does,
//! which is kept behind both ([`end`](vaultstream_kernel::mark::release::end)).

use std::collections::BTreeMap;
use std::sync::Arc;

use vaultstream_domain::execution::{MAX_LOST_AT_ONCE, RecordLostSlots};
use vaultstream_domain::platform::{ReleaseRewind, platform_organization, rewind_id};
use vaultstream_domain::ports::Ids;
use vaultstream_domain::{CommandContext, Transact};
use vaultstream_event_schemas::execution::v1::SlotLost;
use vaultstream_event_schemas::mark::MarkedBind;
use vaultstream_event_schemas::platform::v1::RewindReleased;
use vaultstream_event_schemas::release::Release;
use vaultstream_event_schemas::{AccountId, Actor, CommandId, Registry};

use crate::services::{CommandError, Commands};

/// The actor of what is written here.
const ACTOR: &str = "release";

/// Why a release is not in the log yet; give it again.
#[derive(Debug, thiserror::Error)]
pub enum WriteReleaseError {
    /// An account does not know what it has forgotten.
    #[error("account {account} cannot be told what it has forgotten")]
    Account {
        /// The account.
        account: AccountId,
        /// Why.
        #[source]
        source: CommandError,
    },
    /// Every account knows it, and the release is no event yet.
    #[error("the release cannot be recorded")]
    Record(#[source] CommandError),
}

/// What writes a release.
pub struct WriteRelease<'a> {
    /// The shards.
    pub registry: &'a Registry,
    /// Runs use cases.
    pub commands: &'a dyn Commands,
    /// Identities of commands.
    pub ids: &'a dyn Ids,
}

impl WriteRelease<'_> {
    /// Writes what was stated and who signed it; `lost` is what the log has forgotten.
    pub async fn write(
        &self,
        lost: &[MarkedBind],
        stated: &Release,
        operators: &[String],
    ) -> Result<(), WriteReleaseError> {
        #[cfg(feature = "planted")]
        let lost: &[MarkedBind] =
            if vaultstream_kernel::planted::is_on(vaultstream_kernel::planted::Bug::ForgetLost) {
                &[]
            } else {
                lost
            };
        self.remember(lost).await?;
        self.record(stated, operators).await
    }

    /// Tells every account what it has forgotten.
    async fn remember(&self, lost: &[MarkedBind]) -> Result<(), WriteReleaseError> {
        let mut accounts: BTreeMap<AccountId, Vec<&MarkedBind>> = BTreeMap::new();
        for bind in lost {
            accounts.entry(bind.account).or_default().push(bind);
        }
        for (account, binds) in accounts {
            for some in binds.chunks(MAX_LOST_AT_ONCE) {
                let Some(first) = some.first() else { continue };
                let forgotten = some.iter().map(|bind| SlotLost {
                    digest: bind.digest.clone(),
                    execution: bind.execution,
                    plan: bind.plan.clone(),
                });
                let use_case = RecordLostSlots {
                    account,
                    organization: first.organization,
                    vault: first.vault,
                    lost: forgotten.collect(),
                };
                let told = self.execute(use_case).await;
                told.map_err(|source| WriteReleaseError::Account { account, source })?;
            }
        }
        Ok(())
    }

    /// Writes the release into the platform's stream.
    async fn record(&self, stated: &Release, operators: &[String]) -> Result<(), WriteReleaseError> {
        let statement = stated.hash();
        let use_case = ReleaseRewind {
            id: rewind_id(self.registry, &statement),
            organization: platform_organization(self.registry),
            released: RewindReleased {
                lost: stated.lost,
                mark: stated
                    .mark
                    .map_or_else(|| "none".to_owned(), |mark| mark.to_string()),
                operators: operators.to_vec(),
                statement: hex::encode(statement),
            },
        };
        self.execute(use_case).await.map_err(WriteReleaseError::Record)
    }

    async fn execute(&self, use_case: impl Transact + 'static) -> Result<(), CommandError> {
        let context = CommandContext {
            actor: Actor::system(ACTOR),
            command: CommandId::from_uuid(self.ids.next()),
            causation: None,
            trace: None,
        };
        self.commands.execute(context, Arc::new(use_case)).await
    }
}
