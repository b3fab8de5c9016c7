//! What several resources share: pages of lists, amounts as answered, reasons.

use vaultstream_event_schemas::{Amount, AssetId};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `null` at the end. Opaque, and only good for the same list and filters.
    pub next_cursor: Option<String>,
}

answers! {
    /// An amount with what is needed to show it.
    AssetAmount {
        /// CAIP-19 name of the asset.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "eip155:31337/slip44:60"))]
        asset: AssetId,
        /// Minor units, a decimal string.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1500000000000000000"))]
        minor: Amount,
        /// Decimal places of a whole unit.
        decimals: u8,
    }
}

requests! {
    /// Why something is done; people read it in the audit.
    Reason {
        /// 1 to 500 printable characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
}
