//! Transfers and lists of them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use vaultstream_event_schemas::{AssetId, ChainId, TransferId};
use vaultstream_gateway::resource::{Note, note};
use vaultstream_projectors::read;

use super::account::Account;
use super::asset::{Block, Money};
use super::chain::Chain;
use super::connection::{List, connection};
use super::execution::Execution;
use super::moment::Moment;
use super::scalar::{Timestamp, int};
use super::timeline::{TimelineConnection, Window, timeline};
use super::vault::Vault;
use super::{caller, services};
use crate::limits::entries_cost;
use crate::refusal::Refusal;

/// The life of a transfer.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(
    remote = "vaultstream_event_schemas::status::TransferStatus",
    rename_items = "snake_case"
)]
pub enum TransferStatus {
    /// Recorded; screening has not begun.
    Requested,
    /// Being screened.
    Screening,
    /// Waits for a person.
    AwaitingApproval,
    /// May be executed.
    Approved,
    /// An execution carries it to the chain.
    Executing,
    /// Final on chain.
    Completed,
    /// Ended without moving money, with the evidence.
    Failed,
    /// Denied by an approver or by screening.
    Rejected,
    /// Withdrawn before execution.
    Cancelled,
    /// Not approved in time.
    Expired,
    /// Was final and then undone by its chain.
    Reversed,
}

/// Which transfers; every condition that is set must hold.
#[derive(InputObject, Debug, Clone, Default)]
pub struct TransferFilter {
    /// Paid by this vault.
    vault_id: Option<ID>,
    /// In this status.
    status: Option<TransferStatus>,
    /// True: only transfers that are not over yet; false: only those that are.
    open: Option<bool>,
    /// CAIP-19 name of an asset.
    asset: Option<String>,
    /// CAIP-2 name of a chain.
    chain: Option<String>,
    /// Requested at or after this moment.
    requested_from: Option<Timestamp>,
    /// Requested before this moment.
    requested_until: Option<Timestamp>,
}

impl TransferFilter {
    /// The filter in the views' words.
    pub fn parsed(self) -> Result<read::TransferFilter, Refusal> {
        let refuse = |field: &'static str| move |detail: String| Refusal::field(field, detail);
        Ok(read::TransferFilter {
            vault: self.vault_id.map(|id| id.parse()).transpose().map_err(
                |e: vaultstream_event_schemas::id::IdError| refuse("filter.vaultId")(e.to_string()),
            )?,
            status: self.status.map(Into::into),
            open: self.open,
            asset: self
                .asset
                .map(|a| AssetId::try_new(&a))
                .transpose()
                .map_err(|e| refuse("filter.asset")(e.to_string()))?,
            chain: self
                .chain
                .map(|c| ChainId::try_new(&c))
                .transpose()
                .map_err(|e| refuse("filter.chain")(e.to_string()))?,
            created_from: self.requested_from.map(|t| t.0),
            created_until: self.requested_until.map(|t| t.0),
        })
    }
}

/// The order of a list of transfers.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[graphql(rename_items = "snake_case")]
pub enum TransferSort {
    /// Newest request first.
    #[default]
    Newest,
    /// Oldest request first.
    Oldest,
}

/// Why something ended badly.
#[derive(SimpleObject, Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// An error code such as `insufficient-funds`.
    pub code: String,
    /// What happened, in a sentence.
    pub detail: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl From<&vaultstream_projectors::rows::Failure> for Failure {
    fn from(failure: &vaultstream_projectors::rows::Failure) -> Self {
        let known = vaultstream_event_schemas::ErrorCode::parse(&failure.code);
        Self {
            code: failure.code.clone(),
            detail: failure.detail.clone(),
            remedy: known.map(|code| code.remedy().to_owned()),
        }
    }
}

/// A transfer: the intent to move money once.
#[derive(Debug, Clone)]
pub struct Transfer(pub Arc<read::Transfer>, pub Moment);

connection!(TransferConnection, TransferEdge, Transfer);

#[Object]
impl Transfer {
    /// The transfer.
    pub async fn id(&self) -> ID {
        ID::from(self.0.row.id)
    }

    /// Its state.
    async fn status(&self) -> TransferStatus {
        self.0.row.status.into()
    }

    /// Whether nothing more is expected to happen.
    async fn terminal(&self) -> bool {
        self.0.row.status.is_terminal()
    }

    /// The vault that pays.
    async fn vault_id(&self) -> ID {
        ID::from(self.0.row.vault_id)
    }

    /// The vault that pays.
    async fn vault(&self, ctx: &Context<'_>) -> Result<Vault> {
        Vault::load(ctx, self.0.row.vault_id, &self.1).await
    }

    /// The paying account.
    async fn account_id(&self) -> ID {
        ID::from(self.0.row.account_id)
    }

