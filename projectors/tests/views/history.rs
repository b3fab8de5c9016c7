//! Made-up history: tenants, vaults, accounts, transfers and executions that live as real ones do, out of a seed.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;
use vaultstream_domain::Event;
use vaultstream_domain::organization::{ApiKeyEvent, OrganizationEvent, SessionEvent};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, StreamAppend};
use vaultstream_domain::transfer::TransferEvent as T;
use vaultstream_domain::vault::{AccountEvent as A, VaultEvent as V};
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, Hash, HashedEvent, Owner};
use vaultstream_event_schemas::organization::v1 as ov1;
use vaultstream_event_schemas::payload::Encoded;
use vaultstream_event_schemas::transfer::v1 as tv1;
use vaultstream_event_schemas::vault::v1 as vv1;
use vaultstream_event_schemas::{
    AccountId, Actor, Amount, ApiKeyId, AssetId, ChainId, CommandId, ExecutionId, Family, OrganizationId,
    Registry, SessionId, StreamId, Timestamp, TransferId, VaultId, id,
};

use crate::life::life;

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

pub fn block(height: u64) -> BlockRef {
    BlockRef {
        hash: format!("0x{height:064x}"),
        height,
    }
}

pub fn chain(n: usize) -> ChainId {
    ChainId::try_new(["eip155:31337", "eip155:31338"][n]).expect("valid")
}

