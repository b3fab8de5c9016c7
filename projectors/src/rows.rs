//! Rows: what a view answers with. Each is the fold of one stream (totals: of one shard), holds the tenant it belongs to
//! and `pos`, the position up to which its stream is folded in it.
//!
//! Values are canonical JSON: fields are declared in the alphabetical order of their names on the wire, so that
//! serialising once gives the bytes that dumps and digests compare.

mod account;
mod directory;
mod entry;
mod totals;
mod transfer;
mod vault;

pub use account::{AccountRow, BalanceRow};
pub use directory::{ApiKeyRow, OrganizationRow, SessionRow};
pub use entry::{ActivityRow, FeedRow, IndexRow, LookupKind, LookupRow, Meaning, QuarantineRow};
pub use totals::{Metric, TotalsRow};
pub use transfer::{ExecutionRow, Failure, OpenRow, TransferRow};
pub use vault::{VaultAccount, VaultRow};

/// Declares row structs. Fields stand in the alphabetical order of their camel-case names.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty,)* }
    )+ };
}
pub(crate) use rows;
