//! First-start seeds: the platform's own organization and key, and with `--demo` a demo organization with two funded
//! sandbox vaults, its key in `demo.key`, and a one-time link that opens a browser session.
//!
//! Every step is safe to repeat: ids are derived, a key's text is written (0600) before the key is issued, and a use
//! case that has had its effect changes nothing. A crash anywhere is finished by the next start.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use vaultstream_domain::error::Coded;
use vaultstream_domain::organization::{
    ApiKey, IssueApiKey, OfferSession, OrganizationCommand, RegisterOrganization, scope,
};
use vaultstream_domain::platform::platform_organization;
use vaultstream_domain::ports::{Clock, EventLog, Ids, Rng};
use vaultstream_domain::vault::{Account, CreateVault};
use vaultstream_domain::{CommandContext, Transact};
use vaultstream_event_schemas::chain::ChainSettings;
use vaultstream_event_schemas::organization::v1::{Approval, KeyIssued, SessionOffered};
use vaultstream_event_schemas::vault::v1::{AccountAdded, Tier, VaultCreated};
use vaultstream_event_schemas::{
    AccountId, Actor, Amount, ApiKeyId, CommandId, ErrorCode, Family, OrganizationId, SessionId, VaultId, id,
};
use vaultstream_gateway::credential::{self, Secret};
use vaultstream_kernel::{ExecuteError, Executor, load_state};

use crate::assembly::ChainParts;

/// How long a one-time link works.
const LINK_SECONDS: i64 = 15 * 60;
/// What the faucet gives each demo account: 100 whole units.
const DEMO_UNITS: &str = "100";
/// How long to wait for demo accounts to open.
const OPEN_WAIT_MS: u64 = 30_000;

/// What seeding needs.
pub struct Seeds<'a> {
    /// The truth.
    pub log: Arc<dyn EventLog>,
    /// Runs use cases.
    pub executor: Executor,
    /// Identities.
    pub ids: Arc<dyn Ids>,
    /// Secrets.
    pub rng: Arc<dyn Rng>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where key files go.
    pub data_dir: &'a Path,
}

/// What the demo printed link and files are.
pub struct Demo {
    /// The file with the demo organization's key.
    pub key_file: PathBuf,
    /// What follows the product's address in the one-time link.
    pub link_path: String,
}

