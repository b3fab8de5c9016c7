//! What each family of chains says of addresses and fees; the one place that tells families apart.

use vaultstream_chain_evm::{checksummed, fee, parse_destination};
use vaultstream_event_schemas::chain::{ChainSettings, FeeQuote};
use vaultstream_event_schemas::{Amount, ErrorCode};

/// Why a text is no destination on a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressRefusal {
    pub code: ErrorCode,
    pub detail: String,
}

/// The address in the chain's checked form.
pub(crate) fn destination(chain: &ChainSettings, text: &str) -> Result<String, AddressRefusal> {
    match chain.id.namespace() {
        "eip155" => parse_destination(text)
            .map(|address| checksummed(&address))
            .map_err(|e| AddressRefusal {
                code: e.code(),
                detail: e.to_string(),
            }),
        other => {
            let detail = format!("this version cannot check addresses of {other} chains");
            Err(AddressRefusal {
                code: ErrorCode::UnknownChain,
                detail,
            })
        }
    }
}

/// What so much work costs: what is to be expected, and at most. `None` on overflow or a quote that cannot be.
pub(crate) fn fee_of(chain: &ChainSettings, quote: &FeeQuote, work: u64) -> Option<(Amount, Amount)> {
    match chain.id.namespace() {
        "eip155" => {
            let max = fee::fee_at(fee::bid(quote).ok()?, work)?;
            let expected = quote.target.checked_mul(Amount::from_u128(u128::from(work)))?;
            Some((expected.min(max), max))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::{ChainId, Slug};

    use super::*;

    fn chain(id: &str) -> ChainSettings {
        ChainSettings {
            id: ChainId::try_new(id).expect("valid"),
            slug: Slug::try_new("chain").expect("valid"),
            name: "Chain".into(),
            sandbox: true,
            assets: vec![],
        }
    }

    #[test]
    fn destination_should_be_answered_with_its_checksum_or_refused_by_code() {
        let ethereum = chain("eip155:1");
        let lower = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";
        let checked = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        assert_eq!(destination(&ethereum, lower).as_deref(), Ok(checked));
        let code = |text: &str| destination(&ethereum, text).map_err(|e| e.code);
        assert_eq!(
            code(&checked.replace("BeAed", "BeAeD")),
            Err(ErrorCode::InvalidChecksum)
        );
        assert_eq!(code("0x00"), Err(ErrorCode::InvalidAddress));
        assert_eq!(
            code(&format!("0x{}", "0".repeat(40))),
            Err(ErrorCode::InvalidAddress)
        );
        assert_eq!(
            destination(&chain("solana:main"), lower).map_err(|e| e.code),
            Err(ErrorCode::UnknownChain)
        );
    }
}
