//! What the commands run on: ports and services, put together by the binary.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;
use vaultstream_domain::ports::{ChainNode, Clock, EventLog, Faucet, Ids, Keyring, Rng};
use vaultstream_domain::{CommandContext, Transact};
use vaultstream_event_schemas::token::{MacKey, Positions};
use vaultstream_event_schemas::{
    AccountId, Amount, AssetId, ChainId, CommandId, ErrorCode, Family, OrganizationId, Registry, ShardNumber,
    Timestamp, VaultId, id,
};
use vaultstream_gateway::catalogue::{Catalogue, ChainHeads};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::kept::Kept;
use vaultstream_gateway::{ApiError, Credentials, Directory};
use vaultstream_kernel::{Committed, ExecuteError, Executor, Line, MarkStanding, NewestCheckpoint};

/// Bounds and settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether the session cookie is for https only.
    pub secure_cookies: bool,
    /// How long a browser session lasts at most.
    pub session_seconds: i64,
    /// The most a faucet gives at once, in minor units.
    pub faucet_max: Amount,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            secure_cookies: false,
            session_seconds: 12 * 3600,
            faucet_max: Amount::from_u128(100 * 1_000_000_000_000_000_000),
        }
    }
}

/// What [`Services`] is made of.
pub struct ServicesParts {
    /// The log, for reading single streams.
    pub log: Arc<dyn EventLog>,
    /// Runs use cases.
    pub executor: Executor,
    /// Core streams in memory.
    pub directory: Arc<Directory>,
    /// Knows who presents a key; for the key exchange of sessions.
    pub credentials: Credentials,
    /// Seals memos and contacts.
    pub keyring: Arc<dyn Keyring>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// Secrets of keys and sessions.
    pub rng: Arc<dyn Rng>,
    /// The chains.
    pub catalogue: Catalogue,
    /// Where they stand.
    pub heads: Arc<dyn ChainHeads>,
    /// Their nodes, for fee estimates of dry runs.
    pub nodes: BTreeMap<ChainId, Arc<dyn ChainNode>>,
    /// The faucets of sandbox chains.
    pub faucets: BTreeMap<ChainId, Arc<dyn Faucet>>,
    /// Seals consistency tokens: the keyring's platform secret `token-mac`.
    pub tokens: MacKey,
    /// Fee quotes of a block that somebody asked for before.
    pub kept: Kept,
    /// The organization that owns the platform; only its keys register organizations.
    pub platform: OrganizationId,
    /// The newest checkpoint, which every 202 names.
    pub checkpoint: NewestCheckpoint,
    /// Whether the log holds its mark: what leads to a signature is refused while it does not.
    pub marks: MarkStanding,
    /// The views by name, each with the families that it has a store in.
    pub views: BTreeMap<&'static str, Vec<Family>>,
    /// Bounds and settings.
    pub options: Options,
}

/// What was seen of an account a moment ago.
#[derive(Clone, Copy)]
struct Glance {
    at: Timestamp,
    spendable: Amount,
}

/// How long a glance counts. A stale one costs a claim without a transfer, never money: the use case looks again.
const GLANCE_US: i64 = 1_000_000;
const MAX_GLANCES: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");

/// Requests for transfers that are worked on at a time: enough to fill two batches of the executor. What they read
/// before they decide is spared to those who come behind them.
const SEATS: usize = 512;
/// Requests that may wait for a seat, and how long.
const LINE: usize = 16_384;
const LINE_MS: u64 = 10_000;
/// When to ask again while the log is behind its mark: people are at work.
const RETRY_QUARANTINE_S: u64 = 60;

/// The services. See [`ServicesParts`].
pub struct Services {
    pub(crate) parts: ServicesParts,
    pub(crate) registry: Arc<Registry>,
    /// Whose an account is; that never changes.
    owners: Mutex<LruCache<AccountId, (OrganizationId, VaultId)>>,
    glances: Mutex<LruCache<(AccountId, AssetId), Glance>>,
    seats: Semaphore,
    line: Line,
}

