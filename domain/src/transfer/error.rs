//! Why a transfer refuses.

use vaultstream_event_schemas::{ErrorCode, TransferStatus};

use crate::error::Coded;

/// Why a transfer refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// It exists already.
    #[error("the transfer exists already")]
    AlreadyRequested,
    /// It does not exist.
    #[error("there is no such transfer")]
    Unknown,
    /// Its state does not allow this.
    #[error("the transfer is {0}")]
    WrongStatus(TransferStatus),
    /// Another execution carries it.
    #[error("another execution carries the transfer")]
    ExecutionFixed,
    /// The amount is zero.
    #[error("the amount is zero")]
    ZeroAmount,
    /// The asset lives on another chain than the account.
    #[error("the account is on another chain than the asset")]
    WrongChain,
    /// The account cannot spend that much.
    #[error("the account can spend {spendable} of the asset's minor units, the transfer asks for {asked}")]
    InsufficientFunds {
        /// Spendable minor units.
        spendable: String,
        /// Asked minor units.
        asked: String,
    },
    /// It pays the account that sends it.
    #[error("the destination is the paying account itself")]
    ToItself,
    /// It has no memo that could be erased.
    #[error("the transfer has no memo")]
    NoMemo,
    /// The reason cannot be taken.
    #[error("a reason has 1 to 500 printable characters and no space at its ends")]
    InvalidReason,
    /// The deadline has not passed yet, or has.
    #[error("the deadline of the transfer has passed")]
    DeadlinePassed,
    /// It cannot end without its execution: a transaction of it was signed.
    #[error(
        "the transfer was signed in a history that is lost, and may be paid: it can be approved, and ends as its chain says"
    )]
    SignedBefore,
    /// The deadline lies in the past or more than 30 days ahead.
    #[error("the deadline must lie between a minute and 30 days ahead")]
    InvalidDeadline,
}

impl Coded for TransferError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::AlreadyRequested => ErrorCode::AlreadyExists,
            Self::Unknown => ErrorCode::NotFound,
            Self::WrongStatus(_)
            | Self::ExecutionFixed
            | Self::DeadlinePassed
            | Self::SignedBefore
            | Self::NoMemo => ErrorCode::StateConflict,
            Self::ZeroAmount => ErrorCode::InvalidAmount,
            Self::WrongChain => ErrorCode::UnknownAsset,
            Self::InsufficientFunds { .. } => ErrorCode::InsufficientFunds,
            Self::ToItself => ErrorCode::InvalidAddress,
            Self::InvalidReason | Self::InvalidDeadline => ErrorCode::InvalidField,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::ZeroAmount | Self::InsufficientFunds { .. } => Some("amount"),
            Self::WrongChain => Some("asset"),
            Self::ToItself => Some("destination"),
            Self::InvalidReason => Some("reason"),
            Self::InvalidDeadline => Some("expiresIn"),
            _ => None,
        }
    }
}
