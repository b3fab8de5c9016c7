//! The error codes that clients rely on: kebab-case words, each with an HTTP status, a gRPC status, an audience, a
//! retry class, a title and a remedy. Each has a page in `docs/errors/`. Codes are never reused for another meaning.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The client that sent the request.
    Caller,
    /// Whoever runs the installation.
    Operator,
}

/// Whether the same request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never unchanged.
    Never,
    /// After a pause.
    Later,
    /// After reading the resource again.
    AfterRefresh,
}

macro_rules! codes {
    ($($variant:ident, $code:literal, $http:literal, $grpc:literal, $audience:ident, $retry:ident, $title:literal, $remedy:literal;)+) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode { $(#[doc = $title] $variant,)+ }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word on the wire.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $code),+ } }
            /// The HTTP status.
            pub const fn http_status(self) -> u16 { match self { $(Self::$variant => $http),+ } }
            /// The gRPC status number (google.rpc.Code).
            pub const fn grpc_status(self) -> u8 { match self { $(Self::$variant => $grpc),+ } }
            /// Who can mend it.
            pub const fn audience(self) -> Audience { match self { $(Self::$variant => Audience::$audience),+ } }
            /// Whether the same request may be sent again.
            pub const fn retry(self) -> Retry { match self { $(Self::$variant => Retry::$retry),+ } }
            /// What happened, in few words.
            pub const fn title(self) -> &'static str { match self { $(Self::$variant => $title),+ } }
            /// What to do.
            pub const fn remedy(self) -> &'static str { match self { $(Self::$variant => $remedy),+ } }
            /// Reads a word; `None` for an unknown one.
            pub fn parse(code: &str) -> Option<Self> { match code { $($code => Some(Self::$variant),)+ _ => None } }
        }
    };
}

