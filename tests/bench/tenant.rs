//! An organization written straight into a log: its keys, a vault, an open account that holds a fortune, and transfers.
//! So a row needs no role but those it measures, and a million transfers take a minute.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use vaultstream_domain::Event;
use vaultstream_domain::organization::scope;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{AppendCommand, AppendOutcome, StreamAppend};
use vaultstream_domain::vault::AccountEvent;
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::envelope::{Envelope, GENESIS, Hash, HashedEvent, Owner};
use vaultstream_event_schemas::organization::v1::{Approval, KeyIssued, Registered};
use vaultstream_event_schemas::payload::{Encoded, encode};
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::vault::v1::{
    AccountAdded, AccountOpened, AccountRequested, BalanceObserved, Custody, Tier, VaultCreated,
};
use vaultstream_event_schemas::{
    AccountId, Actor, ApiKeyId, AssetId, CommandId, Family, OrganizationId, ShardNumber, StreamId, Timestamp,
    TransferId, VaultId, id,
};
use vaultstream_gateway::credential::Secret;
use vaultstream_infra_runtime::SystemRng;

/// What is paid with.
pub const ASSET: &str = "eip155:31337/slip44:60";
/// Where it goes.
const SOMEWHERE: &str = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";
/// A trace context as callers send it.
pub const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// Commands of one append.
const TOGETHER: usize = 256;
const NOW_US: i64 = 1_800_000_000_000_000;
const FAR_US: i64 = 4_000_000_000_000_000;

/// What a client sends to pay a little from a vault.
pub fn body(vault: &str) -> String {
    format!(
        "{{\"vaultId\":\"{vault}\",\"asset\":\"{ASSET}\",\"amount\":\"1\",\"destination\":\"{SOMEWHERE}\"}}"
    )
}

/// Opens an account and gives it a fortune.
pub fn open_account(vault: VaultId) -> Result<[AccountEvent; 3]> {
    let asset: AssetId = ASSET.parse()?;
    let block = BlockRef {
        hash: format!("0x{}", "ab".repeat(32)),
        height: 1,
    };
    Ok([
        AccountRequested {
            chain: asset.chain(),
            custody: Custody::Software,
            vault,
        }
        .into(),
        AccountOpened {
            address: "0x52908400098527886E0F7030069857D2E4169EE7".into(),
            public_key: format!("02{}", "cd".repeat(32)),
        }
        .into(),
        BalanceObserved {
            asset,
            block,
            minor: "1000000000000000000000".parse()?,
        }
        .into(),
    ])
}

/// Where things of a log go: the first core shard, and the shards of its first chain.
fn places(log: &dyn EventLog) -> Result<(ShardNumber, Vec<ShardNumber>)> {
    let registry = log.registry();
    let core = registry
        .shards_of(&Family::Core)
        .next()
        .context("no core shard")?;
    let chain = registry
        .entries()
        .iter()
        .find(|e| matches!(e.family, Family::Chain(_)));
    let chain = registry.shards_of(&chain.context("no chain")?.family).collect();
    Ok((core, chain))
}

/// An organization and its writer.
pub struct Tenant {
    log: Arc<dyn EventLog>,
    number: u32,
    incarnations: BTreeMap<ShardNumber, u32>,
    core: ShardNumber,
    chain: Vec<ShardNumber>,
    /// Itself.
    pub organization: OrganizationId,
    /// Its vault.
    pub vault: VaultId,
    account: AccountId,
    heads: BTreeMap<StreamId, (u64, Hash)>,
    serial: u64,
}

impl Tenant {
    /// Founds an organization that wants every transfer approved, with one vault and one account. Its number keeps it
    /// apart from others in the same log.
    pub async fn found(log: Arc<dyn EventLog>, number: u32) -> Result<Self> {
        let (core, chain) = places(log.as_ref())?;
        let heads = log.heads().await?;
        let first = *chain.first().context("no chain shard")?;
        let named = |what, shard| id::with_shard(entropy(number, what), shard);
        let mut tenant = Self {
            incarnations: heads.iter().map(|(s, h)| (*s, h.incarnation)).collect(),
            log,
            number,
            core,
            organization: OrganizationId::from_uuid(named(1, core)),
            vault: VaultId::from_uuid(named(2, core)),
            account: AccountId::from_uuid(named(3, first)),
            chain,
            heads: BTreeMap::new(),
            serial: 1_000,
        };
        tenant.settle().await?;
        Ok(tenant)
    }

    async fn settle(&mut self) -> Result<()> {
        let (organization, vault, account) = (self.organization, self.vault, self.account);
        let registered = Registered {
            approval: Approval::One,
            contact: None,
            name: format!("Bench {}", self.number),
        };
        self.put(organization.into(), Owner::Itself, vec![encode(&registered)?])
            .await?;
        let created = VaultCreated {
            name: "Operations".into(),
            tier: Tier::Hot,
        };
        let added = AccountAdded {
            account,
            chain: ASSET.parse::<AssetId>()?.chain(),
        };
        self.put(
            vault.into(),
            Owner::Itself,
            vec![encode(&created)?, encode(&added)?],
        )
        .await?;
        let opened: Result<Vec<Encoded>, _> = open_account(vault)?
            .into_iter()
            .map(|event| Event::from(event).encode())
            .collect();
        self.put(account.into(), Owner::Vault(vault), opened?).await?;
        Ok(())
    }

