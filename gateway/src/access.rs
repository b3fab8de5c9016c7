//! Sets of scopes as bits, in the order of the domain's closed list.

use vaultstream_domain::organization::scope;

/// What a credential may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopeSet(u64);

impl ScopeSet {
    /// The set of these scopes; unknown ones (of a newer version) grant nothing.
    pub fn of<S: AsRef<str>>(scopes: &[S]) -> Self {
        Self(
            scopes
                .iter()
                .filter_map(|s| bit(s.as_ref()))
                .fold(0, |set, bit| set | bit),
        )
    }
    /// Every scope there is.
    pub fn all() -> Self {
        Self::of(&scope::all())
    }
    /// What both grant.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Whether a scope is granted.
    pub fn contains(self, scope: &str) -> bool {
        bit(scope).is_some_and(|bit| self.0 & bit != 0)
    }
    /// The scopes, sorted.
    pub fn list(self) -> Vec<String> {
        let granted = scope::ALL.iter().filter(|(s, _)| self.contains(s));
        granted.map(|(s, _)| (*s).to_owned()).collect()
    }
}

fn bit(scope: &str) -> Option<u64> {
    scope::ALL
        .iter()
        .position(|(s, _)| *s == scope)
        .map(|index| 1 << index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_should_hold_what_it_was_given_and_nothing_else() {
        const { assert!(scope::ALL.len() <= 64) };
        let set = ScopeSet::of(&["vaults:read", "future:scope"]);
        assert!(set.contains("vaults:read"));
        assert!(!set.contains("vaults:write") && !set.contains("future:scope"));
        assert_eq!(set.list(), ["vaults:read"]);
        assert_eq!(ScopeSet::all().list(), scope::all());
        assert_eq!(ScopeSet::all().and(set), set);
    }
}
