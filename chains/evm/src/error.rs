//! What can be wrong with addresses, plans and signed bytes; each maps to a code of the published table.

use alloy_primitives::Address;
use vaultstream_event_schemas::{Amount, AssetId, ErrorCode};

/// Why a text or a key gives no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not the form of an address.
    #[error("an Ethereum address is 0x and 40 hexadecimal digits: {0}")]
    Malformed(&'static str),
    /// Mixed case that does not match EIP-55.
    #[error(
        "the address's capital letters do not match its checksum (EIP-55), so at least one character is wrong"
    )]
    Checksum,
    /// The zero address as a destination.
    #[error("nobody holds the key of the zero address: what is sent there is lost for ever")]
    Zero,
    /// Not a compressed point of secp256k1.
    #[error("a public key is the 33 compressed bytes of a point of secp256k1")]
    PublicKey,
}

impl AddressError {
    /// The code of the published table.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::Zero => ErrorCode::InvalidAddress,
            Self::Checksum => ErrorCode::InvalidChecksum,
            Self::PublicKey => ErrorCode::Internal,
        }
    }
}

/// Why no plan can be drawn up for an intent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The asset is one of another chain.
    #[error("the asset {asset} is not one of chain eip155:{chain_id}")]
    Chain {
        /// The intent's asset.
        asset: AssetId,
        /// The chain the plan is for.
        chain_id: u64,
    },
    /// The asset is neither the native one nor a token contract.
    #[error("the asset {0} is neither native (slip44) nor a token (erc20 with the contract's address)")]
    Asset(AssetId),
    /// The paying address cannot be read.
    #[error("the paying address cannot be read")]
    Source(#[source] AddressError),
    /// The destination cannot be paid.
    #[error("the destination cannot be paid")]
    Destination(#[source] AddressError),
    /// Nothing is paid.
    #[error("the amount is zero")]
    Nothing,
    /// The fee at the bid is above the transfer's own cap.
    #[error("the network may charge up to {fee}, the cap is {cap}")]
    FeeCap {
        /// What the network may charge, in minor units of the native asset.
        fee: Amount,
        /// The cap.
        cap: Amount,
    },
    /// The next block takes more than this installation ever bids.
    #[error("the next block takes {floor} wei per gas, this installation bids at most {ceiling}")]
    FeeCeiling {
        /// The least the next block takes.
        floor: Amount,
        /// The configured ceiling.
        ceiling: Amount,
    },
    /// A quote that no Ethereum fee can have.
    #[error("the fee quote is out of range: {0} wei per gas")]
    Quote(Amount),
    /// Less gas than any transaction takes, or more than any block grants one.
    #[error("{0} gas is not between 21000 and 16777216")]
    Gas(u64),
    /// The last nonce, which EIP-2681 forbids.
    #[error("the account's nonces are exhausted")]
    Nonce,
}

impl PlanError {
    /// The code of the published table.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Chain { .. } => ErrorCode::UnknownChain,
            Self::Asset(_) => ErrorCode::UnknownAsset,
            Self::Source(e) | Self::Destination(e) => e.code(),
            Self::Nothing => ErrorCode::InvalidAmount,
            Self::FeeCap { .. } | Self::FeeCeiling { .. } => ErrorCode::FeeCapExceeded,
            Self::Quote(_) => ErrorCode::ChainUnavailable,
            Self::Gas(_) => ErrorCode::RejectedByNetwork,
            Self::Nonce => ErrorCode::LimitReached,
        }
    }
}

/// How a plan differs from its intent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanMismatch {
    /// The intent itself cannot be carried out.
    #[error("the intent cannot be carried out")]
    Intent(#[source] PlanError),
    /// A field says something else.
    #[error("{field} is {found}, the intent wants {wanted}")]
    Field {
        /// The plan's field.
        field: &'static str,
        /// What the plan says.
        found: String,
        /// What the intent wants.
        wanted: String,
    },
}

impl PlanMismatch {
    /// The code of the published table; a plan that lies is ours to mend.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Intent(e) => e.code(),
            Self::Field { .. } => ErrorCode::Internal,
        }
    }
}

/// What is wrong with a plan's bytes, a signature or signed bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// A field that no transaction can carry.
    #[error("the plan's {field} cannot be encoded: {problem}")]
    Field {
        /// The plan's field.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Not the 65 bytes r ‖ s ‖ recovery id (0 or 1) of a signature.
    #[error("the signature cannot be read: {0}")]
    Signature(&'static str),
    /// A signature by another key.
    #[error("the signature is by {signer}, the plan pays from {from}")]
    Signer {
        /// Whose signature it is.
        signer: Address,
        /// Who pays.
        from: Address,
    },
    /// Bytes that are no signed EIP-1559 transaction as this platform writes them.
    #[error("the bytes are no signed transaction of type 2: {0}")]
    Raw(String),
}

impl TransactionError {
    /// The code of the published table: nothing a caller sent can cause these.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::Internal
    }
}
