//! The past: single things as they were when the log stood at an earlier place.
//!
//! `asOf` is a consistency token, or a moment that each shard maps to its last event at or before it; a shard that a token
//! does not name stands where its clock was at the token's newest event. What is answered is folded from the log by the
//! views' own folds, so it is what a read answered then, whatever the views say now. Two things are never brought back:
//! what was erased since, and what no event holds (where the chains stood).
//!
//! Refuses: moments that are still to come, tokens of another life of the log or of nobody, more than [`MAX_EVENTS`]
//! events to fold for one question.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Mutex;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_event_schemas::token::Positions;
use vaultstream_event_schemas::{
    AccountId, ErrorCode, ExecutionId, Hlc, OrganizationId, ShardNumber, StreamId, Timestamp, TransferId,
    VaultId,
};
use vaultstream_projectors::past::{PastError, StreamPast};
use vaultstream_projectors::read::Transfer;
use vaultstream_projectors::rows::{AccountRow, BalanceRow, ExecutionRow, VaultRow};

use crate::places::{clock_at, event_at, last_until};
use crate::refusal::{self, Refusal};
use crate::services::Services;

/// The most events one question about the past may fold.
pub const MAX_EVENTS: usize = 100_000;
/// The most moments one request may ask about.
pub const MAX_MOMENTS: usize = 8;
/// Events read at once.
const CHUNK: usize = 512;
/// The event that says that a transfer's note was erased.
const MEMO_ERASED: &str = "transfer.memo_erased";

/// An account as it was, and what it held by asset.
pub type Held = Arc<(AccountRow, Vec<BalanceRow>)>;

/// One tenant's past at one place of the log.
pub struct Past {
    services: Services,
    organization: OrganizationId,
    heads: BTreeMap<ShardNumber, Head>,
    named: Positions,
    moment: Hlc,
    places: Mutex<HashMap<ShardNumber, u64>>,
    accounts: Mutex<HashMap<AccountId, Option<Held>>>,
    left: Arc<AtomicUsize>,
}

/// The pasts that one request asks about; together they fold no more than one may.
pub struct Pasts {
    open: Mutex<HashMap<String, Arc<Past>>>,
    left: Arc<AtomicUsize>,
}

impl Default for Pasts {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            left: Arc::new(AtomicUsize::new(MAX_EVENTS)),
        }
    }
}

impl Pasts {
    /// The past of a tenant at what `asOf` says; the same one for whoever in the request asks again.
    pub async fn at(
        &self,
        services: &Services,
        organization: OrganizationId,
        as_of: &str,
    ) -> Result<Arc<Past>, Refusal> {
        let mut open = self.open.lock().await;
        if let Some(past) = open.get(as_of) {
            return Ok(Arc::clone(past));
        }
        if open.len() >= MAX_MOMENTS {
            let detail = format!("one request asks about at most {MAX_MOMENTS} moments");
            return Err(Refusal::field("asOf", detail));
        }
        let past = Past::open(services, organization, as_of, &self.left).await?;
        open.insert(as_of.to_owned(), Arc::clone(&past));
        Ok(past)
    }
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past")
            .field("organization", &self.organization)
            .field("moment", &self.moment)
            .finish_non_exhaustive()
    }
}

impl Past {
    /// The past of a tenant at what `asOf` says, folded from at most as many events as are `left`.
    async fn open(
        services: &Services,
        organization: OrganizationId,
        as_of: &str,
        left: &Arc<AtomicUsize>,
    ) -> Result<Arc<Self>, Refusal> {
        let heads = services.log.heads().await?;
        let (named, moment) = match as_of.parse::<Timestamp>() {
            Ok(moment) if moment > services.clock.now() => {
                return Err(Refusal::field(
                    "asOf",
                    "the moment is still to come; leave asOf out to read the present",
                ));
            }
            Ok(moment) => (Positions::default(), clock_at(moment)),
            Err(_) => {
                let named = named(services, as_of)?;
                check(&named, &heads)?;
                let moment = newest(services, &named).await?;
                (named, moment)
            }
        };
        Ok(Arc::new(Self {
            services: services.clone(),
            organization,
            heads,
            named,
            moment,
            places: Mutex::default(),
            accounts: Mutex::default(),
            left: Arc::clone(left),
        }))
    }

    /// Where a shard stood; 0 for one that there is not.
    pub async fn place(&self, shard: ShardNumber) -> Result<u64, Refusal> {
        if let Some(place) = self.named.0.get(&shard) {
            return Ok(place.position);
        }
        let Some(head) = self.heads.get(&shard) else {
            return Ok(0);
        };
        let mut places = self.places.lock().await;
        if let Some(place) = places.get(&shard) {
            return Ok(*place);
        }
        let place = last_until(self.services.log.as_ref(), shard, *head, self.moment).await?;
        places.insert(shard, place);
        Ok(place)
    }

    /// A vault.
    pub async fn vault(&self, id: VaultId) -> Result<Option<VaultRow>, Refusal> {
        Ok(self.fold(id.stream()).await?.and_then(|mut past| past.vault()))
    }

    /// An account with what it held.
    pub async fn account(&self, id: AccountId) -> Result<Option<Held>, Refusal> {
        // held while folding, so that fields of one answer that ask for the same account fold it once
        let mut accounts = self.accounts.lock().await;
        if let Some(known) = accounts.get(&id) {
            return Ok(known.clone());
        }
        let folded = self.fold(id.stream()).await?;
        let held = folded.and_then(|mut past| past.account()).map(Arc::new);
        accounts.insert(id, held.clone());
        Ok(held)
    }

