//! The words for the states of things, as the APIs, the views and the documentation use them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is no state of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {kind} status; use one of: {allowed}")]
pub struct StatusError {
    given: String,
    kind: &'static str,
    allowed: String,
}

macro_rules! status {
    ($(#[$doc:meta])* $name:ident, $kind:literal; $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every state, in the order of a normal life.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $word),+ } }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
        impl FromStr for $name {
            type Err = StatusError;
            fn from_str(text: &str) -> Result<Self, StatusError> {
                Self::ALL.iter().copied().find(|s| s.as_str() == text).ok_or_else(|| StatusError {
                    given: text.chars().take(64).collect(),
                    kind: $kind,
                    allowed: Self::ALL.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

status! {
    /// The life of an organization.
    OrganizationStatus, "organization";
    /// Takes commands.
    Active = "active",
    /// Reads go on, commands are refused.
    Suspended = "suspended",
    /// Ended.
    Closed = "closed",
}

status! {
    /// The life of a vault.
    VaultStatus, "vault";
    /// Takes commands.
    Active = "active",
    /// Ended; history stays readable.
    Archived = "archived",
}

status! {
    /// The life of an account.
    AccountStatus, "account";
    /// Its key is being made; it has no address yet.
    Opening = "opening",
    /// Receives and sends.
    Open = "open",
    /// Receives; sends nothing.
    Frozen = "frozen",
    /// Ended.
    Closed = "closed",
}

status! {
    /// The life of a transfer.
    TransferStatus, "transfer";
    /// Recorded; screening has not begun.
    Requested = "requested",
    /// Being screened.
    Screening = "screening",
    /// Waits for a person.
    AwaitingApproval = "awaiting_approval",
    /// May be executed.
    Approved = "approved",
    /// An execution carries it to the chain.
    Executing = "executing",
    /// Final on chain.
    Completed = "completed",
    /// Ended without moving money, with the evidence.
    Failed = "failed",
    /// Denied by an approver or by screening.
    Rejected = "rejected",
    /// Withdrawn before execution.
    Cancelled = "cancelled",
    /// Not approved in time.
    Expired = "expired",
    /// Was final and then undone by its chain.
    Reversed = "reversed",
}

impl TransferStatus {
    /// Whether nothing more is expected to happen; a completed transfer can still be reversed by its chain.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed
                | Self::Failed
                | Self::Rejected
                | Self::Cancelled
                | Self::Expired
                | Self::Reversed
        )
    }
}

status! {
    /// The life of an execution.
    ExecutionStatus, "execution";
    /// Waits for a slot.
    Queued = "queued",
    /// Funds are reserved and the transaction is drawn up.
    Planned = "planned",
    /// The slot and the digest are fixed; from here on only a proof of death frees them.
    Bound = "bound",
    /// The signed bytes are in the log.
    Signed = "signed",
    /// Bytes are being handed to nodes.
    Broadcasting = "broadcasting",
    /// A node has it in its pool.
    Seen = "seen",
    /// No node gave a clear answer; the same bytes are sent again.
    Unknown = "unknown",
    /// In a block that can still be detached.
    Included = "included",
    /// No progress for too long; a person should look.
    Stuck = "stuck",
    /// A replacement is on its way.
    Replacing = "replacing",
    /// A cancellation is on its way.
    Cancelling = "cancelling",
    /// In a final block, succeeded or failed there.
    Finalized = "finalized",
    /// Another final transaction consumed the slot.
    Superseded = "superseded",
    /// Proven never to be included.
    Dead = "dead",
    /// Was final and then undone by its chain.
    Reversed = "reversed",
}

impl ExecutionStatus {
    /// Whether nothing more is expected to happen.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Finalized | Self::Superseded | Self::Dead | Self::Reversed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_should_round_trip_and_name_the_allowed_ones() {
        for s in TransferStatus::ALL {
            assert_eq!(s.as_str().parse(), Ok(*s));
        }
        for s in ExecutionStatus::ALL {
            assert_eq!(s.as_str().parse(), Ok(*s));
        }
        let e = "done".parse::<TransferStatus>().expect_err("no such word");
        assert!(e.to_string().contains("awaiting_approval"));
    }
}
