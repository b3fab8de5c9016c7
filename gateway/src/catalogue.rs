//! The chains an installation serves, as the doors know them, and where those chains stand.

use std::sync::Arc;

use vaultstream_client::AssetAmount;
use vaultstream_client::chain::{Asset, Chain};
use vaultstream_event_schemas::chain::{AssetSettings, ChainHead, ChainSettings};
use vaultstream_event_schemas::{Amount, AssetId, ChainId, ErrorCode};

use crate::error::{ApiError, In};

/// Where chains stand; answered from memory by whoever follows them.
pub trait ChainHeads: Send + Sync {
    /// The newest head that was seen; `None` before the first.
    fn head(&self, chain: &ChainId) -> Option<ChainHead>;
}

/// The chains an installation serves. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalogue(Arc<[ChainSettings]>);

impl Catalogue {
    /// Of these chains.
    pub fn new(chains: Vec<ChainSettings>) -> Self {
        Self(chains.into())
    }

    /// All chains.
    pub fn chains(&self) -> &[ChainSettings] {
        &self.0
    }

    /// A chain by its CAIP-2 name.
    pub fn chain(&self, id: &ChainId) -> Option<&ChainSettings> {
        self.0.iter().find(|c| &c.id == id)
    }

    /// A chain by its slug.
    pub fn by_slug(&self, slug: &str) -> Option<&ChainSettings> {
        self.0.iter().find(|c| c.slug.as_str() == slug)
    }

    /// A chain as a request names it; refused with the field.
    pub fn named_chain(&self, place: In, field: &str, text: &str) -> Result<&ChainSettings, ApiError> {
        let found = ChainId::try_new(text).ok().and_then(|id| self.chain(&id));
        found.ok_or_else(|| {
            let detail = format!("`{}` is no chain of this installation", cut(text));
            ApiError::field(ErrorCode::UnknownChain, place, field, detail)
        })
    }

    /// An asset as a request names it, with its chain; refused with the field.
    pub fn named_asset(
        &self,
        place: In,
        field: &str,
        text: &str,
    ) -> Result<(&ChainSettings, &AssetSettings), ApiError> {
        let unknown = |code, detail| Err(ApiError::field(code, place, field, detail));
        let Ok(id) = AssetId::try_new(text) else {
            return unknown(
                ErrorCode::UnknownAsset,
                format!("`{}` is no CAIP-19 asset", cut(text)),
            );
        };
        let Some(chain) = self.chain(&id.chain()) else {
            let detail = format!(
                "the asset lives on {}, which is no chain of this installation",
                id.chain()
            );
            return unknown(ErrorCode::UnknownChain, detail);
        };
        match chain.asset(&id) {
            Some(asset) => Ok((chain, asset)),
            None => unknown(
                ErrorCode::UnknownAsset,
                format!("{} does not list `{}`", chain.name, cut(text)),
            ),
        }
    }

    /// An amount as it is answered. An asset that is not listed any more counts as having no decimal places.
    pub fn amount(&self, asset: &AssetId, minor: Amount) -> AssetAmount {
        let settings = self.chain(&asset.chain()).and_then(|chain| chain.asset(asset));
        AssetAmount {
            asset: asset.clone(),
            minor,
            decimals: settings.map_or(0, |s| s.decimals),
        }
    }

    /// An amount of a chain's native asset, as it is answered.
    pub fn native_amount(&self, chain: &ChainId, minor: Amount) -> Option<AssetAmount> {
        let native = self.chain(chain)?.native()?;
        Some(AssetAmount {
            asset: native.id.clone(),
            minor,
            decimals: native.decimals,
        })
    }
}

/// A chain as it is answered.
pub fn rendered(chain: &ChainSettings) -> Chain {
    let asset = |a: &AssetSettings| Asset {
        id: a.id.clone(),
        symbol: a.symbol.clone(),
        decimals: a.decimals,
    };
    Chain {
        id: chain.id.clone(),
        slug: chain.slug.clone(),
        name: chain.name.clone(),
        sandbox: chain.sandbox,
        assets: chain.assets.iter().map(asset).collect(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::Slug;

    use super::*;

    fn catalogue() -> Catalogue {
        let id = ChainId::try_new("eip155:31337").expect("valid");
        let asset = AssetId::try_new("eip155:31337/slip44:60").expect("valid");
        Catalogue::new(vec![ChainSettings {
            id,
            slug: Slug::try_new("eth_sandbox").expect("valid"),
            name: "Sandbox".into(),
            sandbox: true,
            assets: vec![AssetSettings {
                id: asset,
                symbol: "ETH".into(),
                decimals: 18,
            }],
        }])
    }

    #[test]
    fn chains_and_assets_should_be_refused_by_their_own_codes() {
        let catalogue = catalogue();
        let asset = |text| {
            catalogue
                .named_asset(In::Body, "asset", text)
                .map(|_| ())
                .map_err(|e| e.code())
        };
        assert_eq!(asset("eip155:31337/slip44:60"), Ok(()));
        assert_eq!(asset("eip155:1/slip44:60"), Err(ErrorCode::UnknownChain));
        assert_eq!(asset("eip155:31337/erc20:0x00"), Err(ErrorCode::UnknownAsset));
        assert_eq!(asset("ether"), Err(ErrorCode::UnknownAsset));
        assert!(catalogue.named_chain(In::Body, "chain", "eip155:31337").is_ok());
        let error = catalogue
            .named_chain(In::Body, "chains/0", "nonsense")
            .expect_err("unknown");
        assert_eq!(error.fields()[0].pointer.as_deref(), Some("/chains/0"));
    }

    #[test]
    fn amounts_should_carry_their_decimals() {
        let catalogue = catalogue();
        let listed = AssetId::try_new("eip155:31337/slip44:60").expect("valid");
        assert_eq!(catalogue.amount(&listed, Amount::from_u128(5)).decimals, 18);
        let gone = AssetId::try_new("eip155:7/slip44:60").expect("valid");
        assert_eq!(catalogue.amount(&gone, Amount::from_u128(5)).decimals, 0);
        assert!(catalogue.native_amount(&gone.chain(), Amount::ZERO).is_none());
    }
}
