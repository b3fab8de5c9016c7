//! What a crash does not take: the log, the keystore, the notes, and a vault with money; and what people do.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_chain_evm::{address_of, checksummed};
use vaultstream_domain::aggregate::OfState;
use vaultstream_domain::execution::{ExecutionScope, Slots, SlotsState};
use vaultstream_domain::organization::{OrganizationCommand, RegisterOrganization};
use vaultstream_domain::ports::keys::KeySuite;
use vaultstream_domain::ports::{AccountKeys, Clock, EventLog, Ids};
use vaultstream_domain::transfer::{
    ChangeTransfer, RequestTransfer, Transfer, TransferCommand, execution_id,
};
use vaultstream_domain::vault::{Account, AccountState, CreateVault};
use vaultstream_domain::{CommandContext, Transact};
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::vault::v1::{AccountAdded, Tier, VaultCreated};
use vaultstream_event_schemas::{
    AccountId, Actor, Amount, AssetId, CommandId, Family, OrganizationId, StreamId, TransferId,
    TransferStatus, VaultId, id,
};
use vaultstream_infra_keystore::{Keystore, Options as KeystoreOptions};
use vaultstream_infra_runtime::{SystemClock, SystemIds, TokioSpawn};
use vaultstream_infra_sqlite::{Options as LogOptions, SqliteLog, SqliteProgress, Synchronous};
use vaultstream_kernel::tailer::TailOptions;
use vaultstream_kernel::{
    ExecuteError, Executor, LogBus, Options, Ports, Tailer, TracingObserver, load_state,
};
use vaultstream_workflows::{Chain, NoBarrier, Services};

use crate::net::{Net, native};
use crate::process::{Process, ScriptedCommands, ScriptedKeys, ScriptedNode};
use crate::script::Script;

/// Turns after which something counts as stuck.
const MAX_TURNS: usize = 60;

/// The trace of what a person asks for.
pub const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A tenant with a vault, over a chain.
pub struct World<'n> {
    pub net: &'n Net,
    pub log: Arc<dyn EventLog>,
    pub progress: Arc<SqliteProgress>,
    pub keystore: Arc<Keystore>,
    pub account: AccountId,
    /// Where transfers go: an address of nobody else's.
    pub payee: String,
    pub organization: OrganizationId,
    pub vault: VaultId,
    clock: Arc<dyn Clock>,
    people: Executor,
    stop: CancellationToken,
    _dir: TempDir,
}

fn ports(log: &Arc<dyn EventLog>) -> Ports {
    Ports {
        log: log.clone(),
        clock: Arc::new(SystemClock),
        spawn: Arc::new(TokioSpawn::new(Handle::current())),
        observer: Arc::new(TracingObserver),
    }
}

/// A tailer over a log, as the embedded assembly has it.
pub fn tailer(log: &Arc<dyn EventLog>) -> Tailer {
    let options = TailOptions {
        pause_ms: 5,
        ..TailOptions::default()
    };
    Tailer::new(
        Arc::new(LogBus::new(log.clone())),
        log.clone(),
        Arc::new(SystemClock),
        Arc::new(TracingObserver),
        options,
    )
}

