//! The parts that a process runs.

use std::collections::BTreeSet;
use std::fmt;

/// A part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// Everything, in one process.
    All,
    /// REST commands.
    CommandApi,
    /// GraphQL, subscriptions and REST reads, and the dashboard.
    QueryApi,
    /// Folds events into views.
    Projectors,
    /// Reacts to events: opens accounts, screens and starts transfers.
    Workflows,
    /// Follows chains: sends, follows and settles executions, reads balances.
    Watchers,
    /// Publishes the log to Kafka.
    Relay,
    /// Signs checkpoints over the log.
    Sealer,
    /// Brings schemas and topics up to date, makes the platform's key, and ends.
    Migrate,
}

/// What `all` stands for, in the order of start.
const PARTS: [Role; 8] = [
    Role::Migrate,
    Role::Relay,
    Role::Sealer,
    Role::Projectors,
    Role::Workflows,
    Role::Watchers,
    Role::CommandApi,
    Role::QueryApi,
];

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::CommandApi => "command-api",
            Self::QueryApi => "query-api",
            Self::Projectors => "projectors",
            Self::Workflows => "workflows",
            Self::Watchers => "watchers",
            Self::Relay => "relay",
            Self::Sealer => "sealer",
            Self::Migrate => "migrate",
        }
    }
}

/// The parts of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// From what was asked for; nothing and `all` are everything.
    pub fn new(asked: &[Role]) -> Self {
        if asked.is_empty() || asked.contains(&Role::All) {
            return Self(PARTS.into());
        }
        Self(asked.iter().copied().collect())
    }

    /// Whether a part runs here.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether every part runs here.
    pub fn is_all(&self) -> bool {
        PARTS.iter().all(|role| self.has(*role))
    }

    /// Whether there is nothing to do but to migrate.
    pub fn is_migration(&self) -> bool {
        self.0.iter().eq([&Role::Migrate])
    }

    /// Whether strangers ask this process anything but its health.
    pub fn has_doors(&self) -> bool {
        self.has(Role::CommandApi) || self.has(Role::QueryApi)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str(Role::All.word());
        }
        for (i, role) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}", role.word())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_all_should_be_everything() {
        for asked in [&[][..], &[Role::All], &[Role::Relay, Role::All], &PARTS] {
            let roles = Roles::new(asked);
            assert!(roles.is_all() && roles.has_doors() && !roles.is_migration());
            assert_eq!(roles.to_string(), "all");
        }
    }

    #[test]
    fn parts_should_be_themselves_only() {
        let roles = Roles::new(&[Role::Relay, Role::QueryApi]);
        assert!(roles.has(Role::Relay) && roles.has_doors() && !roles.has(Role::CommandApi));
        assert_eq!(roles.to_string(), "query-api,relay");
        assert!(Roles::new(&[Role::Migrate]).is_migration());
        assert!(!Roles::new(&[Role::Migrate, Role::Relay]).is_migration());
    }
}
