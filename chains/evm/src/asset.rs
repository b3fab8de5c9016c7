//! What an asset's CAIP-19 name means on an Ethereum chain: `slip44` is the native asset, `erc20` a token contract.

use alloy_primitives::Address;
use vaultstream_event_schemas::{AssetId, ChainId};

use crate::address::parse_destination;
use crate::error::PlanError;

/// What is paid with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asset {
    /// The asset that also pays fees.
    Native,
    /// A token of ERC-20 at a contract.
    Token(Address),
}

/// The EIP-155 number of a chain; `None` for a chain of another family.
pub fn chain_number(chain: &ChainId) -> Option<u64> {
    let reference = chain.reference();
    let canonical = reference.bytes().all(|b| b.is_ascii_digit()) && !reference.starts_with('0');
    (chain.namespace() == "eip155" && canonical)
        .then(|| reference.parse().ok())
        .flatten()
}

/// What an asset is on a chain.
pub fn asset_on(asset: &AssetId, chain_id: u64) -> Result<Asset, PlanError> {
    if chain_number(&asset.chain()) != Some(chain_id) {
        return Err(PlanError::Chain {
            asset: asset.clone(),
            chain_id,
        });
    }
    match asset.parts() {
        ("slip44", coin) if coin.bytes().all(|b| b.is_ascii_digit()) => Ok(Asset::Native),
        ("erc20", contract) => parse_destination(contract)
            .map(Asset::Token)
            .map_err(|_| PlanError::Asset(asset.clone())),
        _ => Err(PlanError::Asset(asset.clone())),
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::ErrorCode;

    use super::*;

    fn asset(text: &str) -> AssetId {
        AssetId::try_new(text).expect("an asset")
    }

    #[test]
    fn asset_should_be_native_token_or_refused() {
        assert_eq!(asset_on(&asset("eip155:1/slip44:60"), 1), Ok(Asset::Native));
        let token = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        assert_eq!(
            asset_on(&asset(&format!("eip155:1/erc20:{token}")), 1),
            Ok(Asset::Token(token.parse().expect("an address")))
        );
        for bad in [
            "eip155:1/slip44:eth",
            "eip155:1/erc20:60",
            "eip155:1/erc721:60",
            "eip155:1/erc20:0x0000000000000000000000000000000000000000",
            "eip155:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        ] {
            let code = asset_on(&asset(bad), 1).expect_err(bad).code();
            assert_eq!(code, ErrorCode::UnknownAsset, "{bad}");
        }
    }

    #[test]
    fn asset_of_another_chain_should_be_refused() {
        for bad in [
            "eip155:2/slip44:60",
            "eip155:01/slip44:60",
            "bip122:1/slip44:0",
            "eip155:1a/slip44:60",
        ] {
            let code = asset_on(&asset(bad), 1).expect_err(bad).code();
            assert_eq!(code, ErrorCode::UnknownChain, "{bad}");
        }
        assert_eq!(
            chain_number(&ChainId::try_new("eip155:99999999999999999999").expect("a name")),
            None
        );
    }
}
