//! Chains, addresses and the faucets of sandbox chains.

use vaultstream_event_schemas::caip::Slug;
use vaultstream_event_schemas::{Amount, AssetId, ChainId, ErrorCode};

answers! {
    /// A chain this installation serves.
    Chain {
        /// CAIP-2 name.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "eip155:31337"))]
        id: ChainId,
        /// Short unique name.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "eth_sandbox"))]
        slug: Slug,
        /// A person's name for it.
        name: String,
        /// Whether its money is worth nothing.
        sandbox: bool,
        /// What can be held; the first is the native asset that pays fees.
        assets: Vec<Asset>,
    }

    /// An asset of a chain.
    Asset {
        /// CAIP-19 name.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "eip155:31337/slip44:60"))]
        id: AssetId,
        /// Short symbol.
        symbol: String,
        /// Decimal places of a whole unit.
        decimals: u8,
    }

    /// What a chain says of an address.
    AddressCheck {
        /// Whether it can be paid to.
        valid: bool,
        /// The address in the chain's checked form, when it is valid.
        address: Option<String>,
        /// The stable code, when it is not.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "invalid-checksum"))]
        code: Option<ErrorCode>,
        /// What is wrong with it, when something is.
        detail: Option<String>,
    }

    /// Money on its way from a faucet.
    FaucetPayment {
        /// To whom.
        address: String,
        /// CAIP-2 name of the chain.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        chain: ChainId,
        /// Minor units of the chain's native asset.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        amount: Amount,
    }
}

requests! {
    /// Asks whether a text is an address of a chain.
    CheckAddress {
        /// CAIP-2 name of the chain.
        chain: String,
        /// The text.
        address: String,
    }

    /// Asks a sandbox faucet for native money.
    FaucetRequest {
        /// To whom.
        address: String,
        /// Minor units, a decimal string.
        amount: String,
    }
}