    /// A new key with every scope; its text.
    pub async fn key(&mut self) -> Result<String> {
        self.serial += 1;
        let key = ApiKeyId::from_uuid(id::with_shard(entropy(self.number, self.serial), self.core));
        let secret = Secret::generate(&SystemRng);
        let issued = KeyIssued {
            expires_at: None,
            name: "bench".into(),
            organization: self.organization,
            scopes: scope::all(),
            secret_sha256: secret.sha256_hex(),
        };
        self.put(key.into(), Owner::Itself, vec![encode(&issued)?])
            .await?;
        Ok(secret.text_for(key))
    }

    /// Requests some new transfers in one append, all in the first shard of the chain; the events' names.
    pub async fn request_now(&mut self, count: u32) -> Result<Vec<String>> {
        let (requested, kept) = (encode(&self.requested()?)?, self.heads.clone());
        let shard = *self.chain.first().context("no chain shard")?;
        let mut batch = Vec::new();
        for _ in 0..count {
            self.serial += 1;
            let transfer = TransferId::from_uuid(id::with_shard(entropy(self.number, self.serial), shard));
            batch.push(self.command(transfer.into(), Owner::Vault(self.vault), vec![requested.clone()])?);
        }
        self.heads = kept;
        let written = batch.iter().flat_map(|command| &command.streams);
        let written = written.flat_map(|part| &part.events);
        let names = written.map(|e| e.envelope.event_ref().to_string()).collect();
        committed(&self.log.append(batch, None).await?)?;
        Ok(names)
    }

    /// Requests so many new transfers, spread over the shards of the chain; some of them, for whoever reads.
    pub async fn request(&mut self, count: u64) -> Result<Vec<TransferId>> {
        let requested = encode(&self.requested()?)?;
        let (mut sample, first, kept) = (Vec::new(), self.serial, self.heads.clone());
        let lanes = u64::try_from(self.chain.len())?;
        let step = u64::try_from(TOGETHER)? * lanes;
        for from in (0..count).step_by(usize::try_from(step)?) {
            let mut batches = vec![Vec::new(); self.chain.len()];
            for n in from..count.min(from + step) {
                let lane = usize::try_from(n % lanes)?;
                let name = entropy(self.number, first + 1 + n);
                let transfer = TransferId::from_uuid(id::with_shard(name, self.chain[lane]));
                if n % 97 == 0 {
                    sample.push(transfer);
                }
                batches[lane].push(self.command(
                    transfer.into(),
                    Owner::Vault(self.vault),
                    vec![requested.clone()],
                )?);
            }
            let appends = batches.into_iter().filter(|b| !b.is_empty()).map(|batch| {
                let log = Arc::clone(&self.log);
                async move { committed(&log.append(batch, None).await?) }
            });
            try_join_all(appends).await?;
            // Streams that are never written again are not remembered.
            self.heads.clone_from(&kept);
        }
        self.serial = first + 1 + count;
        Ok(sample)
    }

    fn requested(&self) -> Result<Requested> {
        Ok(Requested {
            account: self.account,
            amount: "1000".parse()?,
            asset: ASSET.parse()?,
            destination: SOMEWHERE.into(),
            expires_at: Timestamp::from_micros(FAR_US),
            external_id: None,
            fee_max: None,
            memo: None,
            vault: self.vault,
        })
    }

    /// Appends to one stream.
    async fn put(&mut self, stream: StreamId, owner: Owner, events: Vec<Encoded>) -> Result<()> {
        let command = self.command(stream, owner, events)?;
        committed(&self.log.append(vec![command], None).await?)
    }

    fn command(&mut self, stream: StreamId, owner: Owner, events: Vec<Encoded>) -> Result<AppendCommand> {
        let (expected, mut previous) = self.heads.get(&stream).copied().unwrap_or((0, GENESIS));
        let incarnation = self.incarnations.get(&stream.shard()).context("a known shard")?;
        let mut hashed = Vec::with_capacity(events.len());
        for (sequence, event) in (expected + 1..).zip(events) {
            let envelope = Envelope {
                actor: Actor::system("bench"),
                causation: None,
                command: CommandId::from_uuid(stream.id),
                incarnation: *incarnation,
                occurred_at: Timestamp::from_micros(NOW_US),
                organization: self.organization,
                owner,
                sequence,
                shard: stream.shard(),
                stream,
                trace: Some(TRACE.to_owned()),
                event_type: event.event_type.to_owned(),
                version: event.version,
            };
            let event = HashedEvent::try_new(envelope, event, previous)?;
            previous = event.hash;
            hashed.push(event);
        }
        let version = expected + u64::try_from(hashed.len())?;
        self.heads.insert(stream, (version, previous));
        Ok(AppendCommand {
            shard: stream.shard(),
            streams: vec![StreamAppend {
                stream,
                expected,
                events: hashed,
            }],
        })
    }
}

fn committed(answers: &[AppendOutcome]) -> Result<()> {
    let refused = answers
        .iter()
        .find(|answer| !matches!(answer, AppendOutcome::Committed { .. }));
    ensure!(refused.is_none(), "not committed: {refused:?}");
    Ok(())
}

/// An id of a tenant's thing: numbers far apart, as real ones are.
fn entropy(tenant: u32, thing: u64) -> uuid::Uuid {
    let number = (u128::from(tenant) << 64) | u128::from(thing);
    let spread = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    id::random(1_800_000_000_000, spread >> 32)
}