codes! {
    InvalidJson, "invalid-json", 400, 3, Caller, Never, "The body is not valid JSON", "Send one JSON object in UTF-8, nested at most 32 deep.";
    InvalidField, "invalid-field", 400, 3, Caller, Never, "A field has a value that cannot be taken", "Correct the named field.";
    UnknownField, "unknown-field", 400, 3, Caller, Never, "The body has a field this operation does not know", "Remove or correct the named field.";
    MissingField, "missing-field", 400, 3, Caller, Never, "A required field is missing", "Send the named field.";
    BodyTooLarge, "body-too-large", 413, 3, Caller, Never, "The body is larger than this operation takes", "Send at most 256 KiB.";
    UnsupportedMediaType, "unsupported-media-type", 415, 3, Caller, Never, "The content type is not taken", "Send Content-Type: application/json.";
    MethodNotAllowed, "method-not-allowed", 405, 12, Caller, Never, "The path does not take this method", "See the OpenAPI page for the methods of this path.";
    IdempotencyKeyRequired, "idempotency-key-required", 400, 3, Caller, Never, "This operation needs an Idempotency-Key", "Send an Idempotency-Key header of 1 to 255 visible ASCII characters, new for each intent and the same for each retry.";
    IdempotencyKeyInvalid, "idempotency-key-invalid", 400, 3, Caller, Never, "The Idempotency-Key cannot be taken", "Use 1 to 255 visible ASCII characters.";
    IdempotencyKeyReused, "idempotency-key-reused", 422, 9, Caller, Never, "The Idempotency-Key was used for another request", "Use a new key for a new intent; a retry repeats the first body byte for byte in meaning.";
    PreconditionRequired, "precondition-required", 428, 9, Caller, AfterRefresh, "This operation needs If-Match", "Read the resource and send its ETag in If-Match.";
    PreconditionFailed, "precondition-failed", 412, 10, Caller, AfterRefresh, "The resource has changed since it was read", "Read it again, decide again, and send the new ETag.";
    Unauthenticated, "unauthenticated", 401, 16, Caller, Never, "No valid credential was sent", "Send Authorization: Bearer <key>, or sign in again.";
    ScopeMissing, "scope-missing", 403, 7, Caller, Never, "The credential lacks the scope this operation needs", "Use a key that has the named scope.";
    HostNotAllowed, "host-not-allowed", 421, 7, Caller, Never, "The Host header names no host of this installation", "Use a listed host name, or add it to gateway.hosts.";
    OriginNotAllowed, "origin-not-allowed", 403, 7, Caller, Never, "The request comes from a page of another origin", "Open the dashboard from this installation's own address.";
    CsrfHeaderMissing, "csrf-header-missing", 403, 7, Caller, Never, "A browser request came without the X-Vaultstream-Request header", "Send X-Vaultstream-Request: 1 with requests that use the session cookie.";
    NotFound, "not-found", 404, 5, Caller, Never, "There is no such thing, or it is not yours", "Check the id and the organization of your key.";
    UnknownChain, "unknown-chain", 422, 3, Caller, Never, "The chain is not served here", "Use a chain that GET /v1/chains lists.";
    UnknownAsset, "unknown-asset", 422, 3, Caller, Never, "The asset is not served here", "Use an asset that GET /v1/chains lists.";
    NoAccountOnChain, "no-account-on-chain", 422, 9, Caller, Never, "The vault has no account on the asset's chain", "Add an account, or name another vault.";
    AccountAmbiguous, "account-ambiguous", 422, 3, Caller, Never, "The vault has several accounts on the asset's chain", "Name the paying account in accountId.";
    InvalidAddress, "invalid-address", 422, 3, Caller, Never, "The address is not one of its chain", "Check the address with whoever gave it to you.";
    InvalidChecksum, "invalid-checksum", 422, 3, Caller, Never, "The address's checksum does not match", "Copy the address again from its source; a character is wrong.";
    InvalidAmount, "invalid-amount", 422, 3, Caller, Never, "The amount cannot be taken", "Send a decimal string of minor units above zero and below 2^256, without sign or fraction.";
    InsufficientFunds, "insufficient-funds", 422, 9, Caller, AfterRefresh, "The account's spendable balance is smaller than the amount and its fee", "Send less, fund the account, or wait for pending transfers to end.";
    FeeCapExceeded, "fee-cap-exceeded", 422, 9, Caller, Later, "The network charges more than the transfer's fee cap", "Raise feeMax or wait for lower fees.";
    AccountNotOpen, "account-not-open", 409, 9, Caller, AfterRefresh, "The account is not open", "Wait until it is open, or unfreeze it.";
    OrganizationNotActive, "organization-not-active", 409, 9, Operator, Never, "The organization is suspended or closed", "Ask the platform's operator to reactivate it.";
    VaultNotActive, "vault-not-active", 409, 9, Caller, Never, "The vault is archived", "Use an active vault.";
    StateConflict, "state-conflict", 409, 9, Caller, AfterRefresh, "The resource is in a state that does not allow this", "Read it again; its status says what it allows.";
    SubjectErased, "subject-erased", 409, 9, Caller, Never, "The subject's personal data was erased", "Nothing personal is taken for this subject again; make a new one if you must.";
    LimitReached, "limit-reached", 409, 8, Caller, Later, "A limit of this resource is reached", "End or remove something first; the detail names the limit.";
    AlreadyExists, "already-exists", 409, 6, Caller, Never, "Such a thing exists already", "Use the existing one.";
    Contention, "contention", 409, 10, Caller, Later, "Others kept changing the same resource", "Send the same request again.";
    RevertedOnChain, "reverted-on-chain", 422, 9, Caller, Never, "The transaction was included and failed on chain", "Read the execution's evidence; the destination refused the payment.";
    RejectedByNetwork, "rejected-by-network", 422, 9, Caller, Never, "The network refused the transaction and nothing was spent", "Read the execution's attempts for the node's words.";
    SlotTaken, "slot-taken", 422, 10, Operator, Never, "Another transaction used the account's slot", "Find who else signs for this account; its key must be used here only.";
    CursorInvalid, "cursor-invalid", 400, 3, Caller, Never, "The cursor does not belong to this list", "Start again without a cursor; keep filters and sort while paging.";
    TokenInvalid, "token-invalid", 400, 3, Caller, Never, "The consistency token cannot be read", "Use a token exactly as it was given.";
    QueryInvalid, "query-invalid", 400, 3, Caller, Never, "The GraphQL query is not valid", "Check it against the published schema.";
    QueryTooComplex, "query-too-complex", 400, 8, Caller, Never, "The GraphQL query is deeper or larger than allowed", "Ask for less: depth 12, complexity 2,000, 30 aliases, 64 KiB.";
    RateLimited, "rate-limited", 429, 8, Caller, Later, "Too many requests", "Wait as Retry-After says.";
    FaucetLimit, "faucet-limit", 422, 8, Caller, Later, "The faucet gives less than that", "Ask for at most the named amount.";
    ReadModelBehind, "read-model-behind", 503, 14, Caller, Later, "The view has not reached the asked position yet", "Ask again shortly, or without atLeast.";
    Overloaded, "overloaded", 503, 14, Operator, Later, "A queue is full", "Send again after Retry-After.";
    Restarting, "restarting", 503, 14, Operator, Later, "This process is about to stop", "Send again after Retry-After: another process answers.";
    UpgradeInProgress, "upgrade-in-progress", 503, 14, Operator, Later, "A process of an older version is running that would not read the outcome", "Send again after Retry-After; the rolling upgrade must end first.";
    Quarantined, "quarantined", 503, 14, Operator, Later, "The log is behind its mark, so nothing is signed or sent", "Send again after Retry-After, with the same Idempotency-Key; the operators of this installation must reconcile and release it first.";
    Timeout, "timeout", 504, 4, Operator, Later, "The answer took too long; the outcome is in the log", "Send the same request with the same Idempotency-Key to learn the outcome.";
    ClockSkew, "clock-skew", 503, 14, Operator, Later, "Clocks disagree by more than a minute", "Set the clocks of this machine and its database right.";
    ChainUnavailable, "chain-unavailable", 503, 14, Operator, Later, "The chain's node does not answer", "Check the node; nothing is lost meanwhile.";
    StorageUnavailable, "storage-unavailable", 503, 14, Operator, Later, "The event log or a view does not answer", "Check the disk and the database. A command is done whole or not at all: send it again with the same Idempotency-Key to learn which.";
    EventUnreadable, "event-unreadable", 500, 13, Operator, Later, "A stored event cannot be read by this version", "Upgrade this process; the event is kept.";
    Internal, "internal", 500, 13, Operator, Later, "Something failed that should not", "Send the request id to the operator.";
}

impl ErrorCode {
    /// The page that explains the code.
    pub fn page(self) -> String {
        format!("/docs/errors/{}", self.as_str())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no error code")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_should_be_unique_words_with_sound_statuses() {
        let mut seen = std::collections::BTreeSet::new();
        for code in ErrorCode::ALL {
            let word = code.as_str();
            assert!(seen.insert(word), "{word} twice");
            assert!(
                word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{word}"
            );
            assert_eq!(ErrorCode::parse(word), Some(*code));
            assert!(
                (400..600).contains(&code.http_status()) && (1..=16).contains(&code.grpc_status()),
                "{word}"
            );
            assert_eq!(
                code.http_status() >= 500,
                code.grpc_status() >= 13 && code.grpc_status() != 16 || code.grpc_status() == 4,
                "{word}: HTTP and gRPC disagree about whose fault it is"
            );
        }
    }
}
