//! What a row of the table says.

use serde_json::Value;

use super::world::Ids;

/// What a credential needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing, not even a credential; and why.
    Public(&'static str),
    /// To be known, no more; and why no scope guards it.
    SignedIn(&'static str),
    /// All of these scopes.
    All(&'static [&'static str]),
    /// One of these scopes; each shows what is its own.
    Any(&'static [&'static str]),
}

impl Needs {
    /// The scopes that are named.
    pub const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Public(_) | Self::SignedIn(_) => &[],
            Self::All(scopes) | Self::Any(scopes) => scopes,
        }
    }
}

/// Whose keys may at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Every organization's.
    Anyone,
    /// The platform organization's.
    Platform,
}

/// A request but for its method and its credential.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Path and query.
    pub path: String,
    /// The body, where there is one.
    pub body: Option<Value>,
}

impl Ask {
    /// Without a body.
    pub fn at(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            body: None,
        }
    }

    /// With a body.
    pub fn with(path: impl Into<String>, body: Value) -> Self {
        Self {
            path: path.into(),
            body: Some(body),
        }
    }
}

/// A place where a tenant's ids can stand in a request.
#[derive(Clone, Copy)]
pub struct Place {
    /// The request about one tenant's things.
    pub ask: fn(&Ids) -> Ask,
    /// Whether the platform reaches every tenant's here.
    pub platform_reaches: bool,
}

/// A place that only the owner reaches.
pub const fn own(ask: fn(&Ids) -> Ask) -> Place {
    Place {
        ask,
        platform_reaches: false,
    }
}

/// A place where the platform reaches every tenant's things.
pub const fn reached(ask: fn(&Ids) -> Ask) -> Place {
    Place {
        ask,
        platform_reaches: true,
    }
}

/// An operation of the REST API: who may, and how it is asked so that it does something.
#[derive(Clone, Copy)]
pub struct Row {
    /// The operation.
    pub id: &'static str,
    /// What a credential needs.
    pub needs: Needs,
    /// Whose credential it has to be.
    pub whose: Whose,
    /// Every place where ids can stand; the first is what it is for.
    pub places: &'static [Place],
    /// The statuses that say it was let in: done, or refused for the state of things. The operation's own when empty.
    pub done: &'static [u16],
}

/// A row of an operation behind one scope.
pub const fn row(id: &'static str, scope: &'static [&'static str], places: &'static [Place]) -> Row {
    Row {
        id,
        needs: Needs::All(scope),
        whose: Whose::Anyone,
        places,
        done: &[],
    }
}

/// A row of an operation for the platform's keys.
pub const fn platform(id: &'static str, scope: &'static [&'static str], places: &'static [Place]) -> Row {
    Row {
        whose: Whose::Platform,
        ..row(id, scope, places)
    }
}

/// A row of an operation that no scope guards.
pub const fn signed_in(id: &'static str, why: &'static str, places: &'static [Place]) -> Row {
    Row {
        needs: Needs::SignedIn(why),
        ..row(id, &[], places)
    }
}
