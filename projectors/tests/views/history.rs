//! Made-up history: tenants, vaults, accounts, transfers and executions that live as real ones do, out of a seed.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;
use vaultstream_domain::Event;
use vaultstream_domain::execution::ExecutionEvent as E;
use vaultstream_domain::organization::{ApiKeyEvent, OrganizationEvent, SessionEvent};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, StreamAppend};
use vaultstream_domain::transfer::TransferEvent as T;
use vaultstream_domain::vault::{AccountEvent as A, VaultEvent as V};
use vaultstream_event_schemas::chain::{BlockRef, EvmPlan, Intent, Plan, RawTransaction};
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, Hash, HashedEvent, Owner};
use vaultstream_event_schemas::execution::v1 as ev1;
use vaultstream_event_schemas::organization::v1 as ov1;
use vaultstream_event_schemas::payload::Encoded;
use vaultstream_event_schemas::transfer::v1 as tv1;
use vaultstream_event_schemas::vault::v1 as vv1;
use vaultstream_event_schemas::{
    AccountId, Actor, Amount, ApiKeyId, AssetId, ChainId, CommandId, ExecutionId, Family, OrganizationId, Registry,
    SessionId, StreamId, Timestamp, TransferId, VaultId, id,
};

pub const START_US: i64 = 1_795_000_000_000_000;

/// A small generator of numbers, the same on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    /// Below `n`.
    pub fn roll(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
    pub fn pick<'a, X>(&mut self, of: &'a [X]) -> &'a X {
        let n = u64::try_from(of.len()).expect("small");
        &of[usize::try_from(self.roll(n)).expect("small")]
    }
}

#[derive(Clone, Copy)]
pub struct Account {
    pub id: AccountId,
    pub vault: VaultId,
    pub organization: OrganizationId,
    pub chain: usize,
}

struct Moving {
    id: TransferId,
    account: Account,
    execution: ExecutionId,
    step: u8,
}

/// History being made. Streams know their version and hash, so it appends like an executor.
pub struct History {
    pub registry: Arc<Registry>,
    pub dice: Dice,
    pub organizations: Vec<OrganizationId>,
    pub vaults: Vec<(VaultId, OrganizationId)>,
    pub accounts: Vec<Account>,
    pub transfers: Vec<(TransferId, OrganizationId)>,
    pub executions: Vec<(ExecutionId, OrganizationId)>,
    moving: Vec<Moving>,
    streams: HashMap<StreamId, (u64, Hash)>,
    made: Vec<AppendCommand>,
    now: i64,
    count: u64,
}

fn block(height: u64) -> BlockRef {
    BlockRef { hash: format!("0x{height:064x}"), height }
}

pub fn chain(n: usize) -> ChainId {
    ChainId::try_new(["eip155:31337", "eip155:31338"][n]).expect("valid")
}

pub fn asset(chain: usize, n: u64) -> AssetId {
    let word = if n == 0 { "slip44:60".to_owned() } else { format!("erc20:0x{n:040x}") };
    AssetId::try_new(&format!("{}/{word}", self::chain(chain))).expect("valid")
}

impl History {
    pub fn new(registry: Arc<Registry>, seed: u64) -> Self {
        let mut history = Self {
            registry,
            dice: Dice::new(seed),
            organizations: Vec::new(),
            vaults: Vec::new(),
            accounts: Vec::new(),
            transfers: Vec::new(),
            executions: Vec::new(),
            moving: Vec::new(),
            streams: HashMap::new(),
            made: Vec::new(),
            now: START_US,
            count: 0,
        };
        for n in 0..2 {
            history.organization(n);
        }
        history
    }

    fn uuid(&mut self) -> Uuid {
        self.count += 1;
        let entropy = u128::from(self.dice.next()) << 64 | u128::from(self.dice.next());
        id::random(u64::try_from(self.now / 1_000).expect("after 1970"), entropy)
    }

    /// An id of a family, in the shard its owner gives it.
    fn placed(&mut self, family: &Family, owner: Option<Uuid>) -> Uuid {
        let bare = self.uuid();
        let shard = self.registry.place(family, owner.unwrap_or(bare)).expect("a configured family");
        id::with_shard(bare, shard)
    }

    fn chain_family(&self, chain: usize) -> Family {
        let chains = self.registry.entries().iter().filter(|e| matches!(e.family, Family::Chain(_)) && e.k == 0);
        chains.map(|e| e.family.clone()).nth(chain).expect("two chains")
    }

