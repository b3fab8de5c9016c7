//! Checks of the free text in requests, each refusal with its field.

use vaultstream_client::Reason;
use vaultstream_domain::name::{MAX_REASON, is_printable};
use vaultstream_event_schemas::{Amount, ErrorCode};
use vaultstream_gateway::ApiError;
use vaultstream_gateway::error::In;

/// An amount above zero.
pub(crate) fn amount(field: &str, text: &str) -> Result<Amount, ApiError> {
    let refused = |detail: String| ApiError::field(ErrorCode::InvalidAmount, In::Body, field, detail);
    match text.parse::<Amount>() {
        Ok(amount) if amount.is_zero() => Err(refused("the amount is zero".into())),
        Ok(amount) => Ok(amount),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// A reason, or the words that stand for none.
pub(crate) fn reason(body: Reason) -> Result<String, ApiError> {
    let Some(reason) = body.reason else {
        return Ok("no reason given".to_owned());
    };
    if is_printable(&reason, MAX_REASON) {
        return Ok(reason);
    }
    let detail = "a reason has 1 to 500 printable characters and no space at its ends";
    Err(ApiError::field(
        ErrorCode::InvalidField,
        In::Body,
        "reason",
        detail,
    ))
}

/// An integrator's own id.
pub(crate) fn external_id(text: &str) -> Result<(), ApiError> {
    if (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    let detail = "an external id has 1 to 128 visible ASCII characters";
    Err(ApiError::field(
        ErrorCode::InvalidField,
        In::Body,
        "externalId",
        detail,
    ))
}

/// A note.
pub(crate) fn memo(text: &str) -> Result<(), ApiError> {
    if is_printable(text, MAX_REASON) {
        return Ok(());
    }
    let detail = "a memo has 1 to 500 printable characters and no space at its ends";
    Err(ApiError::field(ErrorCode::InvalidField, In::Body, "memo", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_should_be_plain_positive_and_within_256_bits() {
        assert_eq!(amount("amount", "1").ok(), Some(Amount::from_u128(1)));
        let over = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        for bad in ["0", "-1", "1.5", "", "1e3", over] {
            let error = amount("amount", bad).expect_err(bad);
            assert_eq!(error.code(), ErrorCode::InvalidAmount);
            assert_eq!(error.fields()[0].pointer.as_deref(), Some("/amount"));
        }
    }

    #[test]
    fn texts_should_be_bounded() {
        assert!(external_id("inv-1").is_ok() && external_id("").is_err() && external_id("a b").is_err());
        assert!(external_id(&"x".repeat(129)).is_err());
        assert!(memo("for lunch").is_ok() && memo("a\u{0}").is_err() && memo(&"x".repeat(501)).is_err());
        assert_eq!(
            reason(Reason { reason: None }).ok().as_deref(),
            Some("no reason given")
        );
        assert!(
            reason(Reason {
                reason: Some(" ".into())
            })
            .is_err()
        );
    }
}
