//! Anything by its id: the prefix says what it is, the caller's tenant says whether there is one.

use async_graphql::{Context, ID, Interface};
use vaultstream_event_schemas::id::{IdError, StreamKind};
use vaultstream_event_schemas::{AccountId, ExecutionId, StreamId, TransferId, VaultId};

use super::account::Account;
use super::execution::Execution;
use super::moment::Moment;
use super::organization::Organization;
use super::transfer::Transfer;
use super::vault::Vault;
use super::{caller, services};
use crate::refusal::Refusal;

/// Anything with an id of its own. Ids are global: their prefix says what they name.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The id."))]
pub enum Node {
    /// An account.
    Account(Account),
    /// An execution.
    Execution(Execution),
    /// The caller's organization.
    Organization(Organization),
    /// A transfer.
    Transfer(Transfer),
    /// A vault.
    Vault(Vault),
}

/// Finds a node of the caller.
pub async fn node(ctx: &Context<'_>, id: &str, moment: &Moment) -> async_graphql::Result<Node> {
    let stream: StreamId = id.parse().map_err(|e| no_id("id", &e))?;
    let missing = || Refusal::not_found("id");
    Ok(match stream.kind {
        StreamKind::Vault => Node::Vault(Vault::load(ctx, VaultId::from_uuid(stream.id), moment).await?),
        StreamKind::Account => {
            Node::Account(Account::load(ctx, AccountId::from_uuid(stream.id), moment).await?)
        }
        StreamKind::Transfer => {
            Node::Transfer(Transfer::load(ctx, TransferId::from_uuid(stream.id), moment).await?)
        }
        StreamKind::Execution => {
            let caller = caller(ctx)?;
            caller.require("transfers:read")?;
            let id = ExecutionId::from_uuid(stream.id);
            let row = match moment {
                Moment::Now => services(ctx)
                    .reads
                    .execution(caller.organization, id)
                    .await
                    .map_err(Refusal::from)?,
                Moment::Then(past) => past.execution(id).await?,
            };
            Node::Execution(Execution::new(row.ok_or_else(missing)?, moment))
        }
        StreamKind::Organization => {
            moment.only_now("organizations")?;
            let own = caller(ctx)?.organization;
            if own.stream() != stream {
                return Err(missing().into());
            }
            let row = services(ctx)
                .reads
                .organization(own)
                .await
                .map_err(Refusal::from)?;
            Node::Organization(row.ok_or_else(missing)?.into())
        }
        _ => return Err(missing().into()),
    })
}

/// A text that is no id, as the argument it came in.
pub fn no_id(field: &str, error: &IdError) -> Refusal {
    Refusal::field(field, error.to_string())
}