pub fn asset(chain: usize, n: u64) -> AssetId {
    let word = if n == 0 {
        "slip44:60".to_owned()
    } else {
        format!("erc20:0x{n:040x}")
    };
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
        let shard = self
            .registry
            .place(family, owner.unwrap_or(bare))
            .expect("a configured family");
        id::with_shard(bare, shard)
    }

    fn chain_family(&self, chain: usize) -> Family {
        let chains = self
            .registry
            .entries()
            .iter()
            .filter(|e| matches!(e.family, Family::Chain(_)) && e.k == 0);
        chains.map(|e| e.family.clone()).nth(chain).expect("two chains")
    }

    /// Adds events to a stream; they are appended with the next [`Self::append`].
    pub fn add(&mut self, stream: impl Into<StreamId>, at: (OrganizationId, Owner), events: &[Event]) {
        let encoded = events
            .iter()
            .map(|event| event.encode().expect("canonical"))
            .collect();
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
        let streams = vec![StreamAppend {
            stream,
            expected,
            events: hashed,
        }];
        self.made.push(AppendCommand {
            shard: stream.shard(),
            streams,
        });
    }

    fn organization(&mut self, n: usize) {
        let id = OrganizationId::from_uuid(self.placed(&Family::Core, None));
        self.organizations.push(id);
        let name = format!("Organization {n}");
        let registered = ov1::Registered {
            approval: ov1::Approval::One,
            contact: None,
            name,
        };
        self.add(
            id,
            (id, Owner::Itself),
            &[OrganizationEvent::from(registered).into()],
        );
        let key = ApiKeyId::from_uuid(self.placed(&Family::Core, Some(id.uuid())));
        let issued = ov1::KeyIssued {
            expires_at: None,
            name: "first".into(),
            organization: id,
            scopes: vec!["vaults:read".into()],
            secret_sha256: "00".repeat(32),
        };
        self.add(key, (id, Owner::Itself), &[ApiKeyEvent::from(issued).into()]);
        let session = SessionId::from_uuid(self.placed(&Family::Core, Some(id.uuid())));
        let expires_at = Timestamp::from_micros(self.now + 60_000_000);
        let scopes = vec!["vaults:read".to_owned()];
        let offered = ov1::SessionOffered {
            code_sha256: "11".repeat(32),
            expires_at,
            key,
            scopes: scopes.clone(),
        };
        let opened = ov1::SessionOpened {
            expires_at,
            key,
            scopes,
            secret_sha256: "22".repeat(32),
        };
        let events = vec![
            SessionEvent::from(offered).into(),
            SessionEvent::from(opened).into(),
        ];
        self.add(session, (id, Owner::Itself), &events);
        if n == 1 {
            let revoked = ov1::KeyRevoked {
                reason: "a test".into(),
            };
            self.add(key, (id, Owner::Itself), &[ApiKeyEvent::from(revoked).into()]);
        }
        self.vault(id);
    }

    pub fn vault(&mut self, organization: OrganizationId) -> VaultId {
        let id = VaultId::from_uuid(self.placed(&Family::Core, Some(organization.uuid())));
        self.vaults.push((id, organization));
        let (n, tier) = (
            self.vaults.len(),
            *self.dice.pick(&[vv1::Tier::Hot, vv1::Tier::Warm]),
        );
        let owner = Owner::Vault(id);
        let name = format!("{} {n}", self.dice.pick(&["Operations", "Ostrich", "Treasury"]));
        self.add(
            id,
            (organization, owner),
            &[V::from(vv1::VaultCreated { name, tier }).into()],
        );
        for chain in 0..2 {
            let family = self.chain_family(chain);
            let account = AccountId::from_uuid(self.placed(&family, Some(id.uuid())));
            self.accounts.push(Account {
                id: account,
                vault: id,
                organization,
                chain,
            });
            let chain = self::chain(chain);
            let added = vv1::AccountAdded {
                account,
                chain: chain.clone(),
            };
            self.add(id, (organization, owner), &[V::from(added).into()]);
            let requested = vv1::AccountRequested {
                chain,
                custody: vv1::Custody::Software,
                vault: id,
            };
            let address = format!("0xAb{:038x}", self.count);
            let opened = vv1::AccountOpened {
                address,
                public_key: "02".repeat(33),
            };
            let events = vec![A::from(requested).into(), A::from(opened).into()];
            self.add(account, (organization, owner), &events);
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
        self.add(
            id,
            (account.organization, Owner::Vault(account.vault)),
            &[T::from(requested).into()],
        );
        self.transfers.push((id, account.organization));
        self.moving.push(Moving {
            id,
            account,
            execution,
            step: 0,
        });
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
            0 => V::from(vv1::VaultArchived {
                reason: "over".into(),
            }),
            _ => V::from(vv1::VaultRenamed {
                name: format!("Renamed {}", self.dice.roll(50)),
            }),
        };
        self.add(id, (organization, Owner::Vault(id)), &[event.into()]);
    }

    fn account_event(&mut self) {
        let account = *self.dice.pick(&self.accounts.clone());
        let event = match self.dice.roll(10) {
            0 => A::from(vv1::AccountFrozen {
                reason: "a look".into(),
            }),
            1 => A::from(vv1::AccountUnfrozen {
                reason: "seen".into(),
            }),
            2 => A::from(vv1::AccountLabelled {
                label: format!("Label {}", self.dice.roll(30)),
            }),
            _ => {
                let minor = match self.dice.roll(20) {
                    0 => Amount::from_be_bytes([0xff; 32]),
                    n => Amount::from_u128(u128::from(n) << 70),
                };
                let block = block(self.dice.roll(1_000));
                A::from(vv1::BalanceObserved {
                    asset: asset(account.chain, self.dice.roll(2)),
                    block,
                    minor,
                })
            }
        };
        self.add(
            account.id,
            (account.organization, Owner::Vault(account.vault)),
            &[event.into()],
        );
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
            self.add(
                execution,
                place,
                &moves.into_iter().map(Into::into).collect::<Vec<_>>(),
            );
        }
        if !transfer.is_empty() {
            self.add(
                id,
                place,
                &transfer.into_iter().map(Into::into).collect::<Vec<_>>(),
            );
        }
        match next {
            Some(next) => self.moving[at].step = next,
            None => drop(self.moving.swap_remove(at)),
        }
    }

    /// Appends what was added; the hlc follows a clock that stands still between calls.
    pub async fn append(&mut self, log: &dyn EventLog) {
        for batch in std::mem::take(&mut self.made).chunks(200) {
            let outcomes = log
                .append(batch.to_vec(), Some(Timestamp::from_micros(self.now)))
                .await
                .expect("appended");
            assert!(
                outcomes
                    .iter()
                    .all(|o| matches!(o, AppendOutcome::Committed { .. })),
                "{outcomes:?}"
            );
        }
    }

    /// That many more things happen, durably.
    /// Lets time pass in which nothing happens.
    pub fn rest_us(&mut self, us: i64) {
        self.now += us;
    }

    pub async fn live(&mut self, log: &dyn EventLog, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
        self.append(log).await;
    }
}
