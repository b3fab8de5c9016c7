//! The views by name, and which families each of them has a store in.

use std::fmt;
use std::str::FromStr;

use vaultstream_domain::ports::view_store::ViewRef;
use vaultstream_event_schemas::{Family, Registry};

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViewName {
    /// Organizations, API keys, sessions.
    Directory,
    /// Vaults and their totals.
    Vaults,
    /// Accounts, balances and their totals.
    Balances,
    /// Transfers, executions, what is open, and their totals.
    Transfers,
    /// Public events.
    Feed,
    /// Terms that lead to things.
    Lookup,
}

/// The text names no view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no view; use one of: directory, vaults, balances, transfers, feed, lookup")]
pub struct ViewNameError(String);

impl ViewName {
    /// Every view.
    pub const ALL: [Self; 6] = [
        Self::Directory,
        Self::Vaults,
        Self::Balances,
        Self::Transfers,
        Self::Feed,
        Self::Lookup,
    ];

    /// The word, which is part of table names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Vaults => "vaults",
            Self::Balances => "balances",
            Self::Transfers => "transfers",
            Self::Feed => "feed",
            Self::Lookup => "lookup",
        }
    }

    /// Whether events of a family are folded into this view.
    pub const fn covers(self, family: &Family) -> bool {
        match self {
            Self::Directory | Self::Vaults => matches!(family, Family::Core),
            Self::Balances | Self::Transfers => matches!(family, Family::Chain(_)),
            Self::Feed | Self::Lookup => matches!(family, Family::Core | Family::Chain(_)),
        }
    }

    /// The families of a registry that this view has a store in.
    pub fn families(self, registry: &Registry) -> Vec<Family> {
        let mut families: Vec<Family> = Vec::new();
        for entry in registry.entries() {
            if self.covers(&entry.family) && families.last() != Some(&entry.family) {
                families.push(entry.family.clone());
            }
        }
        families
    }

    /// One generation of this view in one family's store.
    pub const fn at(self, family: Family, generation: u32) -> ViewRef {
        ViewRef {
            family,
            view: self.as_str(),
            generation,
        }
    }
}

impl fmt::Display for ViewName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ViewName {
    type Err = ViewNameError;
    fn from_str(text: &str) -> Result<Self, ViewNameError> {
        let found = Self::ALL.into_iter().find(|v| v.as_str() == text);
        found.ok_or_else(|| ViewNameError(text.chars().take(64).collect()))
    }
}
