//! Who asks: everything that can be presented at the door, and what is to become of it.

use reqwest::RequestBuilder;
use vaultstream_gateway::operation::{Effect, Operation, Verb};

use super::row::{Needs, Row, Whose};
use crate::refusal::{Refusal, refusal};

/// A credential, by what is special about it. Keys are the tenant's unless they are the platform's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// None.
    Nobody,
    /// A key that exists with a secret that is not its own.
    WrongSecret,
    /// A key that was revoked.
    Revoked,
    /// A key whose time is over.
    Expired,
    /// A key with one scope.
    Alone(&'static str),
    /// A key with every scope but one.
    AllBut(&'static str),
    /// A key with every scope.
    Full,
    /// A key with every scope of an organization that is suspended.
    Suspended,
    /// A session of a full key, on its own page.
    Page,
    /// The same without the header that only its own page can add.
    PageWithoutHeader,
    /// The same from another origin.
    PageElsewhere,
    /// A session that was ended.
    PageEnded,
    /// The platform's key with every scope.
    Platform,
    /// A key of the platform with one scope.
    PlatformAlone(&'static str),
    /// A key of the platform with every scope but one.
    PlatformAllBut(&'static str),
}

/// What becomes of a request before its operation looks at anything.
#[derive(Debug, Clone)]
pub enum Expected {
    /// It is let in.
    In,
    /// It is refused so, in words that name this.
    Refused(Refusal, String),
}

impl Who {
    /// Whether a scope is among its own.
    pub fn has(self, scope: &str) -> bool {
        match self {
            Self::Alone(one) | Self::PlatformAlone(one) => one == scope,
            Self::AllBut(one) | Self::PlatformAllBut(one) => one != scope,
            _ => true,
        }
    }

    /// Whether it acts for the platform organization.
    pub const fn is_platform(self) -> bool {
        matches!(
            self,
            Self::Platform | Self::PlatformAlone(_) | Self::PlatformAllBut(_)
        )
    }

    /// Whether what the tenant has is its own.
    pub const fn is_ours(self) -> bool {
        !self.is_platform() && !matches!(self, Self::Suspended)
    }

    /// Whether nobody knows who this is.
    const fn is_stranger(self) -> bool {
        matches!(
            self,
            Self::Nobody | Self::WrongSecret | Self::Revoked | Self::Expired | Self::PageEnded
        )
    }

    /// Why a scope that is missing stands in the refusal; none where nothing is missing.
    pub fn lacks(self, needs: Needs) -> Option<&'static str> {
        match needs {
            Needs::Public(_) | Needs::SignedIn(_) => None,
            Needs::All(scopes) => scopes.iter().copied().find(|scope| !self.has(scope)),
            Needs::Any(scopes) if scopes.iter().any(|scope| self.has(scope)) => None,
            Needs::Any(scopes) => scopes.first().copied(),
        }
    }

    /// What the door is to say of an operation.
    pub fn expected(self, operation: &Operation, row: &Row) -> Expected {
        if self == Self::PageElsewhere {
            return refused(refusal(403, "origin-not-allowed", Some("Origin")), "");
        }
        if matches!(row.needs, Needs::Public(_)) {
            return Expected::In;
        }
        if self.is_stranger() {
            return refused(refusal(401, "unauthenticated", None), "");
        }
        if self == Self::PageWithoutHeader && operation.verb != Verb::Get {
            let header = "X-Vaultstream-Request";
            return refused(refusal(403, "csrf-header-missing", Some(header)), "");
        }
        if let Some(scope) = self.lacks(row.needs) {
            return refused(refusal(403, "scope-missing", None), &format!("`{scope}`"));
        }
        if self == Self::Suspended && operation.effect == Effect::Commands {
            return refused(refusal(409, "organization-not-active", None), "suspended");
        }
        if row.whose == Whose::Platform && !self.is_platform() {
            return refused(refusal(403, "scope-missing", None), "platform organization");
        }
        Expected::In
    }
}

fn refused(refusal: Refusal, word: &str) -> Expected {
    Expected::Refused(refusal, word.to_owned())
}

/// Who, with what they present.
pub struct Credential {
    /// Who.
    pub who: Who,
    headers: Vec<(&'static str, String)>,
}

impl Credential {
    /// Nobody.
    pub const fn none() -> Self {
        Self {
            who: Who::Nobody,
            headers: Vec::new(),
        }
    }

    /// Whoever holds a key.
    pub fn key(who: Who, key: &str) -> Self {
        let headers = vec![("authorization", format!("Bearer {key}"))];
        Self { who, headers }
    }

    /// A browser with a cookie.
    pub fn page(who: Who, cookie: &str, header: Option<&str>, origin: Option<&str>) -> Self {
        let more = [("x-vaultstream-request", header), ("origin", origin)];
        let more = more
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.to_owned())));
        let headers = std::iter::once(("cookie", cookie.to_owned()))
            .chain(more)
            .collect();
        Self { who, headers }
    }

    /// A request with the credential on it.
    pub fn present(&self, request: RequestBuilder) -> RequestBuilder {
        let headers = self.headers.iter();
        headers.fold(request, |request, (name, value)| request.header(*name, value))
    }

    /// What it presents.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str()))
    }
}
