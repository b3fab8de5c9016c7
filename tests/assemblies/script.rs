//! The script, its time and its ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use anyhow::Result;
use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Coded;
use vaultstream_domain::organization::{IssueApiKey, OrganizationCommand, RegisterOrganization};
use vaultstream_domain::ports::{Clock, EventLog};
use vaultstream_domain::transfer::{ChangeTransfer, RequestTransfer, TransferCommand};
use vaultstream_domain::vault::{
    AccountCommand, ChangeAccount, ChangeVault, CreateVault, RequestAccount, VaultCommand,
};
use vaultstream_domain::{CommandContext, Transact};
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::organization::v1::{Approval, KeyIssued};
use vaultstream_event_schemas::transfer::v1::{Requested, Screened};
use vaultstream_event_schemas::vault::v1;
use vaultstream_event_schemas::{
    AccountId, Actor, ApiKeyId, CommandId, OrganizationId, ShardNumber, Timestamp, TransferId, VaultId, id,
};
use vaultstream_infra_runtime::TokioSpawn;
use vaultstream_kernel::{Executor, Options, Ports, TracingObserver};

const CORE: ShardNumber = ShardNumber(1);
const CHAIN: ShardNumber = ShardNumber(4);
const ASSET: &str = "eip155:31337/slip44:60";
const START_US: i64 = 1_795_000_000_000_000;

/// Time that goes on by a hundred microseconds with each command, and stands still for three commands in every ten, so
/// that the log's clock must both follow and run ahead. However often a slow engine makes the executor look, it reads the same.
#[derive(Default)]
struct Steps(AtomicI64);

impl Steps {
    fn advance(&self, command: u64) {
        if command % 10 >= 3 {
            self.0.fetch_add(100, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(START_US + self.0.load(Ordering::SeqCst))
    }
    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
    }
}

/// Runs commands one after another and writes down what each caller is told.
struct Script {
    executor: Executor,
    clock: Arc<Steps>,
    commands: AtomicU64,
    told: Vec<String>,
}

fn fixed(n: u128, shard: ShardNumber) -> uuid::Uuid {
    let spread = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    id::with_shard(id::random(1_795_000_000_000, spread), shard)
}

impl Script {
    async fn step(&mut self, use_case: impl Transact + 'static) {
        let n = self.commands.fetch_add(1, Ordering::SeqCst);
        self.clock.advance(n);
        let context = CommandContext {
            actor: Actor::system("script"),
            command: CommandId::from_uuid(fixed(1_000_000 + u128::from(n), CORE)),
            causation: None,
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        };
        let told = match self.executor.execute(context, Arc::new(use_case)).await {
            Ok(committed) => format!("{:?} {:?}", committed.positions, committed.events),
            Err(error) => format!("{:?}", error.code()),
        };
        self.told.push(format!("{n}: {told}"));
    }

    async fn organization(&mut self, organization: OrganizationId, name: &str) {
        let command = OrganizationCommand::Register {
            name: name.to_owned(),
            approval: Approval::One,
            contact: None,
        };
        self.step(RegisterOrganization {
            organization,
            command,
        })
        .await;
    }

    async fn vault(
        &mut self,
        organization: OrganizationId,
        vault: VaultId,
        account: AccountId,
    ) -> Result<()> {
        let chain: vaultstream_event_schemas::ChainId = "eip155:31337".parse()?;
        self.step(CreateVault {
            vault,
            organization,
            create: v1::VaultCreated {
                name: "Treasury \u{1f512}".to_owned(),
                tier: v1::Tier::Hot,
            },
            accounts: vec![v1::AccountAdded {
                account,
                chain: chain.clone(),
            }],
        })
        .await;
        self.step(RequestAccount {
            account,
            organization,
            request: v1::AccountRequested {
                chain,
                custody: v1::Custody::Software,
                vault,
            },
        })
        .await;
        let change = |command| ChangeAccount {
            account,
            organization,
            vault,
            expected: None,
            command,
        };
        let opened = v1::AccountOpened {
            address: "0x52908400098527886E0F7030069857D2E4169EE7".into(),
            public_key: format!("02{}", "cd".repeat(32)),
        };
        self.step(change(AccountCommand::Open(opened))).await;
        for height in 1..6 {
            let reading = v1::BalanceObserved {
                asset: ASSET.parse()?,
                block: BlockRef {
                    hash: format!("0x{height:064x}"),
                    height,
                },
                minor: format!("{}", height / 2 * 1_000_000).parse()?,
            };
            // Every other reading is no news and writes nothing.
            self.step(change(AccountCommand::ObserveBalance(reading))).await;
        }
        Ok(())
    }

