//! `vaultstream vault`: list and create.

use std::fmt::Write as _;

use clap::Subcommand;
use vaultstream_client::http::With;
use vaultstream_client::{CreateVault, Page, Vault};
use vaultstream_event_schemas::vault::v1::Tier;

use super::Done;
use super::connection::Ask;
use super::output::{facts, print, table};
use super::request::{fresh_key, keyed, page_path};

/// What can be done with vaults.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List vaults, newest first.
    List {
        /// How many to list.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Go on behind an earlier list, with its cursor.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Create a vault with an account on each chain, and wait until its accounts are open.
    Create {
        /// Its name; not personal data.
        name: String,
        /// CAIP-2 name of a chain, such as eip155:31337; all chains of the installation unless given.
        #[arg(long = "chain", value_name = "CHAIN")]
        chains: Vec<String>,
        /// How exposed its keys are.
        #[arg(long, default_value = "hot")]
        tier: TierName,
        /// Sent again with the same key, the same vault is meant.
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
}

/// How exposed a vault's keys are.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum TierName {
    /// Signs without people.
    Hot,
    /// Signs with people.
    Warm,
    /// Signs offline.
    Cold,
}

/// How long creating a vault may wait for its accounts, in seconds.
const OPEN_WAIT: u8 = 30;

pub async fn run(ask: Ask, verb: Verb) -> Done {
    match verb {
        Verb::List { limit, cursor } => list(&ask, limit, cursor.as_deref()).await,
        Verb::Create {
            name,
            chains,
            tier,
            idempotency_key,
        } => {
            let tier = match tier {
                TierName::Hot => Tier::Hot,
                TierName::Warm => Tier::Warm,
                TierName::Cold => Tier::Cold,
            };
            create(&ask, name, chains, tier, idempotency_key).await
        }
    }
}

async fn list(ask: &Ask, limit: u16, cursor: Option<&str>) -> Done {
    let path = page_path("/v1/vaults", limit, &[("cursor", cursor)]);
    let page: Page<Vault> = ask.client.get(&path, With::default()).await?.body;
    print(ask.output, &page, || {
        let rows: Vec<Vec<String>> = page.items.iter().flat_map(rows_of).collect();
        let mut text = table(&["id", "name", "status", "chain", "account", "address"], &rows);
        if let Some(cursor) = &page.next_cursor {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "more: --cursor {cursor}");
        }
        text
    })
}

/// A vault is as many rows as it has accounts, and one when it has none.
fn rows_of(vault: &Vault) -> Vec<Vec<String>> {
    let own = || vec![vault.id.to_string(), vault.name.clone(), vault.status.to_string()];
    if vault.accounts.is_empty() {
        return vec![own()];
    }
    let row = |account: &vaultstream_client::VaultAccount| {
        let address = account.address.clone();
        let mut row = own();
        row.push(account.chain.to_string());
        row.push(account.id.to_string());
        row.push(address.unwrap_or_else(|| account.status.to_string()));
        row
    };
    vault.accounts.iter().map(row).collect()
}

async fn create(
    ask: &Ask,
    name: String,
    mut chains: Vec<String>,
    tier: Tier,
    idempotency_key: Option<String>,
) -> Done {
    if chains.is_empty() {
        let served = ask.client.chains().await?;
        chains = served.into_iter().map(|chain| chain.id.to_string()).collect();
    }
    let body = CreateVault {
        name,
        tier: Some(tier),
        chains,
    };
    let key = idempotency_key.unwrap_or_else(fresh_key);
    let with = With {
        idempotency_key: Some(&key),
        wait: Some(OPEN_WAIT),
        ..With::default()
    };
    let created = ask.client.create_vault(&body, with).await;
    let vault = keyed(created, &key)?.body;
    print(ask.output, &vault, || {
        let mut lines = vec![
            ("id", vault.id.to_string()),
            ("name", vault.name.clone()),
            ("status", vault.status.to_string()),
        ];
        for account in &vault.accounts {
            let address = account
                .address
                .clone()
                .unwrap_or_else(|| account.status.to_string());
            lines.push(("account", format!("{} {} {address}", account.id, account.chain)));
        }
        facts(&lines)
    })
}
