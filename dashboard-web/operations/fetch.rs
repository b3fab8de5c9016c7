//! Requests to the server this page came from, and what went wrong with them in the server's words.

use crate::words;
use js_sys::{Date, Math};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vaultstream_client::BROWSER_HEADER;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestCredentials, RequestInit, Response};

/// Why a request failed: what happened and what to do. A problem+json, of which more fields exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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
}

impl Trouble {
    fn of(title: &str, remedy: &str) -> Self {
        Self {
            title: title.to_owned(),
            remedy: remedy.to_owned(),
            ..Self::default()
        }
    }
}

/// Reads a resource.
pub async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Trouble> {
    read(exchange("GET", path, None).await)
}

/// Sends a body under a key of its own, so that the browser's own repetition is no second request.
pub async fn post<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Result<T, Trouble> {
    let body = serde_json::to_string(body).map_err(|_| Trouble::of(words::UNREADABLE, words::RELOAD))?;
    read(exchange("POST", path, Some(body)).await)
}

fn read<T: DeserializeOwned>(answer: Option<(u16, String)>) -> Result<T, Trouble> {
    let unreadable = || Trouble::of(words::UNREADABLE, words::RELOAD);
    match answer {
        Some((200..300, body)) => serde_json::from_str(&body).map_err(|_| unreadable()),
        Some((_, body)) => Err(serde_json::from_str(&body).unwrap_or_else(|_| unreadable())),
        None => Err(Trouble::of(words::UNREACHABLE, words::TRIES_AGAIN)),
    }
}

async fn exchange(method: &str, path: &str, body: Option<String>) -> Option<(u16, String)> {
    let headers = Headers::new().ok()?;
    headers.set(BROWSER_HEADER, "1").ok()?;
    headers.set("accept", "application/json").ok()?;
    let init = RequestInit::new();
    if let Some(body) = &body {
        headers.set("content-type", "application/json").ok()?;
        let key = format!("operations-{}-{}", Date::now(), Math::random());
        headers.set("idempotency-key", &key).ok()?;
        init.set_body(&body.as_str().into());
    }
    init.set_method(method);
    init.set_headers(&headers);
    init.set_credentials(RequestCredentials::SameOrigin);
    let answer = JsFuture::from(web_sys::window()?.fetch_with_str_and_init(path, &init));
    let response: Response = answer.await.ok()?.unchecked_into();
    let text = JsFuture::from(response.text().ok()?).await.ok()?;
    Some((response.status(), text.as_string().unwrap_or_default()))
}