    async fn transfer(
        &mut self,
        organization: OrganizationId,
        (vault, account): (VaultId, AccountId),
        (transfer, amount): (TransferId, &str),
    ) -> Result<()> {
        let request = Requested {
            account,
            amount: amount.parse()?,
            asset: ASSET.parse()?,
            destination: "0x8617E340B3D01FA5F11F306F4090FD50E238070D".into(),
            expires_at: Timestamp::from_micros(START_US).plus_seconds(86_400),
            external_id: Some("invoice/1".into()),
            fee_max: Some("1000".parse()?),
            memo: None,
            vault,
        };
        for _ in 0..2 {
            // The second time it exists.
            self.step(RequestTransfer {
                transfer,
                organization,
                request: request.clone(),
            })
            .await;
        }
        let change = |expected, command| ChangeTransfer {
            transfer,
            account,
            organization,
            vault,
            expected,
            command,
        };
        let screened = Screened {
            approvals_needed: 1,
            rule: "the organization asks for one approval".to_owned(),
        };
        self.step(change(None, TransferCommand::RecordScreening(screened)))
            .await;
        let now = Timestamp::from_micros(START_US);
        self.step(change(Some(7), TransferCommand::Approve { now })).await;
        self.step(change(Some(2), TransferCommand::Approve { now })).await;
        Ok(())
    }
}

/// Runs the whole script; what its callers were told.
pub async fn run(log: &Arc<dyn EventLog>) -> Result<Vec<String>> {
    let options = Options {
        engine_clock: false,
        ..Options::default()
    };
    let clock = Arc::new(Steps::default());
    let ports = Ports {
        log: log.clone(),
        clock: clock.clone(),
        spawn: Arc::new(TokioSpawn::new(Handle::current())),
        observer: Arc::new(TracingObserver),
    };
    let mut script = Script {
        executor: Executor::start(options, ports, CancellationToken::new()),
        clock,
        commands: AtomicU64::new(0),
        told: Vec::new(),
    };
    for n in 0..4 {
        let organization = OrganizationId::from_uuid(fixed(n * 10, CORE));
        script
            .organization(organization, &format!("Organization {n}"))
            .await;
        script.organization(organization, "again").await;
        script
            .step(IssueApiKey {
                key: ApiKeyId::from_uuid(fixed(n * 10 + 1, CORE)),
                issue: KeyIssued {
                    expires_at: None,
                    name: "key".to_owned(),
                    organization,
                    scopes: vaultstream_domain::organization::scope::all(),
                    secret_sha256: "ab".repeat(32),
                },
            })
            .await;
        let vault = VaultId::from_uuid(fixed(n * 10 + 2, CORE));
        let account = AccountId::from_uuid(fixed(n * 10 + 3, CHAIN));
        script.vault(organization, vault, account).await?;
        for (k, amount) in ["1", "500000", "99999999999999"].into_iter().enumerate() {
            let transfer = TransferId::from_uuid(fixed(10_000 + n * 10 + u128::try_from(k)?, CHAIN));
            script
                .transfer(organization, (vault, account), (transfer, amount))
                .await?;
        }
        for name in ["", "Second name", "Second name"] {
            let command = VaultCommand::Rename {
                name: name.to_owned(),
            };
            let expected = None;
            script
                .step(ChangeVault {
                    vault,
                    organization,
                    expected,
                    command,
                })
                .await;
        }
    }
    Ok(script.told)
}
