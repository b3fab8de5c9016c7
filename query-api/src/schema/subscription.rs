//! The root of subscriptions. *Log* kind: every item, in order, resumable. *State* kind: the row as it is now, conflated
//! by key for whoever reads slowly; each begins with the present state where a key is named.
//!
//! A stream ends after its first error; the client reads `extensions.code` and, for the log kind, goes on from
//! `extensions.after`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, Result, SimpleObject, Subscription as Root};
use futures::Stream;
use futures::stream::try_unfold;
use tokio::sync::watch;
use vaultstream_event_schemas::id::StreamKind;
use vaultstream_event_schemas::public_event::PublicEvent;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{AccountId, AssetId, ChainId, TransferId, VaultId};
use vaultstream_projectors::rows::BalanceRow;

use super::balance::Balance;
use super::chain::Chain;
use super::event::{Event, checked_types};
use super::freshness::Freshness;
use super::moment::Moment;
use super::node::no_id;
use super::transfer::Transfer;
use super::vault::Vault;
use super::{caller, services};
use crate::freshness::Recent;
use crate::hub::{Changes, Delivery, Item, Key, Reader, Topic, open_cursor, seal_cursor};
use crate::refusal::Refusal;
use crate::services::{HeadSeen, Heads, Services};

const FRESHNESS_EVERY: Duration = Duration::from_secs(1);

/// The root of subscriptions.
pub struct Subscription;

/// A public event and the cursor behind it.
#[derive(SimpleObject)]
pub struct EventItem {
    event: Event,
    /// Everything up to and including this event; `after` takes it.
    cursor: String,
}

/// A transfer as it is now.
#[derive(SimpleObject)]
pub struct TransferItem {
    transfer: Transfer,
    /// A consistency token of what this state includes; `atLeast` takes it.
    token: String,
}

/// A vault as it is now.
#[derive(SimpleObject)]
pub struct VaultItem {
    vault: Vault,
    /// A consistency token of what this state includes; `atLeast` takes it.
    token: String,
}

/// A balance as it is now.
#[derive(SimpleObject)]
pub struct BalanceItem {
    balance: Balance,
    /// A consistency token of what this state includes; `atLeast` takes it.
    token: String,
}

fn vault_id(id: &str) -> Result<VaultId, Refusal> {
    id.parse().map_err(|e| no_id("vaultId", &e))
}

#[Root]
impl Subscription {
    /// Log kind: public events, gap-free and in order per shard, resumable on any node by `after`, the cursor of the last
    /// item that was seen. Without `after` it begins now. Nothing is ever left out: a reader that stays too slow is closed
    /// with the error `overloaded` and goes on from the cursor in the error's `after`.
    async fn events(
        &self,
        ctx: &Context<'_>,
        after: Option<String>,
        types: Option<Vec<String>>,
        vault_id: Option<ID>,
    ) -> Result<impl Stream<Item = Result<EventItem>> + use<>> {
        let caller = caller(ctx)?;
        caller.require("events:read")?;
        let services = services(ctx).clone();
        let types = checked_types(types)?;
        let vault = vault_id.map(|id| self::vault_id(&id)).transpose()?;
        if let Some(vault) = vault {
            owned(&services, caller.organization, vault).await?;
        }
        let after = after
            .map(|cursor| open_cursor(&services.mac, &cursor))
            .transpose()?;
        let reader = services.hub.read(
            Topic {
                organization: caller.organization,
                vault,
            },
            after,
        )?;
        Ok(log_items(Log {
            services,
            reader,
            types,
            ready: VecDeque::new(),
        }))
    }

    /// State kind: transfers as they are after each change, conflated by transfer for slow readers. With `transferId` the
    /// first item is the present state; a transfer that was just requested may be named before the views know it.
    async fn transfer_updates(
        &self,
        ctx: &Context<'_>,
        vault_id: Option<ID>,
        transfer_id: Option<ID>,
    ) -> Result<impl Stream<Item = Result<TransferItem>> + use<>> {
        let caller = caller(ctx)?;
        caller.require("transfers:read")?;
        let organization = caller.organization;
        let services = services(ctx).clone();
        let mut vault = vault_id.map(|id| self::vault_id(&id)).transpose()?;
        let wanted: Option<TransferId> = transfer_id
            .map(|id| id.parse())
            .transpose()
            .map_err(|e| no_id("transferId", &e))?;
        if let Some(id) = wanted {
            vault = Some(payer(&services, organization, id, vault).await?);
        } else if let Some(vault) = vault {
            owned(&services, organization, vault).await?;
        }
        let reader = services.hub.read(Topic { organization, vault }, None)?;
        let mut changes = Changes::new(reader, transfer_keys);
        if let Some(id) = wanted {
            changes.only(Key::Transfer(id));
        }
        let items = try_unfold((services, changes), move |(services, mut changes)| async move {
            loop {
                let (key, positions) = changes.next().await?;
                let Key::Transfer(id) = key else { continue };
                let row = services
                    .reads
                    .transfer(organization, id)
                    .await
                    .map_err(Refusal::from)?;
                if let Some(row) = row {
                    let token = services.mac.seal_token(&positions);
                    let item = TransferItem {
                        transfer: Transfer(Arc::new(row), Moment::Now),
                        token,
                    };
                    return Ok(Some((item, (services, changes))));
                }
            }
        });
        Ok(items)
    }