    /// The accounts of a vault that there were, by chain and id.
    pub async fn accounts_of(&self, vault: &VaultRow) -> Result<Vec<Held>, Refusal> {
        let mut accounts = Vec::with_capacity(vault.accounts.len());
        for listed in &vault.accounts {
            accounts.extend(self.account(listed.account_id).await?);
        }
        let registry = self.services.log.registry();
        let family = |shard| {
            let found = registry.entry(shard).map(|entry| &entry.family);
            registry
                .entries()
                .iter()
                .position(|entry| Some(&entry.family) == found)
        };
        accounts.sort_by_key(|held| (family(held.0.id.shard()), held.0.id));
        Ok(accounts)
    }

    /// What the accounts of a vault held, by asset and account.
    pub async fn balances_of(&self, vault: &VaultRow) -> Result<Vec<BalanceRow>, Refusal> {
        let accounts = self.accounts_of(vault).await?;
        let mut balances: Vec<_> = accounts.iter().flat_map(|held| held.1.clone()).collect();
        balances.sort_by(|a, b| (&a.asset, a.account_id).cmp(&(&b.asset, b.account_id)));
        Ok(balances)
    }

    /// A transfer with its executions.
    pub async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, Refusal> {
        let Some(mut past) = self.fold(id.stream()).await? else {
            return Ok(None);
        };
        let Some(mut row) = past.transfer() else {
            return Ok(None);
        };
        if row.memo.is_some() && self.is_erased_since(id, past.version()).await? {
            row.memo = None;
            row.memo_erased = true;
        }
        let mut executions = Vec::with_capacity(row.executions.len());
        for id in &row.executions {
            executions.extend(self.execution(*id).await?);
        }
        Ok(Some(Transfer { row, executions }))
    }

    /// An execution.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<ExecutionRow>, Refusal> {
        Ok(self
            .fold(id.stream())
            .await?
            .and_then(|mut past| past.execution()))
    }

    /// Whether the note of a transfer was erased after a sequence: what was erased is erased in the past, too.
    async fn is_erased_since(&self, id: TransferId, mut after: u64) -> Result<bool, Refusal> {
        loop {
            let events = self.read(id.stream(), after).await?;
            if events
                .iter()
                .any(|event| event.envelope.event_type == MEMO_ERASED)
            {
                return Ok(true);
            }
            match events.last() {
                Some(last) if events.len() == CHUNK => after = last.envelope.sequence,
                _ => return Ok(false),
            }
        }
    }

    /// A stream of the tenant up to the place; `None` when there was none of theirs.
    async fn fold(&self, stream: StreamId) -> Result<Option<StreamPast>, Refusal> {
        let place = self.place(stream.shard()).await?;
        let Some(mut past) = StreamPast::of(stream).filter(|_| place > 0) else {
            return Ok(None);
        };
        loop {
            let events = self.read(stream, past.version()).await?;
            for event in events.iter().take_while(|event| event.position <= place) {
                past.add(event).map_err(|error| unreadable(&error))?;
            }
            let is_over = events.len() < CHUNK || events.last().is_some_and(|event| event.position > place);
            // nothing is folded of a stranger's but its first events
            if past.organization() != Some(self.organization) {
                return Ok(None);
            }
            if is_over {
                return Ok(Some(past));
            }
        }
    }

    async fn read(
        &self,
        stream: StreamId,
        after: u64,
    ) -> Result<Vec<vaultstream_event_schemas::StoredEvent>, Refusal> {
        let turn = self.services.hub.scan_turn().await?;
        let events = self.services.log.read_stream(stream, after, CHUNK).await?;
        drop(turn);
        let spend = |left: usize| left.checked_sub(events.len());
        if self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
            .is_err()
        {
            let detail = format!(
                "the answer would have to be folded from more than {MAX_EVENTS} events; read them with GET /v1/events"
            );
            return Err(Refusal {
                field: Some("asOf".into()),
                ..Refusal::new(ErrorCode::LimitReached, detail)
            });
        }
        Ok(events)
    }
}

/// The places a token names.
fn named(services: &Services, token: &str) -> Result<Positions, Refusal> {
    let looks_like_time = token.len() <= 40 && (token.contains([':', ' ']) || token.get(4..5) == Some("-"));
    if looks_like_time {
        let detail = "asOf is a moment in RFC 3339, such as 2026-03-01T12:00:00Z, or a consistency token";
        return Err(Refusal::field("asOf", detail));
    }
    let opened = services.mac.open_token(token);
    opened.map_err(|error| refusal::token(ErrorCode::TokenInvalid, "asOf", error))
}

/// Refuses places of another life of a shard, or of a shard there is not.
fn check(named: &Positions, heads: &BTreeMap<ShardNumber, Head>) -> Result<(), Refusal> {
    for (shard, place) in &named.0 {
        let is_known = heads
            .get(shard)
            .is_some_and(|head| head.incarnation == place.incarnation && place.position <= head.position);
        if !is_known {
            let detail =
                format!("the token is from before shard {shard} was restored; name a moment instead");
            return Err(Refusal {
                field: Some("asOf".into()),
                ..Refusal::new(ErrorCode::TokenInvalid, detail)
            });
        }
    }
    Ok(())
}

/// The clock at the newest event a token names.
async fn newest(services: &Services, named: &Positions) -> Result<Hlc, Refusal> {
    let mut newest = Hlc(0);
    for (shard, place) in named.0.iter().filter(|(_, place)| place.position > 0) {
        let event = event_at(services.log.as_ref(), *shard, place.position).await?;
        newest = newest.max(event.hlc);
    }
    Ok(newest)
}

fn unreadable(error: &PastError) -> Refusal {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the past of a stream cannot be told"
    );
    Refusal::of(ErrorCode::EventUnreadable)
}