    /// Adds events to a stream; they are appended with the next [`Self::append`].
    pub fn add(&mut self, stream: impl Into<StreamId>, at: (OrganizationId, Owner), events: Vec<Event>) {
        let encoded = events.iter().map(|event| event.encode().expect("canonical")).collect();
        self.add_encoded(stream.into(), at, encoded);
    }

    pub fn add_encoded(&mut self, stream: StreamId, at: (OrganizationId, Owner), events: Vec<Encoded>) {
        let (mut version, mut hash) = self.streams.get(&stream).copied().unwrap_or((0, GENESIS));
        let expected = version;
        let mut hashed = Vec::new();
        for encoded in events {
            version += 1;
            self.now += 1_000;
            self.count += 1;
            let envelope = Envelope {
                actor: Actor::system("history"),
                causation: None,
                command: CommandId::from_uuid(id::random(1, self.count.into())),
                incarnation: 1,
                occurred_at: Timestamp::from_micros(self.now),
                organization: at.0,
                owner: at.1,
                sequence: version,
                shard: stream.shard(),
                stream,
                trace: None,
                event_type: encoded.event_type.to_owned(),
                version: encoded.version,
            };
            let event = HashedEvent::try_new(envelope, encoded, hash).expect("canonical");
            hash = event.hash;
            hashed.push(event);
        }
        self.streams.insert(stream, (version, hash));
        let streams = vec![StreamAppend { stream, expected, events: hashed }];
        self.made.push(AppendCommand { shard: stream.shard(), streams });
    }

    fn organization(&mut self, n: usize) {
        let id = OrganizationId::from_uuid(self.placed(&Family::Core, None));
        self.organizations.push(id);
        let name = format!("Organization {n}");
        let registered = ov1::Registered { approval: ov1::Approval::One, contact: None, name };
        self.add(id, (id, Owner::Itself), vec![OrganizationEvent::from(registered).into()]);
        let key = ApiKeyId::from_uuid(self.placed(&Family::Core, Some(id.uuid())));
        let issued = ov1::KeyIssued {
            expires_at: None,
            name: "first".into(),
            organization: id,
            scopes: vec!["vaults:read".into()],
            secret_sha256: "00".repeat(32),
        };
        self.add(key, (id, Owner::Itself), vec![ApiKeyEvent::from(issued).into()]);
        let session = SessionId::from_uuid(self.placed(&Family::Core, Some(id.uuid())));
        let expires_at = Timestamp::from_micros(self.now + 60_000_000);
        let scopes = vec!["vaults:read".to_owned()];
        let offered = ov1::SessionOffered { code_sha256: "11".repeat(32), expires_at, key, scopes: scopes.clone() };
        let opened = ov1::SessionOpened { expires_at, key, scopes, secret_sha256: "22".repeat(32) };
        let events = vec![SessionEvent::from(offered).into(), SessionEvent::from(opened).into()];
        self.add(session, (id, Owner::Itself), events);
        if n == 1 {
            let revoked = ov1::KeyRevoked { reason: "a test".into() };
            self.add(key, (id, Owner::Itself), vec![ApiKeyEvent::from(revoked).into()]);
        }
        self.vault(id);
    }

    pub fn vault(&mut self, organization: OrganizationId) -> VaultId {
        let id = VaultId::from_uuid(self.placed(&Family::Core, Some(organization.uuid())));
        self.vaults.push((id, organization));
        let (n, tier) = (self.vaults.len(), *self.dice.pick(&[vv1::Tier::Hot, vv1::Tier::Warm]));
        let owner = Owner::Vault(id);
        let name = format!("{} {n}", self.dice.pick(&["Operations", "Ostrich", "Treasury"]));
        self.add(id, (organization, owner), vec![V::from(vv1::VaultCreated { name, tier }).into()]);
        for chain in 0..2 {
            let family = self.chain_family(chain);
            let account = AccountId::from_uuid(self.placed(&family, Some(id.uuid())));
            self.accounts.push(Account { id: account, vault: id, organization, chain });
            let chain = self::chain(chain);
            let added = vv1::AccountAdded { account, chain: chain.clone() };
            self.add(id, (organization, owner), vec![V::from(added).into()]);
            let requested = vv1::AccountRequested { chain, custody: vv1::Custody::Software, vault: id };
            let address = format!("0xAb{:038x}", self.count);
            let opened = vv1::AccountOpened { address, public_key: "02".repeat(33) };
            let events = vec![A::from(requested).into(), A::from(opened).into()];
            self.add(account, (organization, owner), events);
        }
        id
    }

