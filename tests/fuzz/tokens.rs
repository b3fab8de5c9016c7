//! Tokens and cursors: nobody forges one, and what stands inside is looked at as if somebody had.

use vaultstream_event_schemas::token::MacKey;
use vaultstream_query_api::hub;

use crate::harness::{Target, Verdict, holds};

const KEY: MacKey = MacKey::new([7; 32]);

/// What opens is sealed again as something that opens as the same.
fn opened(text: &str) -> Verdict {
    if let Ok(positions) = KEY.open_token(text) {
        let again = KEY.open_token(&KEY.seal_token(&positions));
        holds!(again.as_ref() == Ok(&positions), "another token: {again:?}");
    }
    if let Ok(positions) = hub::open_cursor(&KEY, text) {
        let again = hub::open_cursor(&KEY, &hub::seal_cursor(&KEY, &positions));
        holds!(again.as_ref() == Ok(&positions), "another cursor: {again:?}");
    }
    if let Ok(after) = KEY.open_cursor("a list", text) {
        holds!(
            KEY.seal_cursor("a list", &after) == text,
            "two texts of one cursor"
        );
    }
    Ok(())
}

#[test]
fn tokens_should_open_or_be_refused() {
    Target::new("tokens").fuzz(|bytes| {
        // as a stranger sends it, and as one who has the key would
        opened(&String::from_utf8_lossy(bytes))?;
        opened(&KEY.seal("token", bytes))?;
        opened(&KEY.seal("cursor/events/1", bytes))?;
        opened(&KEY.seal("cursor/a list", bytes))
    });
}
