//! Totals as rows: one partial row per organization, metric, label and shard; readers add the parts up.
//!
//! A sum wraps at 2^256, so that a token with an absurd supply can be added and taken away again without loss.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::{Amount, OrganizationId};

use super::rows;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Vaults by status.
    Vaults,
    /// Accounts by status.
    Accounts,
    /// Transfers by status.
    Transfers,
    /// Minor units held, by asset.
    Assets,
}

impl Metric {
    /// The word, which is part of the row's key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vaults => "vaults",
            Self::Accounts => "accounts",
            Self::Transfers => "transfers",
            Self::Assets => "assets",
        }
    }
}

rows! {
    /// One shard's part of a total.
    TotalsRow {
        /// How many.
        count: Amount,
        /// The status or the asset.
        label: String,
        /// What is counted.
        metric: Metric,
        /// The tenant.
        organization_id: OrganizationId,
        /// The position of the newest event that changed it.
        pos: u64,
    }
}
