//! The product as a user runs it: its binary, a data directory, its address, a key from a file.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use vaultstream_client::http::{Client, ClientError, With};
use vaultstream_client::{CreateVault, FaucetRequest, Problem, RequestTransfer, Transfer, Vault};
use vaultstream_event_schemas::TransferStatus;

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of a program that may wait to be read.
const MAX_LINES: usize = 4_096;
/// The native asset of the chains in these tests.
pub const ETH: &str = "eip155:31337/slip44:60";
/// One ether in wei.
pub const ETHER: u128 = 1_000_000_000_000_000_000;

/// A program the environment names; `cargo xtask test` sets these.
pub fn program(variable: &str) -> Result<PathBuf> {
    let path = std::env::var(variable)
        .with_context(|| format!("{variable} is not set; run the tests with `cargo xtask test`"))?;
    Ok(PathBuf::from(path))
}

/// A child process that ends with its owner, however the test ends.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts a program whose standard output is read line by line.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let output = child.stdout.take().context("standard output is piped")?;
        let (sender, lines) = sync_channel(MAX_LINES);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // A chatty program goes on; only what nobody reads in time is dropped.
                if let Err(TrySendError::Disconnected(_)) = sender.try_send(line) {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// The next line of standard output for which `wanted` has something to say.
    pub fn line<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> Result<T> {
        let until = Instant::now() + PATIENCE;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let line = self
                .lines
                .recv_timeout(left)
                .context("the program ended or said nothing that was waited for")?;
            if let Some(found) = wanted(&line) {
                return Ok(found);
            }
        }
        bail!("the program did not say what was waited for");
    }

    /// Ends it as the power does.
    pub fn kill(&mut self) {
        // A process that has ended already is as dead as it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Freezes it: connections stay open and nobody answers.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> Result<()> {
        let mut kill = Command::new("kill");
        let sent = kill.arg(format!("-{name}")).arg(self.id().to_string()).status()?;
        ensure!(sent.success(), "SIG{name} could not be sent");
        Ok(())
    }

    /// Waits until it ends by itself.
    pub async fn wait_for_end(&mut self) -> Result<std::process::ExitStatus> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the program did not end");
    }

    /// Asks it to end.
    pub async fn terminate(&mut self) -> Result<std::process::ExitStatus> {
        self.signal("TERM")?;
        self.wait_for_end().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How to run the product.
#[derive(Clone)]
pub struct Setup {
    /// Keeps the data directory of all runs.
    data: Arc<TempDir>,
    /// More configuration, as TOML; empty for the embedded default.
    pub config: String,
    /// Environment of the process.
    pub env: Vec<(String, String)>,
    /// Where its own log lines go; the test's unless set.
    pub log: Option<PathBuf>,
}

impl Setup {
    /// The embedded default with an empty data directory.
    pub fn new() -> Result<Self> {
        Ok(Self {
            data: Arc::new(tempfile::tempdir()?),
            config: String::new(),
            env: Vec::new(),
            log: None,
        })
    }

    /// The same data, another configuration.
    pub fn with_config(mut self, config: impl Into<String>) -> Self {
        self.config = config.into();
        self
    }

    /// The same data, one more variable.
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// A client of a product of this set-up under the platform organization's key.
    pub fn platform(&self, product: &Product) -> Result<Client> {
        let key = std::fs::read_to_string(self.data_dir().join("platform.key"))?;
        Ok(Client::try_new(&product.base, Some(key.trim_end()))?)
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(program("VAULTSTREAM_BIN")?);
        let data = self.data_dir();
        command
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data);
        if !self.config.is_empty() {
            let file = self.data.path().join("vaultstream.toml");
            std::fs::write(&file, &self.config)?;
            command.arg("--config").arg(file);
        }
        if let Some(log) = &self.log {
            let log = std::fs::File::options().create(true).append(true).open(log)?;
            command.stderr(log);
        }
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        Ok(command)
    }

    /// Starts the product without waiting for anything.
    pub fn spawn(&self) -> Result<Process> {
        Process::start(&mut self.command()?)
    }

    /// Starts the product and waits until it is ready and the demo is seeded.
    pub fn start(&self) -> Result<Product> {
        let process = self.spawn()?;
        let base = process.line(|l| l.strip_prefix("Vaultstream is ready at ").map(str::to_owned))?;
        let link = process.line(|l| l.strip_prefix("One-time sign-in link: ").map(str::to_owned))?;
        let key = std::fs::read_to_string(self.data_dir().join("demo.key"))?
            .trim_end()
            .to_owned();
        let client = Client::try_new(&base, Some(&key))?;
        Ok(Product {
            process,
            base,
            link,
            key,
            client,
            _data: Some(self.data.clone()),
        })
    }
}

/// The product, running.
pub struct Product {
    /// Its process.
    pub process: Process,
    /// Where it answers.
    pub base: String,
    /// The one-time link it printed.
    pub link: String,
    /// The demo organization's key.
    pub key: String,
    /// A client under that key.
    pub client: Client,
    /// Keeps the data directory for as long as the process uses it; none where somebody else keeps it.
    _data: Option<Arc<TempDir>>,
}

