//! The ApiKey aggregate: issued → revoked. 256 bits, shown once, stored as SHA-256; scopes only shrink.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::organization::v1;
use vaultstream_event_schemas::{ErrorCode, OrganizationId, Timestamp};

use super::scope;
use crate::decider::Decider;
use crate::error::Coded;
use crate::name::{MAX_NAME, MAX_REASON, is_printable};

/// The ApiKey aggregate.
pub struct ApiKey;

crate::wire_events! {
    /// What can happen to an API key.
    ApiKeyEvent {
        /// It was issued.
        Issued(v1::KeyIssued),
        /// It lost scopes.
        ScopesReduced(v1::KeyScopesReduced),
        /// It was revoked.
        Revoked(v1::KeyRevoked),
    }
}

/// What can be asked of an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKeyCommand {
    /// Issue it.
    Issue(v1::KeyIssued),
    /// Take scopes away; the list is what remains.
    ReduceScopes {
        /// What remains, sorted.
        scopes: Vec<String>,
    },
    /// Revoke it.
    Revoke {
        /// Why.
        reason: String,
    },
}

/// An API key, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ApiKeyState {
    /// How it was issued; `None` before.
    pub issued: Option<v1::KeyIssued>,
    /// What it may do now.
    pub scopes: Vec<String>,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl ApiKeyState {
    /// Whether it may be used at `now`.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        !self.revoked
            && self
                .issued
                .as_ref()
                .is_some_and(|i| i.expires_at.is_none_or(|at| now < at))
    }

    /// The organization it acts for.
    pub fn organization(&self) -> Option<OrganizationId> {
        self.issued.as_ref().map(|i| i.organization)
    }
}

/// Why an API key refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// It exists already.
    #[error("the key exists already")]
    AlreadyIssued,
    /// It does not exist.
    #[error("there is no such key")]
    Unknown,
    /// It was revoked.
    #[error("the key was revoked")]
    Revoked,
    /// The name cannot be taken.
    #[error("a name has 1 to 80 printable characters and no space at its ends")]
    InvalidName,
    /// The reason cannot be taken.
    #[error("a reason has 1 to 500 printable characters and no space at its ends")]
    InvalidReason,
    /// The scopes are not a sorted list of existing scopes.
    #[error("scopes are a sorted list, without doubles, of: {}", scope::all().join(", "))]
    InvalidScopes,
    /// Scopes never grow.
    #[error("scopes only shrink; issue a new key for more")]
    ScopesGrow,
}

impl Coded for ApiKeyError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::AlreadyIssued => ErrorCode::AlreadyExists,
            Self::Unknown => ErrorCode::NotFound,
            Self::Revoked => ErrorCode::StateConflict,
            Self::InvalidName | Self::InvalidReason | Self::InvalidScopes | Self::ScopesGrow => {
                ErrorCode::InvalidField
            }
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidName => Some("name"),
            Self::InvalidReason => Some("reason"),
            Self::InvalidScopes | Self::ScopesGrow => Some("scopes"),
            _ => None,
        }
    }
}

impl Decider for ApiKey {
    type State = ApiKeyState;
    type Command = ApiKeyCommand;
    type Event = ApiKeyEvent;
    type Error = ApiKeyError;

