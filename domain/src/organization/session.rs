//! The Session aggregate: a browser session, offered as a one-time link or opened with a key; issued → revoked.
//!
//! A link's code and a cookie's secret are stored as SHA-256 only. A link opens one session once: the second use meets a
//! session that is open already. A session acts as the key that opened it and never does more than that key.

use serde::{Deserialize, Serialize};
use vaultstream_event_schemas::organization::v1;
use vaultstream_event_schemas::{ApiKeyId, ErrorCode, Timestamp};

use super::scope;
use crate::decider::Decider;
use crate::error::Coded;
use crate::name::{MAX_REASON, is_printable};

/// The Session aggregate.
pub struct Session;

crate::wire_events! {
    /// What can happen to a session.
    SessionEvent {
        /// A one-time link to it was offered.
        Offered(v1::SessionOffered),
        /// It was opened.
        Opened(v1::SessionOpened),
        /// It was ended before its time.
        Revoked(v1::SessionRevoked),
    }
}

/// What can be asked of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionCommand {
    /// Offer a one-time link.
    Offer(v1::SessionOffered),
    /// Open it with the link's code.
    Redeem {
        /// SHA-256 of the presented code, lower-case hex.
        code_sha256: String,
        /// The session to open; key and scopes are the offer's.
        expires_at: Timestamp,
        /// SHA-256 of the cookie's secret, lower-case hex.
        secret_sha256: String,
        /// The time of the attempt.
        now: Timestamp,
    },
    /// Open it for a client that proved its key.
    Open(v1::SessionOpened),
    /// End it.
    Revoke {
        /// Why.
        reason: String,
    },
}

/// A session, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SessionState {
    /// The link, until it is used.
    pub offer: Option<v1::SessionOffered>,
    /// How it was opened.
    pub opened: Option<v1::SessionOpened>,
    /// Whether it was ended.
    pub revoked: bool,
}

impl SessionState {
    /// Whether it may be used at `now`.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        !self.revoked && self.opened.as_ref().is_some_and(|o| now < o.expires_at)
    }

    /// The key it acts as.
    pub fn key(&self) -> Option<ApiKeyId> {
        self.opened.as_ref().map(|o| o.key)
    }
}

/// Why a session refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It exists already, or its link was used.
    #[error("the link was used already; ask for a new one")]
    AlreadyOpened,
    /// It does not exist.
    #[error("there is no such session")]
    Unknown,
    /// The code is wrong or too old.
    #[error("the link is not valid or has expired; ask for a new one")]
    InvalidCode,
    /// The scopes are not a sorted list of existing scopes.
    #[error("scopes are a sorted list, without doubles, of: {}", scope::all().join(", "))]
    InvalidScopes,
    /// The reason cannot be taken.
    #[error("a reason has 1 to 500 printable characters and no space at its ends")]
    InvalidReason,
}

impl Coded for SessionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::AlreadyOpened | Self::InvalidCode => ErrorCode::Unauthenticated,
            Self::Unknown => ErrorCode::NotFound,
            Self::InvalidScopes | Self::InvalidReason => ErrorCode::InvalidField,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidScopes => Some("scopes"),
            Self::InvalidReason => Some("reason"),
            _ => None,
        }
    }
}

impl Decider for Session {
    type State = SessionState;
    type Command = SessionCommand;
    type Event = SessionEvent;
    type Error = SessionError;

