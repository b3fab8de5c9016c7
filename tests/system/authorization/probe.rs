//! Asking, and what of an answer tells one tenant's thing from nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use vaultstream_gateway::operation::{Idempotency, IfMatch, Operation, Verb};

use super::row::Ask;
use super::who::{Credential, Expected};
use super::world::{Ids, World};
use crate::refusal::refusal;

/// Headers that differ from answer to answer.
const OF_THE_MOMENT: &[&str] = &[
    "date",
    "ratelimit",
    "x-request-id",
    "content-length",
    "traceresponse",
];

/// Idempotency-Keys that were used: each request is a new one.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// What can be told of an answer, with the ids that were asked about replaced by their names.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    /// The status.
    pub status: u16,
    headers: BTreeSet<String>,
    /// The body.
    pub body: String,
}

impl Seen {
    async fn of(answer: Response, ids: &Ids) -> Result<Self> {
        let status = answer.status().as_u16();
        let headers = answer.headers().keys().map(|name| name.as_str().to_owned());
        let headers = headers
            .filter(|name| !OF_THE_MOMENT.contains(&name.as_str()))
            .collect();
        let text = ids.hidden_in(&answer.text().await?);
        let body = serde_json::from_str(&text).map_or(text, |body: Value| without_names(body).to_string());
        Ok(Self {
            status,
            headers,
            body,
        })
    }
}

/// Without what names the request itself.
fn without_names(mut body: Value) -> Value {
    let of_a_problem = body.as_object_mut().into_iter();
    for object in of_a_problem {
        object.remove("requestId");
        object.remove("traceId");
    }
    for error in body["errors"].as_array_mut().into_iter().flatten() {
        if let Some(extensions) = error["extensions"].as_object_mut() {
            extensions.remove("requestId");
            extensions.remove("traceId");
        }
    }
    body
}

impl World {
    /// Asks for an operation of the REST API.
    pub async fn ask(&self, who: &Credential, operation: &Operation, ask: &Ask) -> Result<Response> {
        let method = match operation.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        };
        let mut request = who.present(self.request(method, &ask.path));
        if operation.if_match != IfMatch::None {
            request = request.header("if-match", "*");
        }
        if operation.idempotency == Idempotency::Required {
            let n = REQUESTS.fetch_add(1, Ordering::Relaxed);
            request = request.header("idempotency-key", format!("ratchet-{n}"));
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        Ok(request.send().await?)
    }

    /// What can be told of the answer to the same question about a tenant's things.
    pub async fn seen(&self, who: &Credential, operation: &Operation, ask: &Ask, ids: &Ids) -> Result<Seen> {
        Seen::of(self.ask(who, operation, ask).await?, ids).await
    }

    /// Asks a query of GraphQL.
    pub async fn query(&self, who: &Credential, document: &str) -> Result<Response> {
        let request = who.present(self.request(Method::POST, "/graphql"));
        Ok(request.json(&json!({ "query": document })).send().await?)
    }

    /// What can be told of the answer to a query.
    pub async fn seen_of_query(&self, who: &Credential, document: &str, ids: &Ids) -> Result<Seen> {
        Seen::of(self.query(who, document).await?, ids).await
    }
}

/// Checks a refusal, its words, and that it tells nothing of another tenant.
pub async fn check_refused(what: &str, expected: &Expected, answer: Response, theirs: &Ids) -> Result<()> {
    let Expected::Refused(refusal, word) = expected else {
        anyhow::bail!("{what}: nothing is refused here");
    };
    let body = refusal.check(what, answer).await?;
    let detail = body["detail"].as_str().context("a detail")?;
    ensure!(detail.contains(word), "{what} does not name {word}: {body}");
    tells_nothing(what, &body.to_string(), theirs)
}

/// Checks that a text holds no id of another tenant.
pub fn tells_nothing(what: &str, text: &str, theirs: &Ids) -> Result<()> {
    let told = theirs.all().into_iter().find(|id| text.contains(*id));
    ensure!(
        told.is_none(),
        "{what} tells of another tenant's {told:?}: {text}"
    );
    Ok(())
}

/// The code a GraphQL answer was refused with, by its first error.
pub fn code(answer: &Value) -> Option<&str> {
    answer["errors"][0]["extensions"]["code"].as_str()
}

/// Checks that the door of GraphQL refuses who may not in at all.
pub async fn check_door(what: &str, status: u16, code: &'static str, answer: Response) -> Result<()> {
    let field = match code {
        "origin-not-allowed" => Some("Origin"),
        "csrf-header-missing" => Some("X-Vaultstream-Request"),
        _ => None,
    };
    refusal(status, code, field).check(what, answer).await.map(drop)
}

/// Checks that one tenant's thing cannot be told from nothing.
pub fn same(theirs: &Seen, never: &Seen) -> Result<()> {
    ensure!(
        theirs == never,
        "another tenant's: {theirs:?}\nnobody's: {never:?}"
    );
    Ok(())
}