impl Seeds<'_> {
    fn context(&self) -> CommandContext {
        CommandContext {
            actor: Actor::system("seed"),
            command: CommandId::from_uuid(self.ids.next()),
            causation: None,
            trace: None,
        }
    }

    /// Runs a use case; having been done before counts as done.
    async fn ensure(&self, use_case: impl Transact + 'static) -> Result<()> {
        match self.executor.execute(self.context(), Arc::new(use_case)).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(refusal)) if refusal.code() == ErrorCode::AlreadyExists => Ok(()),
            Err(error) => Err(error).context("a seed was not taken"),
        }
    }

    /// The platform's organization and the key that may register others, in `platform.key`.
    pub async fn platform(&self) -> Result<()> {
        let organization = platform_organization(&self.log.registry());
        self.organization(organization, "Platform", Approval::One).await?;
        self.key(organization, "platform", "platform.key").await?;
        Ok(())
    }

    async fn organization(&self, organization: OrganizationId, name: &str, approval: Approval) -> Result<()> {
        let command = OrganizationCommand::Register {
            name: name.to_owned(),
            approval,
            contact: None,
        };
        self.ensure(RegisterOrganization {
            organization,
            command,
        })
        .await
    }

    /// A key with every scope; its text is in the file before the key is issued.
    async fn key(&self, organization: OrganizationId, name: &str, file: &str) -> Result<ApiKeyId> {
        let path = self.data_dir.join(file);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim_end().to_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let key = ApiKeyId::from_uuid(id::with_shard(self.ids.next(), organization.shard()));
                let text = Secret::generate(self.rng.as_ref()).text_for(key);
                write_secret(&path, &text)?;
                text
            }
            Err(e) => return Err(e).with_context(|| format!("{} cannot be read", path.display())),
        };
        let (key, secret) = credential::parse::<ApiKeyId>(&text)
            .with_context(|| format!("{} holds no API key; remove it to get a new one", path.display()))?;
        self.ensure(IssueApiKey {
            key,
            issue: KeyIssued {
                expires_at: None,
                name: name.to_owned(),
                organization,
                scopes: scope::all(),
                secret_sha256: secret.sha256_hex(),
            },
        })
        .await?;
        Ok(key)
    }

    /// The demo organization with two vaults on every sandbox chain, funded, and a fresh one-time link.
    pub async fn demo(&self, chains: &[ChainParts]) -> Result<Demo> {
        let registry = self.log.registry();
        let bare = id::derived("organization", &[b"demo"]);
        let shard = registry
            .place(&Family::Core, bare)
            .context("the registry has no core shard")?;
        let organization = OrganizationId::from_uuid(id::with_shard(bare, shard));
        self.organization(organization, "Demo", Approval::None).await?;
        let key = self.key(organization, "demo", "demo.key").await?;
        for name in ["Operations", "Payouts"] {
            self.vault(organization, name, chains).await?;
        }
        let link_path = self.link(key).await?;
        Ok(Demo {
            key_file: self.data_dir.join("demo.key"),
            link_path,
        })
    }

    async fn vault(&self, organization: OrganizationId, name: &str, chains: &[ChainParts]) -> Result<()> {
        let bare = id::derived("vault", &[b"demo", name.as_bytes()]);
        let vault = VaultId::from_uuid(id::with_shard(bare, organization.shard()));
        let mut accounts = Vec::new();
        for chain in chains.iter().filter(|c| c.faucet.is_some()) {
            accounts.push(AccountAdded {
                account: self.account_id(vault, &chain.chain.settings)?,
                chain: chain.chain.settings.id.clone(),
            });
        }
        let create = VaultCreated {
            name: name.to_owned(),
            tier: Tier::Hot,
        };
        self.ensure(CreateVault {
            vault,
            organization,
            create,
            accounts: accounts.clone(),
        })
        .await?;
        for (account, chain) in accounts.iter().zip(chains.iter().filter(|c| c.faucet.is_some())) {
            self.fund(account.account, chain).await?;
        }
        Ok(())
    }

    fn account_id(&self, vault: VaultId, chain: &ChainSettings) -> Result<AccountId> {
        let registry = self.log.registry();
        let shard = registry
            .place(&Family::Chain(chain.slug.clone()), vault.uuid())
            .with_context(|| format!("the registry has no shard of {}", chain.slug))?;
        let bare = id::derived(
            "account",
            &[vault.uuid().as_bytes(), chain.id.as_str().as_bytes(), b"1"],
        );
        Ok(AccountId::from_uuid(id::with_shard(bare, shard)))
    }

    /// Waits until the account is open and gives it money unless a balance was ever read.
    async fn fund(&self, account: AccountId, chain: &ChainParts) -> Result<()> {
        let Some(faucet) = &chain.faucet else {
            return Ok(());
        };
        let mut waited = 0;
        loop {
            let loaded = load_state(self.log.as_ref(), account.into()).await?;
            let state = <Account as vaultstream_domain::aggregate::OfState>::of(&loaded.state)
                .cloned()
                .unwrap_or_default();
            if !state.balances.is_empty() {
                return Ok(());
            }
            if let Some(address) = state.address {
                let decimals = chain.chain.settings.native().map_or(18, |a| a.decimals);
                let minor =
                    Amount::from_decimal(DEMO_UNITS, decimals).context("the demo's amount is sound")?;
                return faucet
                    .fund(&address, minor)
                    .await
                    .context("the sandbox faucet gave nothing");
            }
            if waited >= OPEN_WAIT_MS {
                bail!(
                    "demo account {account} did not open within {} s",
                    OPEN_WAIT_MS / 1000
                );
            }
            self.clock.sleep_ms(20).await;
            waited += 20;
        }
    }

    async fn link(&self, key: ApiKeyId) -> Result<String> {
        let loaded = load_state(self.log.as_ref(), key.into()).await?;
        let scopes = <ApiKey as vaultstream_domain::aggregate::OfState>::of(&loaded.state)
            .map(|k| k.scopes.clone())
            .unwrap_or_default();
        let session = SessionId::from_uuid(id::with_shard(self.ids.next(), key.shard()));
        let code = Secret::generate(self.rng.as_ref());
        let offer = SessionOffered {
            code_sha256: code.sha256_hex(),
            expires_at: self.clock.now().plus_seconds(LINK_SECONDS),
            key,
            scopes,
        };
        self.ensure(OfferSession { session, offer }).await?;
        Ok(vaultstream_command_api::link_path(session, &code))
    }
}

/// Writes a secret to a new file that only its owner can read, durably.
fn write_secret(path: &Path, text: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    Ok(())
}
