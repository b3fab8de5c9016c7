//! Scopes: what a key or a session may do. A closed list; a new operation names one of these or adds one.

/// Every scope with what it allows.
pub const ALL: &[(&str, &str)] = &[
    ("accounts:write", "open, label, freeze and unfreeze accounts"),
    (
        "audit:read",
        "read the events of every organization, on record; for keys of the platform organization",
    ),
    ("erasures:write", "destroy personal data for ever"),
    ("events:read", "read the feed of public events"),
    ("keys:write", "issue and revoke API keys and sessions"),
    ("organizations:write", "register organizations; change one's own"),
    ("sandbox:faucet", "ask a sandbox faucet for money"),
    ("transfers:approve", "approve and deny transfers"),
    ("transfers:read", "read transfers"),
    ("transfers:write", "request and cancel transfers"),
    ("vaults:read", "read vaults, accounts and balances"),
    ("vaults:write", "create and rename vaults"),
    (
        "views:write",
        "see how far views are and rebuild them; for keys of the platform organization",
    ),
];

/// Whether a scope exists.
pub fn exists(scope: &str) -> bool {
    ALL.iter().any(|(s, _)| *s == scope)
}

/// All scopes, sorted.
pub fn all() -> Vec<String> {
    ALL.iter().map(|(s, _)| (*s).to_owned()).collect()
}

/// Whether a list is sorted, without doubles, not empty and made of existing scopes.
pub fn is_valid_list(scopes: &[String]) -> bool {
    !scopes.is_empty() && scopes.windows(2).all(|w| w[0] < w[1]) && scopes.iter().all(|s| exists(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_should_be_sorted_and_closed() {
        assert!(is_valid_list(&all()));
        assert!(!is_valid_list(&[]));
        assert!(!is_valid_list(&["vaults:write".into(), "vaults:read".into()]));
        assert!(!is_valid_list(&["money:print".into()]));
    }
}