    pub fn transfer(&mut self, account: Account) -> TransferId {
        let family = self.chain_family(account.chain);
        let id = TransferId::from_uuid(self.placed(&family, Some(account.vault.uuid())));
        let execution = ExecutionId::from_uuid(self.placed(&family, Some(account.vault.uuid())));
        let external = self.dice.roll(3) == 0;
        let requested = tv1::Requested {
            account: account.id,
            amount: Amount::from_u128(self.dice.roll(1 << 40).into()),
            asset: asset(account.chain, self.dice.roll(2)),
            destination: format!("0x{:040x}", self.dice.next()),
            expires_at: Timestamp::from_micros(self.now + 3_600_000_000),
            external_id: external.then(|| format!("Invoice-{}", self.count)),
            fee_max: None,
            memo: None,
            vault: account.vault,
        };
        self.add(id, (account.organization, Owner::Vault(account.vault)), vec![T::from(requested).into()]);
        self.transfers.push((id, account.organization));
        self.moving.push(Moving { id, account, execution, step: 0 });
        id
    }

    /// One more thing happens.
    pub fn step(&mut self) {
        match self.dice.roll(100) {
            0..=1 => {
                let organization = *self.dice.pick(&self.organizations.clone());
                self.vault(organization);
            }
            2..=4 => self.vault_event(),
            5..=18 => self.account_event(),
            19..=32 => {
                let account = *self.dice.pick(&self.accounts.clone());
                self.transfer(account);
            }
            _ if !self.moving.is_empty() => self.advance(),
            _ => self.account_event(),
        }
    }

    fn vault_event(&mut self) {
        let (id, organization) = *self.dice.pick(&self.vaults.clone());
        let event = match self.dice.roll(6) {
            0 => V::from(vv1::VaultArchived { reason: "over".into() }),
            _ => V::from(vv1::VaultRenamed { name: format!("Renamed {}", self.dice.roll(50)) }),
        };
        self.add(id, (organization, Owner::Vault(id)), vec![event.into()]);
    }

    fn account_event(&mut self) {
        let account = *self.dice.pick(&self.accounts.clone());
        let event = match self.dice.roll(10) {
            0 => A::from(vv1::AccountFrozen { reason: "a look".into() }),
            1 => A::from(vv1::AccountUnfrozen { reason: "seen".into() }),
            2 => A::from(vv1::AccountLabelled { label: format!("Label {}", self.dice.roll(30)) }),
            _ => {
                let minor = match self.dice.roll(20) {
                    0 => Amount::from_be_bytes([0xff; 32]),
                    n => Amount::from_u128(u128::from(n) << 70),
                };
                let block = block(self.dice.roll(1_000));
                A::from(vv1::BalanceObserved { asset: asset(account.chain, self.dice.roll(2)), block, minor })
            }
        };
        self.add(account.id, (account.organization, Owner::Vault(account.vault)), vec![event.into()]);
    }

    fn advance(&mut self) {
        let n = u64::try_from(self.moving.len()).expect("small");
        let at = usize::try_from(self.dice.roll(n)).expect("small");
        let m = &self.moving[at];
        let (id, account, execution, step) = (m.id, m.account, m.execution, m.step);
        let place = (account.organization, Owner::Vault(account.vault));
        let luck = self.dice.roll(20);
        let txid = format!("0x{:064x}", execution.uuid().as_u128());
        let (transfer, moves, next) = life(step, luck, id, execution, account, &txid);
        if step == 2 {
            self.executions.push((execution, account.organization));
        }
        if !moves.is_empty() {
            self.add(execution, place, moves.into_iter().map(Into::into).collect());
        }
        if !transfer.is_empty() {
            self.add(id, place, transfer.into_iter().map(Into::into).collect());
        }
        match next {
            Some(next) => self.moving[at].step = next,
            None => drop(self.moving.swap_remove(at)),
        }
    }

    /// Appends what was added; the hlc follows a clock that stands still between calls.
    pub async fn append(&mut self, log: &dyn EventLog) {
        for batch in std::mem::take(&mut self.made).chunks(200) {
            let outcomes = log.append(batch.to_vec(), Some(Timestamp::from_micros(self.now))).await.expect("appended");
            assert!(outcomes.iter().all(|o| matches!(o, AppendOutcome::Committed { .. })), "{outcomes:?}");
        }
    }