    fn decide(state: &ApiKeyState, command: &ApiKeyCommand) -> Result<Vec<ApiKeyEvent>, ApiKeyError> {
        match (command, &state.issued) {
            (ApiKeyCommand::Issue(issue), None) => {
                if !is_printable(&issue.name, MAX_NAME) {
                    return Err(ApiKeyError::InvalidName);
                }
                if !scope::is_valid_list(&issue.scopes) {
                    return Err(ApiKeyError::InvalidScopes);
                }
                Ok(vec![issue.clone().into()])
            }
            (ApiKeyCommand::Issue(_), Some(_)) => Err(ApiKeyError::AlreadyIssued),
            (_, None) => Err(ApiKeyError::Unknown),
            (ApiKeyCommand::Revoke { .. }, Some(_)) if state.revoked => Ok(vec![]),
            (_, Some(_)) if state.revoked => Err(ApiKeyError::Revoked),
            (ApiKeyCommand::Revoke { reason }, Some(_)) if is_printable(reason, MAX_REASON) => Ok(vec![
                v1::KeyRevoked {
                    reason: reason.clone(),
                }
                .into(),
            ]),
            (ApiKeyCommand::Revoke { .. }, Some(_)) => Err(ApiKeyError::InvalidReason),
            (ApiKeyCommand::ReduceScopes { scopes }, Some(_)) if !scope::is_valid_list(scopes) => {
                Err(ApiKeyError::InvalidScopes)
            }
            (ApiKeyCommand::ReduceScopes { scopes }, Some(_)) if *scopes == state.scopes => Ok(vec![]),
            (ApiKeyCommand::ReduceScopes { scopes }, Some(_))
                if scopes.iter().all(|s| state.scopes.contains(s)) =>
            {
                Ok(vec![
                    v1::KeyScopesReduced {
                        scopes: scopes.clone(),
                    }
                    .into(),
                ])
            }
            (ApiKeyCommand::ReduceScopes { .. }, Some(_)) => Err(ApiKeyError::ScopesGrow),
        }
    }

    fn evolve(state: &mut ApiKeyState, event: &ApiKeyEvent) {
        match event {
            ApiKeyEvent::Issued(e) => {
                state.scopes.clone_from(&e.scopes);
                state.issued = Some(e.clone());
            }
            ApiKeyEvent::ScopesReduced(e) => state.scopes.clone_from(&e.scopes),
            ApiKeyEvent::Revoked(_) => state.revoked = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::id;

    use super::*;
    use crate::given::given;

    fn issue() -> v1::KeyIssued {
        v1::KeyIssued {
            expires_at: Some(Timestamp::from_micros(100)),
            name: "ci".into(),
            organization: OrganizationId::from_uuid(id::random(1, 1)),
            scopes: vec!["transfers:read".into(), "vaults:read".into()],
            secret_sha256: "00".repeat(32),
        }
    }

    #[test]
    fn key_should_be_issued_once_and_end_at_revocation_or_expiry() {
        given::<ApiKey>(&[])
            .when(&ApiKeyCommand::Issue(issue()))
            .then(&[issue().into()]);
        let history = [issue().into()];
        given::<ApiKey>(&history)
            .when(&ApiKeyCommand::Issue(issue()))
            .refuses(&ApiKeyError::AlreadyIssued);
        assert!(
            given::<ApiKey>(&history)
                .state()
                .is_usable(Timestamp::from_micros(99))
        );
        assert!(
            !given::<ApiKey>(&history)
                .state()
                .is_usable(Timestamp::from_micros(100))
        );
        let revoked = [
            issue().into(),
            v1::KeyRevoked {
                reason: "leak".into(),
            }
            .into(),
        ];
        assert!(
            !given::<ApiKey>(&revoked)
                .state()
                .is_usable(Timestamp::from_micros(1))
        );
        given::<ApiKey>(&revoked)
            .when(&ApiKeyCommand::Revoke {
                reason: "again".into(),
            })
            .then(&[]);
    }

    #[test]
    fn scopes_should_only_shrink() {
        let history = [issue().into()];
        let reduce = |s: &[&str]| ApiKeyCommand::ReduceScopes {
            scopes: s.iter().map(|s| (*s).to_owned()).collect(),
        };
        given::<ApiKey>(&history)
            .when(&reduce(&["vaults:read"]))
            .then(&[v1::KeyScopesReduced {
                scopes: vec!["vaults:read".into()],
            }
            .into()]);
        given::<ApiKey>(&history)
            .when(&reduce(&["vaults:write"]))
            .refuses(&ApiKeyError::ScopesGrow);
        given::<ApiKey>(&history)
            .when(&reduce(&["nonsense"]))
            .refuses(&ApiKeyError::InvalidScopes);
        given::<ApiKey>(&history)
            .when(&reduce(&[]))
            .refuses(&ApiKeyError::InvalidScopes);
    }
}