    /// The paying account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        Account::load(ctx, self.0.row.account_id, &self.1).await
    }

    /// The chain it is paid on.
    async fn chain(&self, ctx: &Context<'_>) -> Result<Chain> {
        let services = services(ctx);
        let settings = services
            .chain(&self.chain_id())
            .ok_or_else(|| Refusal::not_found("chain"))?;
        Ok(Chain::new(services, settings))
    }

    /// What is paid.
    async fn amount(&self, ctx: &Context<'_>) -> Money {
        Money::new(services(ctx), &self.0.row.asset, self.0.row.amount)
    }

    /// To whom, in the chain's own text form.
    async fn destination(&self) -> &str {
        &self.0.row.destination
    }

    /// The most the network may charge.
    async fn fee_max(&self, ctx: &Context<'_>) -> Option<Money> {
        Money::fee(services(ctx), &self.chain_id(), self.0.row.fee_max?)
    }

    /// What the network charged, once it is final.
    async fn fee(&self, ctx: &Context<'_>) -> Option<Money> {
        Money::fee(services(ctx), &self.chain_id(), self.0.row.fee?)
    }

    /// The integrator's own id.
    async fn external_id(&self) -> Option<&str> {
        self.0.row.external_id.as_deref()
    }

    /// The note that came with the request; null when there was none, or when it was erased.
    #[graphql(complexity = 5)]
    async fn memo(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(self.note(ctx).await?.text())
    }

    /// Whether the note was erased: its key is destroyed and nobody can read it any more.
    #[graphql(complexity = 5)]
    async fn memo_erased(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.note(ctx).await? == Note::Erased)
    }

    /// When it was requested.
    async fn requested_at(&self) -> Timestamp {
        Timestamp(self.0.row.created_at)
    }

    /// Who asked: `key:key_…` or `session:ses_…`.
    async fn requested_by(&self) -> String {
        self.0.row.requested_by.to_string()
    }

    /// When it lapses unless it was approved.
    async fn expires_at(&self) -> Timestamp {
        Timestamp(self.0.row.expires_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> Timestamp {
        Timestamp(self.0.row.updated_at)
    }

    /// The rule that decided how many approvals it needs, in words.
    async fn rule(&self) -> Option<&str> {
        self.0.row.rule.as_deref()
    }

    /// How many approvals it needs; 0 until it was screened.
    async fn approvals_needed(&self) -> i32 {
        int(self.0.row.approvals_needed)
    }

    /// How many approvals it has.
    async fn approvals(&self) -> i32 {
        int(self.0.row.approvals)
    }

    /// Who approved it, in order.
    async fn approved_by(&self) -> Vec<String> {
        self.0.row.approved_by.iter().map(ToString::to_string).collect()
    }

    /// Why it was denied or cancelled.
    async fn reason(&self) -> Option<&str> {
        self.0.row.reason.as_deref()
    }

    /// Its executions, oldest first.
    #[graphql(complexity = "1 + child_complexity")]
    async fn executions(&self) -> Vec<Execution> {
        self.0
            .executions
            .iter()
            .map(|row| Execution::new(row.clone(), &self.1))
            .collect()
    }

    /// The transaction it is final in.
    async fn txid(&self) -> Option<&str> {
        self.0.row.txid.as_deref()
    }

    /// The block it is final in, or was before it was undone.
    async fn block(&self) -> Option<Block> {
        self.0.row.block.as_ref().map(Block::from)
    }

    /// Why it failed.
    async fn failure(&self) -> Option<Failure> {
        self.0.row.failure.as_ref().map(Failure::from)
    }

    /// Counts its own events; the number in its ETag.
    async fn version(&self) -> i32 {
        int(self.0.row.version)
    }

    /// The last events of the transfer and of its executions, in their order, read from the log itself; `last` is 1 to 200,
    /// `before` is the `startCursor` of the page behind.
    #[graphql(complexity = "entries_cost(last, child_complexity)")]
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        last: i32,
        before: Option<String>,
    ) -> Result<TimelineConnection> {
        let until = match &self.1 {
            Moment::Now => None,
            Moment::Then(past) => Some(past.place(self.0.row.id.shard()).await?),
        };
        let page = Window {
            last,
            before: before.as_deref(),
            until,
        };
        Ok(timeline(services(ctx), &self.0, page).await?)
    }
}

impl Transfer {
    fn chain_id(&self) -> ChainId {
        self.0.row.asset.chain()
    }

    async fn note(&self, ctx: &Context<'_>) -> Result<Note, Refusal> {
        let row = &self.0.row;
        let keyring = services(ctx).keyring.as_ref();
        Ok(note(keyring, row.memo.as_ref(), row.memo_erased).await?)
    }

    /// A transfer of the caller.
    pub async fn load(ctx: &Context<'_>, id: TransferId, moment: &Moment) -> Result<Self, Refusal> {
        let caller = caller(ctx)?;
        caller.require("transfers:read")?;
        let found = match moment {
            Moment::Now => services(ctx).reads.transfer(caller.organization, id).await?,
            Moment::Then(past) => past.transfer(id).await?,
        };
        let found = found.ok_or_else(|| Refusal::not_found("id"))?;
        Ok(Self(Arc::new(found), moment.clone()))
    }
}

/// A page of the caller's transfers.
pub async fn transfers(
    ctx: &Context<'_>,
    filter: &read::TransferFilter,
    sort: TransferSort,
    first: i32,
    after: Option<&str>,
) -> Result<TransferConnection, Refusal> {
    let caller = caller(ctx)?;
    caller.require("transfers:read")?;
    let sort = match sort {
        TransferSort::Newest => read::TransferSort::Newest,
        TransferSort::Oldest => read::TransferSort::Oldest,
    };
    let services = services(ctx);
    let list = List::new(
        services,
        caller.organization,
        &format!("transfers?{filter:?}&{sort:?}"),
    );
    let request = list.page(first, after)?;
    let page = services
        .reads
        .transfers(caller.organization, filter, sort, &request)
        .await?;
    let (entries, info) = list.seal(page, &request);
    let entries = entries
        .into_iter()
        .map(|(cursor, row)| (cursor, Transfer(Arc::new(row), Moment::Now)))
        .collect();
    Ok(TransferConnection::new(entries, info))
}