impl Services {
    /// Services of these parts.
    pub fn new(parts: ServicesParts) -> Arc<Self> {
        let registry = parts.log.registry();
        let owners = Mutex::new(LruCache::new(MAX_GLANCES));
        let line = Line::new(LINE, LINE_MS, Arc::clone(&parts.clock));
        Arc::new(Self {
            parts,
            registry,
            owners,
            seats: Semaphore::new(SEATS),
            line,
            glances: Mutex::new(LruCache::new(MAX_GLANCES)),
        })
    }

    pub(crate) fn log(&self) -> &dyn EventLog {
        &*self.parts.log
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }
    pub(crate) fn fresh_id(&self, shard: ShardNumber) -> Uuid {
        id::with_shard(self.parts.ids.next(), shard)
    }
    pub(crate) fn token(&self, positions: &Positions) -> String {
        self.parts.tokens.seal_token(positions)
    }

    /// Refuses while the log is behind its mark. Whoever asks gets a clear no instead of a promise: the log may have
    /// forgotten that the same thing was promised, and paid, before. So does one that was never compared with its mark yet.
    pub(crate) fn may_sign(&self) -> Result<(), ApiError> {
        if self.parts.marks.is_unseen() {
            return Err(ApiError::new(ErrorCode::StorageUnavailable));
        }
        if self.parts.marks.quarantine().is_none() {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::Quarantined).retry_after(RETRY_QUARANTINE_S))
    }

    /// A seat to work on a request for a transfer; waits for one in line.
    pub(crate) async fn seat(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        let seat = match self.seats.try_acquire() {
            Ok(seat) => Some(seat),
            Err(_) => self.line.wait(self.seats.acquire()).await.and_then(Result::ok),
        };
        seat.ok_or_else(|| refused(ExecuteError::Overloaded))
    }

    /// Runs a use case as the caller.
    pub(crate) async fn execute<U: Transact + 'static>(
        &self,
        asked: &Asked,
        command: CommandId,
        use_case: U,
    ) -> Result<Committed, ApiError> {
        let context = CommandContext {
            actor: asked.principal()?.actor(),
            command,
            causation: None,
            trace: Some(asked.info.trace.to_string()),
        };
        self.execute_as(context, Arc::new(use_case)).await
    }

    pub(crate) async fn execute_as(
        &self,
        context: CommandContext,
        use_case: Arc<dyn Transact>,
    ) -> Result<Committed, ApiError> {
        self.parts
            .executor
            .execute(context, use_case)
            .await
            .map_err(refused)
    }

    /// Whose an account is; `None` for one that does not exist.
    pub(crate) async fn owner_of(
        &self,
        account: AccountId,
    ) -> Result<Option<(OrganizationId, VaultId)>, ApiError> {
        let kept = self
            .owners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&account)
            .copied();
        if kept.is_some() || self.registry.entry(account.shard()).is_none() {
            return Ok(kept);
        }
        let first = self
            .log()
            .read_stream(account.into(), 0, 1)
            .await?
            .into_iter()
            .next();
        let owner = first.and_then(|e| Some((e.envelope.organization, e.envelope.owner.vault()?)));
        if let Some(owner) = owner {
            self.owners
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .put(account, owner);
        }
        Ok(owner)
    }

    /// Whether the account was seen a moment ago to be able to spend this much.
    pub(crate) fn could_just_spend(&self, account: AccountId, asset: &AssetId, amount: Amount) -> bool {
        let now = self.now().as_micros();
        let mut glances = self.glances.lock().unwrap_or_else(PoisonError::into_inner);
        let glance = glances.get(&(account, asset.clone()));
        glance.is_some_and(|g| now.saturating_sub(g.at.as_micros()) < GLANCE_US && amount <= g.spendable)
    }

    pub(crate) fn saw_spendable(&self, account: AccountId, asset: &AssetId, spendable: Amount) {
        let glance = Glance {
            at: self.now(),
            spendable,
        };
        self.glances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put((account, asset.clone()), glance);
    }
}

/// An executor's refusal as a door's.
fn refused(error: ExecuteError) -> ApiError {
    use vaultstream_domain::error::Coded;
    use vaultstream_event_schemas::error_code::Retry;
    if let ExecuteError::Refused(refusal) = error {
        return refusal.into();
    }
    let code = error.code();
    let answer = ApiError::new(code).detail(error.to_string()).caused_by(error);
    if code.retry() == Retry::Later {
        answer.retry_after(1)
    } else {
        answer
    }
}