    fn decide(state: &SessionState, command: &SessionCommand) -> Result<Vec<SessionEvent>, SessionError> {
        let fresh = state.offer.is_none() && state.opened.is_none();
        match command {
            SessionCommand::Offer(offer) if fresh && scope::is_valid_list(&offer.scopes) => {
                Ok(vec![offer.clone().into()])
            }
            SessionCommand::Open(open) if fresh && scope::is_valid_list(&open.scopes) => {
                Ok(vec![open.clone().into()])
            }
            SessionCommand::Offer(_) | SessionCommand::Open(_) if fresh => Err(SessionError::InvalidScopes),
            SessionCommand::Offer(_) | SessionCommand::Open(_) => Err(SessionError::AlreadyOpened),
            SessionCommand::Redeem {
                code_sha256,
                expires_at,
                secret_sha256,
                now,
            } => {
                let offer = state.offer.as_ref().ok_or(SessionError::Unknown)?;
                if state.opened.is_some() || state.revoked {
                    return Err(SessionError::AlreadyOpened);
                }
                if offer.code_sha256 != *code_sha256 || *now >= offer.expires_at {
                    return Err(SessionError::InvalidCode);
                }
                Ok(vec![
                    v1::SessionOpened {
                        expires_at: *expires_at,
                        key: offer.key,
                        scopes: offer.scopes.clone(),
                        secret_sha256: secret_sha256.clone(),
                    }
                    .into(),
                ])
            }
            SessionCommand::Revoke { .. } if fresh => Err(SessionError::Unknown),
            SessionCommand::Revoke { .. } if state.revoked => Ok(vec![]),
            SessionCommand::Revoke { reason } if is_printable(reason, MAX_REASON) => Ok(vec![
                v1::SessionRevoked {
                    reason: reason.clone(),
                }
                .into(),
            ]),
            SessionCommand::Revoke { .. } => Err(SessionError::InvalidReason),
        }
    }

    fn evolve(state: &mut SessionState, event: &SessionEvent) {
        match event {
            SessionEvent::Offered(e) => state.offer = Some(e.clone()),
            SessionEvent::Opened(e) => state.opened = Some(e.clone()),
            SessionEvent::Revoked(_) => state.revoked = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::id;

    use super::*;
    use crate::given::given;

    fn offer() -> v1::SessionOffered {
        v1::SessionOffered {
            code_sha256: "aa".repeat(32),
            expires_at: Timestamp::from_micros(100),
            key: ApiKeyId::from_uuid(id::random(1, 1)),
            scopes: vec!["vaults:read".into()],
        }
    }

    fn redeem(code: &str, now: i64) -> SessionCommand {
        SessionCommand::Redeem {
            code_sha256: code.repeat(32),
            expires_at: Timestamp::from_micros(500),
            secret_sha256: "bb".repeat(32),
            now: Timestamp::from_micros(now),
        }
    }

    #[test]
    fn link_should_open_one_session_once_in_time() {
        let opened: SessionEvent = v1::SessionOpened {
            expires_at: Timestamp::from_micros(500),
            key: offer().key,
            scopes: offer().scopes,
            secret_sha256: "bb".repeat(32),
        }
        .into();
        given::<Session>(&[offer().into()])
            .when(&redeem("aa", 99))
            .then(std::slice::from_ref(&opened));
        given::<Session>(&[offer().into()])
            .when(&redeem("aa", 100))
            .refuses(&SessionError::InvalidCode);
        given::<Session>(&[offer().into()])
            .when(&redeem("ab", 1))
            .refuses(&SessionError::InvalidCode);
        given::<Session>(&[])
            .when(&redeem("aa", 1))
            .refuses(&SessionError::Unknown);
        let history = [offer().into(), opened];
        given::<Session>(&history)
            .when(&redeem("aa", 1))
            .refuses(&SessionError::AlreadyOpened);
        assert!(
            given::<Session>(&history)
                .state()
                .is_usable(Timestamp::from_micros(499))
        );
        assert!(
            !given::<Session>(&history)
                .state()
                .is_usable(Timestamp::from_micros(500))
        );
    }

    #[test]
    fn revoked_offer_should_never_open() {
        let history = [
            offer().into(),
            v1::SessionRevoked {
                reason: "lost".into(),
            }
            .into(),
        ];
        given::<Session>(&history)
            .when(&redeem("aa", 1))
            .refuses(&SessionError::AlreadyOpened);
    }
}