/// Asks again until there is an answer.
pub async fn until<T, F: Future<Output = Result<Option<T>>>>(what: &str, ask: impl Fn() -> F) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await.with_context(|| what.to_owned())? {
            return Ok(answer);
        }
        ensure!(begun.elapsed() < PATIENCE, "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl Product {
    /// A product that somebody else configured: where it answers, its link and its key.
    pub fn of(process: Process, (base, link, key): (String, String, String), client: Client) -> Self {
        Self {
            process,
            base,
            link,
            key,
            client,
            _data: None,
        }
    }

    /// The demo vaults, by name.
    pub async fn vault(&self, name: &str) -> Result<Vault> {
        until("the demo vault has an open account", || async {
            let page = self.client.vaults(None).await?;
            let found = page.items.into_iter().find(|v| v.name == name);
            Ok(found.filter(|v| v.accounts.iter().any(|a| a.address.is_some())))
        })
        .await
    }

    /// Waits until a demo vault holds money.
    pub async fn funded(&self, name: &str) -> Result<u128> {
        let vault = self.vault(name).await?;
        self.balance_is(&account(&vault)?, |wei| wei > 0).await
    }

    /// A new vault on the test chain, with its account open, holding `wei`.
    pub async fn new_vault(&self, name: &str, wei: u128) -> Result<Vault> {
        let body = CreateVault {
            name: name.to_owned(),
            tier: None,
            chains: vec!["eip155:31337".to_owned()],
        };
        let vault = self
            .client
            .create_vault(
                &body,
                With {
                    wait: Some(20),
                    ..With::default()
                },
            )
            .await?
            .body;
        let account = vault.accounts.first().context("the vault has an account")?;
        let address = account
            .address
            .clone()
            .context("`Prefer: wait` held until the account was open")?;
        if wei > 0 {
            let body = FaucetRequest {
                address,
                amount: wei.to_string(),
            };
            self.client.faucet(&self.slug().await?, &body).await?;
            self.balance_is(&account.id.to_string(), |b| b >= wei).await?;
        }
        Ok(vault)
    }

    async fn slug(&self) -> Result<String> {
        let chains = self.client.chains().await?;
        Ok(chains.first().context("a chain is served")?.slug.to_string())
    }

    /// Waits until the account's native balance satisfies a condition.
    pub async fn balance_is(&self, account: &str, wanted: impl Fn(u128) -> bool) -> Result<u128> {
        until("the balance is read from the chain", || async {
            let account = self.client.account(account).await?.body;
            let wei = account
                .balances
                .iter()
                .find(|b| b.amount.asset.as_str() == ETH)
                .and_then(|b| b.amount.minor.to_u128());
            Ok(wei.filter(|w| wanted(*w)))
        })
        .await
    }

    /// Requests a transfer of `wei` from a vault to an address.
    pub async fn transfer(
        &self,
        from: &Vault,
        to: &str,
        wei: u128,
        key: &str,
    ) -> Result<String, ClientError> {
        let body = transfer_body(from, to, &wei.to_string());
        Ok(self
            .client
            .request_transfer(&body, key)
            .await?
            .body
            .id
            .to_string())
    }

    /// Waits until a transfer is over.
    pub async fn over(&self, id: &str) -> Result<Transfer> {
        until("the transfer ends", || async {
            let transfer = self.client.transfer(id).await?.body;
            Ok(transfer.status.is_terminal().then_some(transfer))
        })
        .await
    }

    /// Waits until a transfer has completed.
    pub async fn completed(&self, id: &str) -> Result<Transfer> {
        let transfer = self.over(id).await?;
        ensure!(
            transfer.status == TransferStatus::Completed,
            "{id} ended as {transfer:?}"
        );
        Ok(transfer)
    }
}

/// The body of a transfer.
pub fn transfer_body(from: &Vault, to: &str, amount: &str) -> RequestTransfer {
    RequestTransfer {
        vault_id: Some(from.id.to_string()),
        account_id: None,
        asset: ETH.to_owned(),
        amount: amount.to_owned(),
        destination: to.to_owned(),
        external_id: None,
        memo: None,
        fee_max: None,
        expires_in: None,
        dry_run: None,
    }
}

/// The address of a vault's first account.
pub fn address(vault: &Vault) -> Result<String> {
    vault
        .accounts
        .first()
        .and_then(|a| a.address.clone())
        .context("the account is open")
}

/// The id of a vault's first account.
pub fn account(vault: &Vault) -> Result<String> {
    Ok(vault
        .accounts
        .first()
        .context("the vault has an account")?
        .id
        .to_string())
}

/// What a refusal said.
pub fn problem<T: std::fmt::Debug>(result: Result<T, ClientError>) -> Result<Problem> {
    match result {
        Err(ClientError::Refused(problem)) => Ok(*problem),
        other => bail!("not refused: {other:?}"),
    }
}