    /// That many more things happen, durably.
    pub async fn live(&mut self, log: &dyn EventLog, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
        self.append(log).await;
    }
}

type Steps = (Vec<T>, Vec<E>, Option<u8>);

/// What happens to a transfer at a step of its life, and the step after it.
fn life(
    step: u8,
    luck: u64,
    transfer: TransferId,
    execution: ExecutionId,
    account: Account,
    txid: &str,
) -> Steps {
    let txid = txid.to_owned();
    let end = |event: T| (vec![event], vec![], None);
    let moves = |events: Vec<E>, next: u8| (vec![], events, Some(next));
    let fee = Amount::from_u128(21_000);
    let reason = || "because".to_owned();
    match (step, luck) {
        (0, _) => {
            let approvals_needed = u32::from(luck % 2 == 0);
            let screened = tv1::Screened { approvals_needed, rule: "all".into() };
            (vec![screened.into()], vec![], Some(if approvals_needed == 0 { 2 } else { 1 }))
        }
        (1, 0) => end(tv1::Denied { reason: reason() }.into()),
        (1, 1) => end(tv1::Cancelled { reason: reason() }.into()),
        (1, 2) => end(tv1::Expired { deadline: Timestamp::from_micros(START_US) }.into()),
        (1, _) => (vec![tv1::Approved { approvals: 1 }.into()], vec![], Some(2)),
        (2, _) => {
            let queued = ev1::Queued {
                account: account.id,
                chain: chain(account.chain),
                intent: Intent {
                    amount: fee,
                    asset: asset(account.chain, 0),
                    destination: "0x1".into(),
                    source: "0x2".into(),
                },
                transfers: vec![transfer],
            };
            (vec![tv1::ExecutionStarted { execution }.into()], vec![queued.into()], Some(3))
        }
        (3, 0) => {
            let dead = ev1::Dead {
                code: "insufficient-funds".into(),
                detail: reason(),
                proof: ev1::ProofOfDeath::NeverSigned,
            };
            let failed = tv1::Failed { code: "insufficient-funds".into(), detail: reason() };
            (vec![failed.into()], vec![dead.into()], None)
        }
        (3, _) => {
            let planned = ev1::Planned { plan: plan(luck) };
            let bound = ev1::Bound { digest: "0xd1".into(), plan: plan(luck) };
            let transaction = RawTransaction { raw: "0x02".into(), txid };
            moves(vec![planned.into(), bound.into(), ev1::Signed { attempt: 1, transaction }.into()], 4)
        }
        (4, _) => {
            let outcome =
                if luck < 4 { ev1::BroadcastOutcome::Ambiguous } else { ev1::BroadcastOutcome::Accepted };
            let tried = ev1::BroadcastTried { attempt: 1, detail: "said".into(), node: "n1".into(), outcome };
            moves(vec![tried.into()], if luck < 4 { 4 } else { 5 })
        }
        (5, 0) => moves(vec![ev1::Stuck { detail: reason() }.into()], 5),
        (5, 1) => moves(vec![ev1::Seen { node: "n1".into(), txid }.into()], 5),
        (5, _) => moves(vec![ev1::Included { block: block(luck), fee, succeeded: true, txid }.into()], 6),
        (6, 0..=3) => moves(vec![ev1::Detached { block: block(luck), txid }.into()], 5),
        (6, _) => {
            let finalized = ev1::Finalized { block: block(luck), fee, succeeded: true, txid: txid.clone() };
            let completed = tv1::Completed { block: block(luck), fee, txid };
            let next = (luck == 19).then_some(7);
            (vec![completed.into()], vec![finalized.into()], next)
        }
        _ => {
            let reversed = ev1::Reversed { block: block(luck), txid: txid.clone() };
            (vec![tv1::Reversed { block: block(luck), txid }.into()], vec![reversed.into()], None)
        }
    }
}

fn plan(nonce: u64) -> Plan {
    Plan::Evm(EvmPlan {
        chain_id: 31_337,
        data: "0x".into(),
        from: "0x2".into(),
        gas_limit: 21_000,
        max_fee_per_gas: Amount::from_u128(10),
        max_priority_fee_per_gas: Amount::from_u128(1),
        nonce,
        to: "0x1".into(),
        value: Amount::from_u128(1),
    })
}
