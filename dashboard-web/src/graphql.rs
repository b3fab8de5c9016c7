//! The documents of `graphql/`, checked against the committed schema when this compiles.
//!
//! Rows that a list and its subscription share are generated once, from the list's document; the subscription's document
//! repeats the fragment and names that type. A test holds the repeated fragments equal.
#![allow(
    missing_docs,
    dead_code,
    clippy::redundant_static_lifetimes,
    reason = "generated from documents; operations are used by their modules"
)]

use graphql_client::GraphQLQuery;
use serde::Deserialize;
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::status::{AccountStatus, ExecutionStatus, TransferStatus, VaultStatus};
use vaultstream_event_schemas::vault::v1::Tier;

pub use vaultstream_event_schemas::Amount;

/// The schema's whole numbers.
pub type Long = u64;
/// The schema's moments.
pub type Timestamp = crate::moment::Moment;
/// A public event's fields: those that sentences use, so that no tree of unknown values is built.
#[expect(clippy::upper_case_acronyms, reason = "the schema's name of the scalar")]
pub type JSON = crate::event_data::EventData;

/// Declares an operation of `graphql/`; answers are generated from the document, or read as the given type of its one field.
macro_rules! operation {
    ($name:ident, $file:tt) => {
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "../query-api/schema.graphql",
            query_path = $file,
            response_derives = "Debug, Clone, PartialEq",
            variables_derives = "Debug, Clone, PartialEq",
            extern_enums("AccountStatus", "Approval", "ExecutionStatus", "Tier", "TransferStatus", "VaultStatus"),
        )]
        pub struct $name;
    };
    ($name:ident, $file:tt, $answer:tt) => {
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "../query-api/schema.graphql",
            query_path = $file,
            response_derives = "Debug, Clone, PartialEq",
            variables_derives = "Debug, Clone, PartialEq",
            response_type = $answer,
            extern_enums("AccountStatus", "Approval", "ExecutionStatus", "Tier", "TransferStatus", "VaultStatus"),
        )]
        pub struct $name;
    };
}

operation!(Frame, "graphql/frame.graphql");
operation!(Totals, "graphql/totals.graphql");
operation!(Feed, "graphql/feed.graphql");
operation!(Vaults, "graphql/vaults.graphql");
operation!(Vault, "graphql/vault.graphql");
operation!(Transfers, "graphql/transfers.graphql");
operation!(Transfer, "graphql/transfer.graphql");
operation!(Known, "graphql/known.graphql");
operation!(Search, "graphql/search.graphql");
operation!(Execution, "graphql/execution.graphql", "FoundExecution");
operation!(Freshness, "graphql/freshness.graphql");
operation!(ChainHeads, "graphql/chain_heads.graphql");
operation!(Events, "graphql/events.graphql", "EventItem");
operation!(
    TransferUpdates,
    "graphql/transfer_updates.graphql",
    "TransferItem"
);
operation!(BalanceUpdates, "graphql/balance_updates.graphql", "BalanceItem");
operation!(VaultUpdates, "graphql/vault_updates.graphql", "VaultItem");

pub use feed::EventRow;
pub use transfers::TransferRow;
pub use vault::BalanceRow;
pub use vaults::VaultRow;

/// A public event and where to go on after it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EventItem {
    pub cursor: String,
    pub event: EventRow,
}

/// A transfer after a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TransferItem {
    pub token: String,
    pub transfer: TransferRow,
}

/// A balance after a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BalanceItem {
    pub balance: BalanceRow,
}

/// An execution, or something else that has the id.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct FoundExecution {
    #[serde(rename = "transferId")]
    pub transfer_id: Option<String>,
}

/// A vault has changed; the token asks for its new state.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct VaultItem {
    pub token: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const DOCUMENTS: [&str; 16] = [
        frame::QUERY,
        totals::QUERY,
        feed::QUERY,
        vaults::QUERY,
        vault::QUERY,
        transfers::QUERY,
        transfer::QUERY,
        known::QUERY,
        search::QUERY,
        execution::QUERY,
        freshness::QUERY,
        chain_heads::QUERY,
        events::QUERY,
        transfer_updates::QUERY,
        balance_updates::QUERY,
        vault_updates::QUERY,
    ];

    #[test]
    fn repeated_fragments_should_be_equal() {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let mut repeated = 0;
        for document in DOCUMENTS {
            for fragment in document.split("fragment ").skip(1) {
                let (name, body) = fragment.split_once(" on ").expect("a fragment has a type");
                match seen.insert(name, body.trim()) {
                    Some(other) => {
                        assert_eq!(other, body.trim(), "{name}");
                        repeated += 1;
                    }
                    None => continue,
                }
            }
        }
        assert_eq!(
            repeated, 3,
            "each subscription of rows repeats its list's fragment"
        );
    }

    #[test]
    fn subscription_items_should_be_read_from_the_wire() {
        let item: BalanceItem = serde_json::from_str(
            r#"{"balance":{"vaultId":"vlt_1","accountId":"acc_1","asset":"eip155:1/slip44:60","minor":"5","decimals":18,
               "symbol":"ETH","block":{"height":7},"observedAt":"2026-11-21T10:00:00.000001Z"}}"#,
        )
        .expect("reads");
        assert_eq!(item.balance.minor, Amount::from_u128(5));
        assert_eq!(item.balance.block.height, 7);
        let item: EventItem = serde_json::from_str(
            r#"{"cursor":"c","event":{"id":"trf_1/1","type":"transfer.requested","occurredAt":"2026-11-21T10:00:00Z",
               "actor":"session:ses_1","vaultId":null,"vaultName":null,"subjectId":"trf_1","shard":1,"position":2,
               "data":{"amount":"12","asset":"eip155:1/slip44:60","unknown":{"deep":[1]}}}}"#,
        )
        .expect("reads past what it does not know");
        assert_eq!(item.event.data.amount, Some(Amount::from_u128(12)));
    }
}
