//! What was answered before, kept for a while under a key that names everything it depends on.
//!
//! A key is a digest under the installation's own key, so it says nothing to whoever reads it, and two installations on
//! one store never meet. A value carries a digest of itself and its key: what somebody else wrote there, or moved there,
//! is a miss. Nothing fails here; a store that does not answer is a miss too.

use std::sync::Arc;
use std::time::Duration;

use vaultstream_domain::ports::Cache;
use vaultstream_event_schemas::token::MacKey;

/// Of a value that is kept, in front of it.
const TAG: usize = 32;

/// What a look-up came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// It was at hand.
    Hit,
    /// It was not.
    Miss,
    /// The store does not answer.
    Failed,
}

/// Is told of every look-up.
pub trait CountLookups: Send + Sync {
    /// A look-up of the kind that metrics call `cache`.
    fn looked_up(&self, cache: &'static str, lookup: Lookup);
}

/// Nobody counts.
impl CountLookups for () {
    fn looked_up(&self, _: &'static str, _: Lookup) {}
}

/// The key of something that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The digest, to be a part of another key.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What is kept. Cheap to clone.
#[derive(Clone)]
pub struct Kept {
    cache: Arc<dyn Cache>,
    counts: Arc<dyn CountLookups>,
    mac: MacKey,
}

impl Kept {
    /// What is kept in a store, under the installation's key.
    pub fn new(cache: Arc<dyn Cache>, counts: Arc<dyn CountLookups>, mac: MacKey) -> Self {
        Self { cache, counts, mac }
    }

    /// The key of what depends on all of these parts, in this order.
    pub fn key<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Key {
        let mut whole = Vec::with_capacity(1_024);
        for part in parts {
            whole.extend_from_slice(&(part.len() as u64).to_be_bytes());
            whole.extend_from_slice(part);
        }
        Key(format!("a:{}", hex::encode(self.mac.tag("kept/key", &whole))))
    }

    /// What was kept under a key; counted as `cache`.
    pub async fn find(&self, cache: &'static str, key: &Key) -> Option<Vec<u8>> {
        let found = self.cache.get(&key.0).await.and_then(|mut tag| {
            let value = tag.split_off(TAG.min(tag.len()));
            self.mac.is_tag(&purpose(key), &value, &tag).then_some(value)
        });
        let lookup = match &found {
            Some(_) => Lookup::Hit,
            None if self.cache.is_up() => Lookup::Miss,
            None => Lookup::Failed,
        };
        self.counts.looked_up(cache, lookup);
        found
    }

    /// Keeps a value for about `ttl`.
    pub async fn keep(&self, key: &Key, value: &[u8], ttl: Duration) {
        let mut tagged = self.mac.tag(&purpose(key), value).to_vec();
        tagged.extend_from_slice(value);
        self.cache.put(&key.0, &tagged, ttl).await;
    }
}

fn purpose(key: &Key) -> String {
    format!("kept/{}", key.0)
}

#[cfg(test)]
mod tests {
    use vaultstream_infra_runtime::{DEFAULT_CACHE_BYTES, MemoryCache, SystemClock};

    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn kept(cache: &Arc<dyn Cache>, key: u8) -> Kept {
        Kept::new(cache.clone(), Arc::new(()), MacKey::new([key; 32]))
    }

    fn memory() -> Arc<dyn Cache> {
        Arc::new(MemoryCache::new(Arc::new(SystemClock), DEFAULT_CACHE_BYTES))
    }

    fn key(kept: &Kept, parts: &[&str]) -> Key {
        kept.key(parts.iter().map(|part| part.as_bytes()))
    }

    #[tokio::test]
    async fn value_should_be_found_under_its_own_parts_and_installation_only() {
        let cache = memory();
        let (ours, theirs) = (kept(&cache, 1), kept(&cache, 2));
        let here = key(&ours, &["ab", "c"]);
        ours.keep(&here, b"value", TTL).await;
        assert_eq!(ours.find("x", &here).await.as_deref(), Some(&b"value"[..]));
        for parts in [&["a", "bc"][..], &["abc"], &["c", "ab"], &["ab", "c", ""]] {
            assert_eq!(ours.find("x", &key(&ours, parts)).await, None, "{parts:?}");
        }
        assert_eq!(theirs.find("x", &key(&theirs, &["ab", "c"])).await, None);
        assert_eq!(theirs.find("x", &here).await, None, "written under another key");
        assert_eq!(here.0.len(), 66, "a digest: {}", here.0);
    }

    #[tokio::test]
    async fn value_that_was_not_kept_here_should_be_a_miss() {
        let cache = memory();
        let kept = kept(&cache, 1);
        let (here, there) = (key(&kept, &["here"]), key(&kept, &["there"]));
        kept.keep(&here, b"value", TTL).await;
        kept.keep(&there, b"other", TTL).await;
        let whole = cache.get(&here.0).await.expect("kept");
        let moved = cache.get(&there.0).await.expect("kept");
        let cut = whole[..whole.len() - 1].to_vec();
        let forged = [&[b'x'; TAG][..], b"value"].concat();
        for spoilt in [moved, cut, forged, b"x".to_vec(), Vec::new()] {
            cache.put(&here.0, &spoilt, TTL).await;
            assert_eq!(kept.find("x", &here).await, None, "{spoilt:?}");
        }
        cache.put(&here.0, &whole, TTL).await;
        assert!(kept.find("x", &here).await.is_some());
    }
}
