//! What both assemblies have in common before anything is killed: a client, a vault with money, decisions that wait.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use vaultstream_client::http::{Client, With};
use vaultstream_client::{RequestTransfer, Vault};

use crate::load::WEI;
use crate::payer::Doors;

/// How long the demo may take until it has its money.
const PATIENCE: Duration = Duration::from_secs(60);
const ETH: &str = "eip155:31337/slip44:60";
/// What the product is told: a quota that no load meets, and a chain that is not its own.
pub const QUOTAS: &str = "[gateway.quotas]\nper_credential = { per_second = 20000, burst = 40000 }\n";

/// Who asks, and for what.
pub struct Bed {
    /// Where to ask.
    pub doors: Doors,
    /// What each request has in common.
    pub body: RequestTransfer,
    /// The address that pays.
    pub payer: String,
}

/// Clients under a key.
pub fn doors(commands: &str, reads: &str, key: &str) -> Result<Doors> {
    Ok(Doors {
        commands: Client::try_new(commands, Some(key))?,
        reads: Client::try_new(reads, Some(key))?,
    })
}

impl Bed {
    /// Waits for the demo's vault and has its transfers wait for an approval.
    pub async fn make(doors: Doors) -> Result<Self> {
        let vault = funded(&doors.reads).await?;
        let account = vault.accounts.first().context("the vault has an account")?;
        let me: Value = doors.reads.get("/v1/organizations", With::default()).await?.body;
        let organization = me["items"][0]["id"].as_str().context("an organization")?;
        let path = format!("/v1/organizations/{organization}");
        let change = json!({ "approval": "one" });
        let _: Value = doors
            .commands
            .send(Method::PATCH, &path, Some(&change), With::default())
            .await?
            .body;
        Ok(Self {
            payer: account.address.clone().context("the account is open")?,
            body: RequestTransfer {
                vault_id: Some(vault.id.to_string()),
                account_id: None,
                asset: ETH.to_owned(),
                amount: WEI.to_string(),
                destination: String::new(),
                external_id: None,
                memo: None,
                fee_max: None,
                expires_in: None,
                dry_run: None,
            },
            doors,
        })
    }
}

async fn funded(reads: &Client) -> Result<Vault> {
    let begun = Instant::now();
    loop {
        if let Ok(page) = reads.vaults(None).await
            && let Some(vault) = page.items.into_iter().find(|v| v.name == "Operations")
            && let Some(account) = vault.accounts.first()
            && let Ok(read) = reads.account(&account.id.to_string()).await
            && read
                .body
                .balances
                .iter()
                .any(|b| b.amount.minor.to_u128().unwrap_or(0) > 0)
        {
            return Ok(vault);
        }
        ensure!(begun.elapsed() < PATIENCE, "the demo has no money");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
