//! An operation of the REST API as data: everything that is decided about a request before its handler runs.

use axum::routing::MethodFilter;

/// The method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads.
    Get,
    /// Commands, and questions with a body.
    Post,
    /// Changes a part.
    Patch,
    /// Ends something.
    Delete,
}

impl Verb {
    /// For the router. GET answers HEAD as well.
    pub const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
    /// The word, upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Which room answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// command-api.
    Commands,
    /// query-api.
    Reads,
}

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, by address limits.
    Public,
    /// Whoever is signed in.
    SignedIn,
    /// Whoever has the scope.
    Scope(&'static str),
}

/// What it does to the log; a suspended organization may only read and leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// Something.
    Commands,
    /// Takes access away, which is always allowed.
    Leaves,
}

/// Whether it takes an Idempotency-Key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// It needs none or its answer cannot be repeated; a key is refused.
    None,
    /// It takes one.
    Optional,
    /// It insists on one.
    Required,
}

/// Whether it takes an If-Match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// There is nothing yet that could have been read before.
    None,
    /// It takes one: a change of what has changed meanwhile is refused.
    Optional,
    /// It insists on one.
    Required,
}

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name, in OpenAPI and in claims: never changed.
    pub id: &'static str,
    /// Which room answers.
    pub room: Room,
    /// The method.
    pub verb: Verb,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// What it does to the log.
    pub effect: Effect,
    /// Whether it takes an Idempotency-Key.
    pub idempotency: Idempotency,
    /// Whether it takes an If-Match.
    pub if_match: IfMatch,
    /// The schema of its body, when it has one.
    pub body: Option<&'static str>,
    /// The schema of its answer, when it has one.
    pub answer: Option<&'static str>,
    /// The status of its success.
    pub status: u16,
    /// Query parameters beside those in the path.
    pub query: &'static [&'static str],
    /// What it does, in a sentence.
    pub summary: &'static str,
}

impl Operation {
    /// The noun it belongs to: the part of the path behind the version.
    pub fn tag(&self) -> &'static str {
        self.path
            .trim_start_matches("/v1/")
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or("")
    }

    /// The names of the parameters in its path.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{').and_then(|p| p.strip_suffix('}')))
    }
}
