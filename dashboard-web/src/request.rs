//! Requests to the server this page came from: same-origin cookie, the header that marks our own page, no key ever.

use crate::trouble::{GraphqlError, Trouble};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::future::Future;
use std::pin::Pin;
use vaultstream_client::BROWSER_HEADER;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestCredentials, RequestInit, Response};

/// An answer to come.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Trouble>>>>;

/// A request, ready to go.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// `GET`, `POST`, `DELETE`.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// The JSON body.
    pub body: Option<String>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Outgoing {
    /// Reads a resource.
    pub fn get(path: String) -> Self {
        Self {
            method: "GET",
            path,
            ..Self::default()
        }
    }

    /// Sends a body.
    pub fn post(path: String, body: &impl Serialize) -> Self {
        Self {
            method: "POST",
            path,
            body: serde_json::to_string(body).ok(),
            headers: Vec::new(),
        }
    }

    /// The same request with a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Sends it; the text of a good answer. Boxed, so that its code is in the module once and not in every caller.
pub fn text(outgoing: Outgoing) -> Pending<String> {
    Box::pin(async move {
        let (status, body) = exchange(outgoing).await.map_err(|()| Trouble::unreachable())?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(Trouble::refused(status, &body))
    })
}

/// Sends it; the body of a good answer, read.
pub async fn json<T: DeserializeOwned>(outgoing: Outgoing) -> Result<T, Trouble> {
    let body = text(outgoing).await?;
    serde_json::from_str(&body).map_err(|_| Trouble::unreadable(200))
}

#[derive(Serialize)]
struct Asked<'a> {
    #[serde(rename = "operationName")]
    operation: &'a str,
    query: &'a str,
    variables: Option<Box<RawValue>>,
}

/// An answer with its data unread: the envelope's code is in the module once, whatever is asked.
#[derive(Deserialize)]
struct Answered {
    data: Option<Box<RawValue>>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

/// Asks a GraphQL question. An answer with any error counts as failed: half an answer is not shown as a whole one.
pub fn ask<V: Serialize, D: DeserializeOwned + 'static>(
    query: &'static str,
    operation: &'static str,
    variables: V,
) -> Pending<D> {
    let answer = question(query, operation, serde_json::value::to_raw_value(&variables).ok());
    Box::pin(async move { serde_json::from_str(answer.await?.get()).map_err(|_| Trouble::unreadable(200)) })
}

fn question(
    query: &'static str,
    operation: &'static str,
    variables: Option<Box<RawValue>>,
) -> Pending<Box<RawValue>> {
    let asked = Asked {
        operation,
        query,
        variables,
    };
    let outgoing = Outgoing::post("/graphql".into(), &asked);
    Box::pin(async move {
        let body = text(outgoing).await?;
        let answer: Answered = serde_json::from_str(&body).map_err(|_| Trouble::unreadable(200))?;
        match (answer.errors.into_iter().next(), answer.data) {
            (Some(error), _) => Err(error.into()),
            (None, Some(data)) => Ok(data),
            (None, None) => Err(Trouble::unreadable(200)),
        }
    })
}

async fn exchange(outgoing: Outgoing) -> Result<(u16, String), ()> {
    let window = web_sys::window().ok_or(())?;
    let headers = Headers::new().map_err(drop)?;
    let mut set = vec![
        (BROWSER_HEADER, "1".to_owned()),
        ("accept", "application/json".to_owned()),
    ];
    if outgoing.body.is_some() {
        set.push(("content-type", "application/json".to_owned()));
    }
    for (name, value) in set.iter().chain(&outgoing.headers) {
        headers.set(name, value).map_err(drop)?;
    }
    let init = RequestInit::new();
    init.set_method(outgoing.method);
    init.set_headers(&headers);
    init.set_credentials(RequestCredentials::SameOrigin);
    if let Some(body) = &outgoing.body {
        init.set_body(&body.as_str().into());
    }
    let answer = JsFuture::from(window.fetch_with_str_and_init(&outgoing.path, &init));
    let response: Response = answer.await.map_err(drop)?.unchecked_into();
    let body = JsFuture::from(response.text().map_err(drop)?)
        .await
        .map_err(drop)?;
    Ok((response.status(), body.as_string().unwrap_or_default()))
}