impl<'n> World<'n> {
    /// A tenant and a vault with one account that is asked for and not yet open.
    pub async fn new(net: &'n Net, approval: Approval) -> Self {
        let dir = TempDir::new().expect("a directory");
        let chain = &net.settings;
        let families = vec![
            (Family::Core, 1),
            (Family::Audit, 1),
            (Family::Chain(chain.slug.clone()), 1),
        ];
        let mut options = LogOptions::new(dir.path().join("log.db"), families);
        options.synchronous = Synchronous::Normal;
        let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&options).expect("the log opens"));
        let progress = SqliteProgress::open(&dir.path().join("progress.db")).expect("progress opens");
        let keystore = Keystore::open(&KeystoreOptions {
            dir: dir.path().join("keys"),
            passphrase: None,
        })
        .expect("the keystore opens");
        let registry = log.registry();
        let place = |family: &Family, bare| {
            let shard = registry.place(family, bare).expect("a shard");
            id::with_shard(bare, shard)
        };
        let vault = VaultId::from_uuid(place(&Family::Core, SystemIds.next()));
        let family = Family::Chain(chain.slug.clone());
        let organization = OrganizationId::from_uuid(place(&Family::Core, SystemIds.next()));
        let account = AccountId::from_uuid(place(&family, SystemIds.next()));
        let payee = AccountId::from_uuid(place(&family, SystemIds.next()));
        let key = keystore
            .create(payee, KeySuite::Secp256k1)
            .await
            .expect("a key of the payee");
        let stop = CancellationToken::new();
        let world = Self {
            people: Executor::start(Options::default(), ports(&log), stop.clone()),
            payee: checksummed(&address_of(&key).expect("a point")),
            progress: Arc::new(progress),
            keystore: Arc::new(keystore),
            clock: Arc::new(SystemClock),
            _dir: dir,
            net,
            log,
            account,
            organization,
            vault,
            stop,
        };
        world.found(approval).await;
        world
    }

    async fn found(&self, approval: Approval) {
        let register = RegisterOrganization {
            organization: self.organization,
            command: OrganizationCommand::Register {
                name: "Tenant".to_owned(),
                approval,
                contact: None,
            },
        };
        self.run(register).await.expect("registered");
        let create = CreateVault {
            vault: self.vault,
            organization: self.organization,
            create: VaultCreated {
                name: "Vault".to_owned(),
                tier: Tier::Hot,
            },
            accounts: vec![AccountAdded {
                account: self.account,
                chain: self.net.settings.id.clone(),
            }],
        };
        self.run(create).await.expect("created");
    }

    /// A tenant whose account is open and holds so much.
    pub async fn ready(net: &'n Net, approval: Approval, wei: u128) -> Self {
        let world = Self::new(net, approval).await;
        let mut process = Process::start(&world, Script::calm());
        process.step().await;
        world.give(wei).await;
        world.drive(process, async || world.holds().await == wei).await;
        world
    }

    /// Sees to it that time is another one for what is started from now on.
    pub fn at(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Gives the account money, from the next block on.
    pub async fn give(&self, wei: u128) {
        let address = self.address().await.expect("an open account");
        self.net.fund(&address, wei).await;
    }

    /// What a process works with, under a script.
    pub fn services(&self, script: &Arc<Script>, stop: &CancellationToken) -> Services {
        let executor = Executor::start(Options::default(), ports(&self.log), stop.clone());
        let keys = Arc::new(ScriptedKeys(self.keystore.clone(), script.clone()));
        let chain = Chain {
            settings: self.net.settings.clone(),
            node: Arc::new(ScriptedNode(self.net.node.clone(), script.clone())),
        };
        Services {
            log: self.log.clone(),
            tailer: tailer(&self.log),
            commands: Arc::new(ScriptedCommands(executor, script.clone())),
            clock: self.clock.clone(),
            ids: Arc::new(SystemIds),
            progress: self.progress.clone(),
            account_keys: keys.clone(),
            signing: keys,
            barrier: Arc::new(NoBarrier),
            chains: Arc::new(BTreeMap::from([(self.net.settings.id.clone(), chain)])),
            boundary: script.clone(),
        }
    }

    /// What a person does; nothing goes wrong with that.
    pub async fn run(&self, use_case: impl Transact + 'static) -> Result<(), ExecuteError> {
        let context = CommandContext {
            actor: Actor::system("test"),
            command: CommandId::from_uuid(SystemIds.next()),
            causation: None,
            trace: Some(TRACE.to_owned()),
        };
        let done = self.people.execute(context, Arc::new(use_case)).await;
        done.map(drop)
    }

    pub async fn load<D: OfState>(&self, stream: impl Into<StreamId>) -> D::State
    where
        D::State: Clone,
    {
        let loaded = load_state(self.log.as_ref(), stream.into()).await;
        let loaded = loaded.expect("a readable stream");
        D::of(&loaded.state).cloned().expect("the kind of its id")
    }

    pub async fn state(&self) -> AccountState {
        self.load::<Account>(self.account).await
    }

    pub async fn address(&self) -> Option<String> {
        self.state().await.address
    }

    /// What the account was last seen to hold.
    pub async fn holds(&self) -> u128 {
        self.holds_of(&native()).await
    }

    pub async fn holds_of(&self, asset: &AssetId) -> u128 {
        let state = self.state().await;
        let balance = state.balances.get(asset);
        balance.map_or(0, |b| b.minor.to_u128().expect("below 2^128"))
    }

    pub async fn slots(&self) -> SlotsState {
        self.load::<Slots>(self.account.slots()).await
    }

    /// What is committed and not gone from the balance last seen.
    pub async fn committed(&self) -> Amount {
        let height = self.state().await.balances.get(&native()).map(|b| b.block.height);
        self.slots().await.committed(&native(), height.unwrap_or(0))
    }

    /// What a person may ask for now.
    pub async fn spendable(&self) -> u128 {
        let (account, slots) = (self.state().await, self.slots().await);
        let amount = vaultstream_domain::execution::spendable(&account, &slots, &native());
        amount.to_u128().expect("below 2^128")
    }

    pub fn intent(&self, wei: u128, fee_max: Option<u128>) -> Requested {
        Requested {
            account: self.account,
            amount: Amount::from_u128(wei),
            asset: native(),
            destination: self.payee.clone(),
            expires_at: SystemClock.now().plus_seconds(3_600),
            external_id: None,
            fee_max: fee_max.map(Amount::from_u128),
            memo: None,
            vault: self.vault,
        }
    }

    /// Asks for a transfer to the payee.
    pub async fn request(&self, wei: u128) -> TransferId {
        self.ask(self.intent(wei, None)).await.expect("requested")
    }

    pub async fn ask(&self, request: Requested) -> Result<TransferId, ExecuteError> {
        let transfer = TransferId::from_uuid(id::with_shard(SystemIds.next(), self.account.shard()));
        let organization = self.organization;
        self.run(RequestTransfer {
            transfer,
            organization,
            request,
        })
        .await?;
        Ok(transfer)
    }

    pub async fn change(&self, transfer: TransferId, command: TransferCommand) -> Result<(), ExecuteError> {
        self.run(ChangeTransfer {
            transfer,
            account: self.account,
            organization: self.organization,
            vault: self.vault,
            expected: None,
            command,
        })
        .await
    }

    pub async fn status(&self, transfer: TransferId) -> TransferStatus {
        let state = self.load::<Transfer>(transfer).await;
        state.status.expect("it was requested")
    }

    pub fn scope(&self, transfer: TransferId) -> ExecutionScope {
        ExecutionScope {
            execution: execution_id(transfer),
            account: self.account,
            organization: self.organization,
            vault: self.vault,
        }
    }

    /// Whether all of them are over and nothing is committed any more.
    pub async fn settled(&self, transfers: &[TransferId]) -> bool {
        for transfer in transfers {
            if !self.status(*transfer).await.is_terminal() {
                return false;
            }
        }
        self.committed().await.is_zero()
    }

    /// Steps a process, a block a turn, and a fresh calm one after each death, until `done`.
    pub async fn drive(&self, mut process: Process, mut done: impl AsyncFnMut() -> bool) -> Process {
        for _ in 0..MAX_TURNS {
            if !process.step().await {
                process = Process::start(self, Script::calm());
            }
            if done().await {
                return process;
            }
            self.net.mine(1).await;
        }
        let (slots, state) = (self.slots().await, self.state().await);
        panic!("still not done after {MAX_TURNS} blocks: {slots:?}, {state:?}");
    }

    /// Drives a process until these transfers are settled.
    pub async fn settle(&self, process: Process, transfers: &[TransferId]) -> Process {
        self.drive(process, async || self.settled(transfers).await).await
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
