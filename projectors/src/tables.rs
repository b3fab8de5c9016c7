//! The tables of every view, as values, and the keys of their rows.
//!
//! The tenant is the first column of every partition that an API reads by. A row's key is owned by one shard: it holds an
//! id (which carries its shard) or the shard's number. Index tables repeat the order of a list in their clustering; the
//! rows themselves are fetched by id.

use std::fmt::Display;

use vaultstream_domain::ports::view_store::{Column, KeyPart, KeyType, RowKey, Table};

const fn text(name: &'static str) -> Column {
    Column {
        name,
        kind: KeyType::Text,
    }
}
const fn number(name: &'static str) -> Column {
    Column {
        name,
        kind: KeyType::Number,
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $word:literal ($($p:expr),+) [$($c:expr),*];)+) => { $(
        $(#[$doc])*
        pub const $name: Table = Table { name: $word, partition: &[$($p),+], clustering: &[$($c),*] };
    )+ };
}

tables! {
    /// Organizations by id.
    ORGANIZATION = "organization" (text("id")) [];
    /// Every organization, in order of registration; for the platform's own keys.
    ORGANIZATION_BY_CREATED = "organization_by_created" (text("scope")) [number("created"), text("id")];
    /// API keys by id, tenant unknown: how a door finds whom it speaks with.
    API_KEY = "api_key" (text("id")) [];
    /// The API keys of a tenant.
    API_KEY_BY_ORGANIZATION = "api_key_by_organization" (text("organization")) [number("created"), text("id")];
    /// Sessions by id, tenant unknown.
    SESSION = "session" (text("id")) [];
    /// The sessions of a tenant.
    SESSION_BY_ORGANIZATION = "session_by_organization" (text("organization")) [number("created"), text("id")];

    /// Vaults by id.
    VAULT = "vault" (text("organization"), text("id")) [];
    /// The vaults of a tenant by age.
    VAULT_BY_CREATED = "vault_by_created" (text("organization")) [number("created"), text("id")];
    /// The vaults of a tenant by name, lower case.
    VAULT_BY_NAME = "vault_by_name" (text("organization")) [text("name"), text("id")];

    /// Accounts by id.
    ACCOUNT = "account" (text("organization"), text("id")) [];
    /// The accounts of a vault.
    ACCOUNT_BY_VAULT = "account_by_vault" (text("organization"), text("vault")) [text("id")];
    /// Balances of a vault.
    BALANCE_BY_VAULT = "balance_by_vault" (text("organization"), text("vault")) [text("asset"), text("account")];
    /// Balances of a tenant.
    BALANCE_BY_ORGANIZATION = "balance_by_organization" (text("organization")) [text("asset"), text("account")];

    /// Transfers by id.
    TRANSFER = "transfer" (text("organization"), text("id")) [];
    /// The transfers of a tenant by age.
    TRANSFER_BY_ORGANIZATION = "transfer_by_organization" (text("organization")) [number("created"), text("id")];
    /// The transfers of a tenant in one status by age.
    TRANSFER_BY_STATUS = "transfer_by_status" (text("organization"), text("status")) [number("created"), text("id")];
    /// The transfers of a vault by age.
    TRANSFER_BY_VAULT = "transfer_by_vault" (text("organization"), text("vault")) [number("created"), text("id")];
    /// The transfers of a tenant in one asset by age.
    TRANSFER_BY_ASSET = "transfer_by_asset" (text("organization"), text("asset")) [number("created"), text("id")];
    /// Executions by id.
    EXECUTION = "execution" (text("organization"), text("id")) [];
    /// Transfers and executions of a shard that are not over: a workflow's to-do list.
    OPEN = "open" (number("shard")) [number("created"), text("id")];
    /// When something last happened in a vault.
    ACTIVITY = "activity" (text("organization")) [text("vault")];

    /// Partial totals; `origin` is empty, or a stream whose parked events were folded later.
    TOTALS = "totals" (text("organization")) [text("metric"), text("label"), number("shard"), text("origin")];

    /// Public events of a tenant in a shard, by position.
    FEED = "feed" (text("organization"), number("shard")) [number("position")];

    /// Terms that are matched whole: addresses, hashes, external ids, in lower case.
    LOOKUP_EXACT = "lookup_exact" (text("organization"), text("term")) [text("kind"), text("id")];
    /// Names and labels that are matched by their beginning, in lower case.
    LOOKUP_NAME = "lookup_name" (text("organization")) [text("name"), text("kind"), text("id")];
    /// The name a thing has now, so that a new one can replace it.
    LOOKUP_SUBJECT = "lookup_subject" (text("id")) [];

    /// Streams that could not be folded.
    QUARANTINE = "quarantine" (number("shard")) [text("stream")];
    /// Facts about the generation itself.
    ABOUT = "about" (text("fact")) [];
}

/// The one partition of [`ORGANIZATION_BY_CREATED`].
pub const ALL: &str = "all";

/// A key of a table.
pub fn key<const P: usize, const C: usize>(
    table: &Table,
    partition: [KeyPart; P],
    clustering: [KeyPart; C],
) -> RowKey {
    debug_assert_eq!(
        (P, C),
        (table.partition.len(), table.clustering.len()),
        "{}",
        table.name
    );
    RowKey {
        table: table.name,
        partition: partition.into(),
        clustering: clustering.into(),
    }
}

/// A text part of a key.
pub fn t(part: impl Display) -> KeyPart {
    KeyPart::Text(part.to_string())
}

/// A number part of a key.
pub const fn n(part: u64) -> KeyPart {
    KeyPart::Number(part)
}

/// The form in which names and terms are compared.
pub fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}
