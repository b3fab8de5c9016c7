//! The table of GraphQL: every field of the roots, and every field that leads from what one scope guards to what another
//! does.

use super::row::Needs::{self, All, Any, SignedIn};
use super::world::Ids;

/// A field as it is asked: `Type.field`, or `Query.node/Type` for what an interface may turn out to be.
#[derive(Clone, Copy)]
pub struct Field {
    /// Where it stands in the schema.
    pub place: &'static str,
    /// What a credential needs.
    pub needs: Needs,
    /// The document, about one tenant's things.
    pub ask: fn(&Ids) -> String,
}

const fn field(place: &'static str, needs: Needs, ask: fn(&Ids) -> String) -> Field {
    Field { place, needs, ask }
}

const VAULTS: Needs = All(&["vaults:read"]);
const TRANSFERS: Needs = All(&["transfers:read"]);
/// In the order in which they are asked for: the first that lacks is named.
const BOTH: Needs = All(&["vaults:read", "transfers:read"]);
const TRANSFERS_AND_VAULTS: Needs = All(&["transfers:read", "vaults:read"]);
const OWN: Needs = SignedIn("who asks may know who they are and for whom they act");
const SHARED: Needs = SignedIn("what the installation serves and how fresh it is is no tenant's secret");

/// Every field. What is not in here fails the test.
pub const FIELDS: &[Field] = &[
    field("Query.viewer", OWN, |_| {
        "{ viewer { actor scopes organization { id } } }".into()
    }),
    field("Query.node/Vault", VAULTS, |ids| node(&ids.vault)),
    field("Query.node/Account", VAULTS, |ids| node(&ids.account)),
    field("Query.node/Transfer", TRANSFERS, |ids| node(&ids.transfer)),
    field("Query.node/Execution", TRANSFERS, |ids| node(&ids.execution)),
    field("Query.node/Organization", OWN, |ids| node(&ids.organization)),
    field("Query.vault", VAULTS, |ids| {
        format!(
            "{{ vault(id: \"{}\") {{ id accounts {{ id address }} }} }}",
            ids.vault
        )
    }),
    field("Query.vault", VAULTS, |ids| {
        let (id, then) = (&ids.vault, &ids.then);
        format!("{{ vault(id: \"{id}\", asOf: \"{then}\") {{ id name }} }}")
    }),
    field("Query.vaults", VAULTS, |_| {
        "{ vaults(first: 50) { nodes { id } } }".into()
    }),
    field("Query.transfer", TRANSFERS, |ids| {
        let id = &ids.transfer;
        format!(
            "{{ transfer(id: \"{id}\") {{ id memo executions {{ id }} timeline(last: 9) {{ nodes {{ id }} }} }} }}"
        )
    }),
    field("Query.transfer", TRANSFERS, |ids| {
        let (id, then) = (&ids.transfer, &ids.then);
        format!("{{ transfer(id: \"{id}\", asOf: \"{then}\") {{ id status }} }}")
    }),
    field("Query.transfers", TRANSFERS, |ids| {
        format!(
            "{{ transfers(first: 50, filter: {{ vaultId: \"{}\" }}) {{ nodes {{ id }} }} }}",
            ids.vault
        )
    }),
    field("Query.balances", VAULTS, |ids| {
        format!("{{ balances(vaultId: \"{}\") {{ accountId minor }} }}", ids.vault)
    }),
    field("Query.totals", BOTH, |_| {
        "{ totals { vaults openTransfers } }".into()
    }),
    field("Query.feed", All(&["events:read"]), |_| {
        "{ feed(first: 50) { nodes { subjectId } } }".into()
    }),
    field("Query.feed", All(&["events:read"]), |ids| {
        format!(
            "{{ feed(first: 50, vaultId: \"{}\") {{ nodes {{ subjectId }} }} }}",
            ids.vault
        )
    }),
    field("Query.search", Any(&["vaults:read", "transfers:read"]), |ids| {
        search(&ids.vault)
    }),
    field("Query.search", Any(&["vaults:read", "transfers:read"]), |ids| {
        search(&ids.transfer)
    }),
    field("Query.chains", SHARED, |_| {
        "{ chains { slug head { height } } }".into()
    }),
    field("Query.freshness", SHARED, |_| {
        "{ freshness { lagMs families { family } } }".into()
    }),
    // From what one scope guards to what another guards: without the second there is no way.
    field("Transfer.vault", TRANSFERS_AND_VAULTS, |ids| {
        format!("{{ transfer(id: \"{}\") {{ vault {{ name }} }} }}", ids.transfer)
    }),
    field("Transfer.account", TRANSFERS_AND_VAULTS, |ids| {
        format!(
            "{{ transfer(id: \"{}\") {{ account {{ address }} }} }}",
            ids.transfer
        )
    }),
    field("Vault.transfers", BOTH, |ids| {
        format!(
            "{{ vault(id: \"{}\") {{ transfers(first: 5) {{ nodes {{ id }} }} }} }}",
            ids.vault
        )
    }),
    field("Subscription.events", All(&["events:read"]), |ids| {
        format!(
            "subscription {{ events(after: \"{}\") {{ event {{ subjectId }} }} }}",
            ids.cursor
        )
    }),
    field("Subscription.events", All(&["events:read"]), |ids| {
        let (cursor, vault) = (&ids.cursor, &ids.vault);
        format!(
            "subscription {{ events(after: \"{cursor}\", vaultId: \"{vault}\") {{ event {{ subjectId }} }} }}"
        )
    }),
    field("Subscription.transferUpdates", TRANSFERS, |ids| {
        format!(
            "subscription {{ transferUpdates(transferId: \"{}\") {{ transfer {{ id }} }} }}",
            ids.transfer
        )
    }),
    field("Subscription.vaultUpdates", VAULTS, |ids| {
        format!(
            "subscription {{ vaultUpdates(vaultId: \"{}\") {{ vault {{ id }} }} }}",
            ids.vault
        )
    }),
    field("Subscription.balanceUpdates", VAULTS, |ids| {
        format!(
            "subscription {{ balanceUpdates(vaultId: \"{}\") {{ balance {{ minor }} }} }}",
            ids.vault
        )
    }),
    field("Subscription.chainHeads", SHARED, |_| {
        "subscription { chainHeads { slug } }".into()
    }),
    field("Subscription.freshness", SHARED, |_| {
        "subscription { freshness { lagMs } }".into()
    }),
];

fn node(id: &str) -> String {
    format!("{{ node(id: \"{id}\") {{ id __typename }} }}")
}

fn search(text: &str) -> String {
    format!("{{ search(text: \"{text}\", first: 50) {{ id label }} }}")
}

/// The scopes behind what a type shows; a type that is not in here fails the test.
pub const TYPES: &[(&str, &[&str])] = &[
    ("Vault Account Balance AssetTotal", &["vaults:read"]),
    (
        "VaultConnection VaultEdge VaultItem BalanceItem",
        &["vaults:read"],
    ),
    ("Transfer Execution", &["transfers:read"]),
    (
        "TimelineConnection TimelineEdge TimelineEntry",
        &["transfers:read"],
    ),
    (
        "TransferConnection TransferEdge TransferItem",
        &["transfers:read"],
    ),
    ("StatusCount Totals", &["vaults:read", "transfers:read"]),
    ("Event FeedConnection FeedEdge EventItem", &["events:read"]),
    // No tenant's, or a part of what was let through already.
    ("Asset Block Chain Failure Head Money PageInfo SearchHit", &[]),
    ("Organization Viewer Freshness FamilyFreshness ViewFreshness", &[]),
    ("Query Subscription", &[]),
];