    /// State kind: a vault with its accounts after each change, conflated by vault. With `vaultId` the first item is the
    /// present state.
    async fn vault_updates(
        &self,
        ctx: &Context<'_>,
        vault_id: Option<ID>,
    ) -> Result<impl Stream<Item = Result<VaultItem>> + use<>> {
        let caller = caller(ctx)?;
        caller.require("vaults:read")?;
        let organization = caller.organization;
        let services = services(ctx).clone();
        let vault = vault_id.map(|id| self::vault_id(&id)).transpose()?;
        if let Some(vault) = vault {
            owned(&services, organization, vault).await?;
        }
        let reader = services.hub.read(Topic { organization, vault }, None)?;
        let mut changes = Changes::new(reader, vault_keys);
        if let Some(vault) = vault {
            changes.only(Key::Vault(vault));
        }
        let items = try_unfold((services, changes), move |(services, mut changes)| async move {
            loop {
                let (key, positions) = changes.next().await?;
                let Key::Vault(id) = key else { continue };
                if let Some(row) = services
                    .reads
                    .vault(organization, id)
                    .await
                    .map_err(Refusal::from)?
                {
                    let token = services.mac.seal_token(&positions);
                    let item = VaultItem {
                        vault: Vault(Arc::new(row), Moment::Now),
                        token,
                    };
                    return Ok(Some((item, (services, changes))));
                }
            }
        });
        Ok(items)
    }

    /// State kind: balances after each change, conflated by account and asset. The first items are the present state.
    async fn balance_updates(
        &self,
        ctx: &Context<'_>,
        vault_id: ID,
    ) -> Result<impl Stream<Item = Result<BalanceItem>> + use<>> {
        let caller = caller(ctx)?;
        caller.require("vaults:read")?;
        let organization = caller.organization;
        let services = services(ctx).clone();
        let vault = self::vault_id(&vault_id)?;
        owned(&services, organization, vault).await?;
        let reader = services.hub.read(
            Topic {
                organization,
                vault: Some(vault),
            },
            None,
        )?;
        let mut changes = Changes::new(reader, balance_keys);
        changes.begin_with(Key::Vault(vault));
        let told = Told {
            services,
            changes,
            last: HashMap::new(),
            ready: VecDeque::new(),
        };
        let items = try_unfold(told, move |mut told| async move {
            loop {
                if let Some((row, positions)) = told.ready.pop_front() {
                    let token = told.services.mac.seal_token(&positions);
                    let balance = Balance::new(&told.services, &row);
                    return Ok(Some((BalanceItem { balance, token }, told)));
                }
                let (_, positions) = told.changes.next().await?;
                let rows = told.services.reads.balances_of_vault(organization, vault).await;
                told.compare(rows.map_err(Refusal::from)?, &positions);
            }
        });
        Ok(items)
    }

