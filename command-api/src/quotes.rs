//! What a chain charges, asked of its node once a block: dry runs show it, decisions never rest on it.

use std::time::Duration;

use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::ChainId;
use vaultstream_event_schemas::chain::FeeQuote;
use vaultstream_gateway::kept::Kept;

/// How long a quote is kept; what makes another one of it is another block.
const TTL: Duration = Duration::from_secs(60);

/// The quote at the newest block that is known, by its hash; `ask` is awaited unless somebody asked at that block before.
pub(crate) async fn at(
    kept: &Kept,
    chain: &ChainId,
    tip: Option<&str>,
    ask: impl Future<Output = Result<FeeQuote, NodeError>> + Send,
) -> Result<FeeQuote, NodeError> {
    let Some(tip) = tip else { return ask.await };
    let key = kept.key([b"fee-quote".as_slice(), chain.as_str().as_bytes(), tip.as_bytes()]);
    let found = kept.find("chain", &key).await;
    if let Some(quote) = found.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(quote);
    }
    let quote = ask.await?;
    // a node may be ahead of what is known, or behind: then the quote is of another block
    if quote.at.hash == tip
        && let Ok(bytes) = serde_json::to_vec(&quote)
    {
        kept.keep(&key, &bytes, TTL).await;
    }
    Ok(quote)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use vaultstream_event_schemas::Amount;
    use vaultstream_event_schemas::chain::BlockRef;
    use vaultstream_event_schemas::token::MacKey;
    use vaultstream_infra_runtime::{DEFAULT_CACHE_BYTES, MemoryCache, SystemClock};

    use super::*;

    fn quote(hash: &str, target: u32) -> FeeQuote {
        FeeQuote {
            at: BlockRef {
                hash: hash.to_owned(),
                height: 1,
            },
            ceiling: Amount::from_u128(100),
            floor: Amount::from_u128(1),
            target: Amount::from_u128(target.into()),
            tip: Amount::from_u128(1),
        }
    }

    #[tokio::test]
    async fn node_should_be_asked_once_a_block() {
        let memory = MemoryCache::new(Arc::new(SystemClock), DEFAULT_CACHE_BYTES);
        let kept = Kept::new(Arc::new(memory), Arc::new(()), MacKey::new([3; 32]));
        let (one, other) = (
            ChainId::try_new("eip155:1").expect("valid"),
            ChainId::try_new("eip155:2").expect("valid"),
        );
        let asked = AtomicU32::new(0);
        // each answer differs, so that a kept one is told from a new one
        let ask = async |chain: &ChainId, tip: Option<&str>, node_at: &str| {
            let ask = async { Ok(quote(node_at, asked.fetch_add(1, Ordering::SeqCst))) };
            at(&kept, chain, tip, ask).await.expect("a quote").target
        };
        let first = ask(&one, Some("0xa"), "0xa").await;
        assert_eq!(ask(&one, Some("0xa"), "0xa").await, first, "kept");
        assert_ne!(ask(&other, Some("0xa"), "0xa").await, first, "another chain");
        assert_ne!(
            ask(&one, Some("0xb"), "0xb").await,
            first,
            "another block, also after a fork"
        );
        let ahead = ask(&one, Some("0xc"), "0xd").await;
        assert_ne!(
            ask(&one, Some("0xc"), "0xd").await,
            ahead,
            "of another block: not kept"
        );
        let unknown = ask(&one, None, "0xa").await;
        assert_ne!(
            ask(&one, None, "0xa").await,
            unknown,
            "no block is known: not kept"
        );
        let failed = async { Err(NodeError::Unavailable("gone".to_owned())) };
        at(&kept, &one, Some("0xe"), failed).await.expect_err("passed on");
        assert_eq!(asked.load(Ordering::SeqCst), 7);
        let before = ask(&one, Some("0xe"), "0xe").await;
        assert_eq!(
            ask(&one, Some("0xe"), "0xe").await,
            before,
            "a failure is not kept"
        );
    }
}
