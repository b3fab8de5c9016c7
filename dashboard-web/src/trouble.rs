//! What went wrong with a request, in the words people see: what happened, what to do, which id to quote.

use crate::words::{Word, fill, say};
use serde::Deserialize;

/// A failed request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trouble {
    /// The stable code; empty when no server answered.
    pub code: String,
    /// What happened.
    pub title: String,
    /// What happened this time.
    pub detail: String,
    /// What to do.
    pub remedy: String,
    /// The id of the request, for support.
    pub request_id: String,
    /// Fields and what is wrong with them.
    pub fields: Vec<(String, String)>,
    /// Whether it is unknown if the request had an effect.
    pub unclear: bool,
}

/// A refusal as problem+json; unlike the client's type it reads codes this build does not know.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Refusal {
    title: String,
    code: String,
    detail: String,
    remedy: String,
    request_id: String,
    errors: Vec<Field>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Field {
    field: String,
    detail: String,
}

/// An error of a GraphQL answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GraphqlError {
    /// What happened.
    pub message: String,
    /// Code, remedy and request id.
    #[serde(default)]
    pub extensions: Extensions,
}

/// What our errors carry beside their message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Extensions {
    /// The stable code.
    pub code: String,
    /// What to do.
    pub remedy: String,
    /// The id of the request.
    pub request_id: String,
    /// Where a closed subscription goes on.
    pub after: Option<String>,
}

impl Trouble {
    /// No answer came.
    pub fn unreachable() -> Self {
        Self {
            title: say(Word::UnavailableTitle).into(),
            detail: say(Word::UnavailableDetail).into(),
            unclear: true,
            ..Self::default()
        }
    }

    /// An answer came that this build cannot read.
    pub fn unreadable(status: u16) -> Self {
        Self {
            title: say(Word::UnreadableTitle).into(),
            detail: fill(Word::UnreadableDetail, &[("status", &status.to_string())]),
            unclear: true,
            ..Self::default()
        }
    }

    /// A refusal of the REST API.
    pub fn refused(status: u16, body: &str) -> Self {
        match serde_json::from_str::<Refusal>(body) {
            Ok(refusal) if !refusal.code.is_empty() => Self {
                unclear: matches!(refusal.code.as_str(), "timeout" | "internal"),
                code: refusal.code,
                title: refusal.title,
                detail: refusal.detail,
                remedy: refusal.remedy,
                request_id: refusal.request_id,
                fields: refusal.errors.into_iter().map(|e| (e.field, e.detail)).collect(),
            },
            _ => Self::unreadable(status),
        }
    }

    /// What is wrong with a field of the form.
    pub fn of_field(&self, name: &str) -> Option<String> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, detail)| detail.clone())
    }

    /// Whether there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.code == "not-found"
    }

    /// Whether the session is over.
    pub fn is_signed_out(&self) -> bool {
        self.code == "unauthenticated"
    }
}

impl From<GraphqlError> for Trouble {
    fn from(error: GraphqlError) -> Self {
        Self {
            code: error.extensions.code,
            title: error.message,
            remedy: error.extensions.remedy,
            request_id: error.extensions.request_id,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_should_name_fields_and_remedies() {
        let body = r#"{"type":"/docs/errors/invalid-amount","title":"T","status":422,"code":"a-code-of-tomorrow","detail":"D",
            "remedy":"R","requestId":"req-1","retryable":false,"errors":[{"field":"amount","code":"x","detail":"too much"}]}"#;
        let trouble = Trouble::refused(422, body);
        assert_eq!(trouble.code, "a-code-of-tomorrow");
        assert_eq!(trouble.of_field("amount").as_deref(), Some("too much"));
        assert_eq!(trouble.of_field("destination"), None);
        assert!(!trouble.unclear, "a refusal says that nothing was done");
    }

    #[test]
    fn foreign_answers_should_be_unclear() {
        for body in ["", "<html>", "{}", "[1]"] {
            let trouble = Trouble::refused(502, body);
            assert!(trouble.unclear && trouble.detail.contains("502"), "{body:?}");
        }
        assert!(Trouble::refused(504, r#"{"code":"timeout"}"#).unclear);
        assert!(Trouble::unreachable().unclear);
    }

    #[test]
    fn graphql_errors_should_keep_code_and_request() {
        let text = r#"{"message":"m","path":["x"],"extensions":{"code":"unauthenticated","requestId":"r","more":1}}"#;
        let error: GraphqlError = serde_json::from_str(text).expect("reads");
        let trouble = Trouble::from(error);
        assert!(trouble.is_signed_out());
        assert_eq!(trouble.request_id, "r");
    }
}