    /// State kind: where the chains stand, conflated by chain. The first items are the present state.
    async fn chain_heads(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = Result<Chain>> + use<>> {
        caller(ctx)?;
        let services = services(ctx).clone();
        let mut heads = services.heads.clone();
        heads.mark_changed();
        let state = (services, heads, HashMap::new(), VecDeque::new());
        Ok(try_unfold(
            state,
            |(services, mut heads, mut told, mut ready)| async move {
                loop {
                    if let Some(chain) = ready.pop_front() {
                        return Ok(Some((chain, (services, heads, told, ready))));
                    }
                    if heads.changed().await.is_err() {
                        return Ok(None);
                    }
                    ready = moved(&services, &mut heads, &mut told);
                }
            },
        ))
    }

    /// State kind: how far the views are behind the log, once a second.
    async fn freshness(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = Result<Freshness>> + use<>> {
        caller(ctx)?;
        let services = services(ctx).clone();
        let recent = Arc::clone(ctx.data_unchecked::<Arc<Recent>>());
        let mut every = tokio::time::interval(FRESHNESS_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Ok(try_unfold(
            (services, recent, every),
            |(services, recent, mut every)| async move {
                every.tick().await;
                let now = services.clock.now();
                let lag = recent
                    .measure(services.log.as_ref(), &services.reads, now)
                    .await?;
                Ok(Some((Freshness::new(&services, &lag), (services, recent, every))))
            },
        ))
    }
}

/// Refuses a vault that is not the caller's.
async fn owned(
    services: &Services,
    organization: vaultstream_event_schemas::OrganizationId,
    vault: VaultId,
) -> Result<(), Refusal> {
    match services.reads.vault(organization, vault).await? {
        Some(_) => Ok(()),
        None => Err(Refusal::not_found("vaultId")),
    }
}

/// The vault that pays a transfer, as its first event says: the views may not have it yet.
async fn payer(
    services: &Services,
    organization: vaultstream_event_schemas::OrganizationId,
    id: TransferId,
    vault: Option<VaultId>,
) -> Result<VaultId, Refusal> {
    let missing = || Refusal::not_found("transferId");
    services.log.registry().entry(id.shard()).ok_or_else(missing)?;
    let first = services.log.read_stream(id.stream(), 0, 1).await?.pop();
    let first = first.filter(|event| event.envelope.organization == organization);
    let payer = first
        .and_then(|event| event.envelope.owner.vault())
        .ok_or_else(missing)?;
    if vault.is_some_and(|vault| vault != payer) {
        return Err(missing());
    }
    Ok(payer)
}

struct Log {
    services: Services,
    reader: Reader,
    types: Vec<String>,
    ready: VecDeque<(Arc<PublicEvent>, Positions)>,
}

impl Log {
    fn take(&mut self, delivery: &Delivery) {
        let Delivery { item, cursor } = delivery;
        let last = item.public.len().saturating_sub(1);
        for (i, event) in item.public.iter().enumerate() {
            if !self.types.is_empty() && !self.types.contains(&event.event_type) {
                continue;
            }
            let mut cursor = cursor.clone();
            if i < last {
                // a stored event that reads as several is passed with the last of them
                let position = item.place.position.saturating_sub(1);
                cursor.0.insert(
                    item.shard,
                    Place {
                        position,
                        ..item.place
                    },
                );
            }
            self.ready.push_back((Arc::clone(event), cursor));
        }
    }
}

fn log_items(log: Log) -> impl Stream<Item = Result<EventItem>> {
    try_unfold(log, |mut log| async move {
        loop {
            if let Some((event, positions)) = log.ready.pop_front() {
                let cursor = seal_cursor(&log.services.mac, &positions);
                return Ok(Some((
                    EventItem {
                        event: Event(event),
                        cursor,
                    },
                    log,
                )));
            }
            match log.reader.next().await {
                Ok(delivery) => log.take(&delivery),
                Err(refusal) => {
                    let cursor = seal_cursor(&log.services.mac, log.reader.cursor());
                    return Err(refusal.resumable(cursor).into());
                }
            }
        }
    })
}

fn transfer_keys(item: &Item) -> Vec<Key> {
    item.transfers.iter().copied().map(Key::Transfer).collect()
}

fn vault_keys(item: &Item) -> Vec<Key> {
    let about = matches!(item.stream.kind, StreamKind::Vault | StreamKind::Account);
    item.vault.filter(|_| about).map(Key::Vault).into_iter().collect()
}

fn balance_keys(item: &Item) -> Vec<Key> {
    let about = item.stream.kind == StreamKind::Account;
    item.account
        .filter(|_| about)
        .map(Key::Balances)
        .into_iter()
        .collect()
}

struct Told {
    services: Services,
    changes: Changes,
    last: HashMap<(AccountId, AssetId), BalanceRow>,
    ready: VecDeque<(BalanceRow, Positions)>,
}

impl Told {
    /// Keeps what differs from what was told last.
    fn compare(&mut self, rows: Vec<BalanceRow>, positions: &Positions) {
        for row in rows {
            let key = (row.account_id, row.asset.clone());
            if self.last.get(&key) != Some(&row) {
                self.last.insert(key, row.clone());
                self.ready.push_back((row, positions.clone()));
            }
        }
    }
}

/// The chains whose head differs from what was told last; at first all of them.
fn moved(
    services: &Services,
    heads: &mut watch::Receiver<Heads>,
    told: &mut HashMap<ChainId, Option<HeadSeen>>,
) -> VecDeque<Chain> {
    let now = heads.borrow_and_update().clone();
    let mut ready = VecDeque::new();
    for settings in services.chains.iter() {
        let head = now.get(&settings.id).cloned();
        if told.get(&settings.id) != Some(&head) {
            told.insert(settings.id.clone(), head);
            ready.push_back(Chain::new(services, settings));
        }
    }
    ready
}
