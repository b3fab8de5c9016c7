//! A thin client: sends a request, reads an answer or a problem, keeps what the headers say.
//!
//! It retries nothing by itself: whoever holds the intent holds its Idempotency-Key and decides. Connections and
//! answers have time limits; the key never appears in `Debug`.

mod events;

use std::fmt;
use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Account, Chain, CreateVault, FaucetPayment, FaucetRequest, Page, Problem, Reason, RequestTransfer,
    TOKEN_HEADER, Transfer, TransferAccepted, TransferPreview, Vault,
};

pub use events::{EventQuery, EventStream, Frame, SILENCE};

/// How long one answer may take: above the longest `Prefer: wait`.
const TIMEOUT: Duration = Duration::from_secs(45);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused.
    #[error("{}: {} {}", .0.code, .0.detail, .0.remedy)]
    Refused(Box<Problem>),
    /// No connection was made, so the request was not sent: another address may be tried.
    #[error("the server cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The request was sent and no answer came: whether it had an effect is unknown.
    #[error("no answer from the server")]
    Connection(#[source] reqwest::Error),
    /// The answer is not what the API promises.
    #[error("the server answered {status} with something this client does not read")]
    Unreadable {
        /// The HTTP status.
        status: u16,
        /// Why, when the body was the reason.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The address or the key cannot be used.
    #[error("{0}")]
    Configuration(String),
}

/// An answer with what its headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The body.
    pub body: T,
    /// The ETag, to be sent in `If-Match`.
    pub etag: Option<String>,
    /// The consistency token.
    pub token: Option<String>,
    /// Whether this repeats the first answer to the same Idempotency-Key.
    pub replayed: bool,
}

/// Headers and query of one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct With<'a> {
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// `If-Match`.
    pub if_match: Option<&'a str>,
    /// `Prefer: wait=…`, in seconds, at most 30.
    pub wait: Option<u8>,
    /// `?atLeast=…`, a consistency token.
    pub at_least: Option<&'a str>,
}

/// A client of one installation under one API key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    bearer: Option<header::HeaderValue>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the installation at `base` (such as `http://127.0.0.1:8080`), under an API key or none.
    pub fn try_new(base: &str, key: Option<&str>) -> Result<Self, ClientError> {
        let bearer = key
            .map(|key| header::HeaderValue::from_str(&format!("Bearer {key}")))
            .transpose();
        let mut bearer =
            bearer.map_err(|_| ClientError::Configuration("an API key has no line breaks in it".into()))?;
        if let Some(value) = &mut bearer {
            value.set_sensitive(true);
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(ClientError::Connection)?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            bearer,
        })
    }

    /// Reads a resource.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        with: With<'_>,
    ) -> Result<Answer<T>, ClientError> {
        self.send::<(), T>(Method::GET, path, None, with).await
    }

    /// Sends a command.
    pub async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        with: With<'_>,
    ) -> Result<Answer<T>, ClientError> {
        self.send(Method::POST, path, Some(body), with).await
    }

    /// Sends any request.
    pub async fn send<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        with: With<'_>,
    ) -> Result<Answer<T>, ClientError> {
        // A token is base64url: it needs no escaping.
        let query = with.at_least.map(|token| {
            let joint = if path.contains('?') { '&' } else { '?' };
            format!("{joint}atLeast={token}")
        });
        let url = format!("{}{path}{}", self.base, query.unwrap_or_default());
        let mut request = self.http.request(method, url);
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, bearer.clone());
        }
        if let Some(key) = with.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(tag) = with.if_match {
            request = request.header(header::IF_MATCH, tag);
        }
        if let Some(seconds) = with.wait {
            request = request.header("prefer", format!("wait={seconds}"));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request.send().await.map_err(unanswered)?).await
    }

    /// The chains of the installation.
    pub async fn chains(&self) -> Result<Vec<Chain>, ClientError> {
        Ok(self
            .get::<Page<Chain>>("/v1/chains", With::default())
            .await?
            .body
            .items)
    }

    /// Creates a vault; `with.wait` holds until its accounts are open.
    pub async fn create_vault(
        &self,
        body: &CreateVault,
        with: With<'_>,
    ) -> Result<Answer<Vault>, ClientError> {
        self.post("/v1/vaults", body, with).await
    }

    /// Reads a vault.
    pub async fn vault(&self, id: &str) -> Result<Answer<Vault>, ClientError> {
        self.get(&format!("/v1/vaults/{id}"), With::default()).await
    }

    /// A page of the vaults.
    pub async fn vaults(&self, cursor: Option<&str>) -> Result<Page<Vault>, ClientError> {
        Ok(self.get(&list("/v1/vaults", cursor), With::default()).await?.body)
    }

    /// Reads an account.
    pub async fn account(&self, id: &str) -> Result<Answer<Account>, ClientError> {
        self.get(&format!("/v1/accounts/{id}"), With::default()).await
    }

    /// Requests a transfer.
    pub async fn request_transfer(
        &self,
        body: &RequestTransfer,
        idempotency_key: &str,
    ) -> Result<Answer<TransferAccepted>, ClientError> {
        let with = With {
            idempotency_key: Some(idempotency_key),
            ..With::default()
        };
        self.post("/v1/transfers", body, with).await
    }

    /// Asks what a transfer would do, without doing it.
    pub async fn preview_transfer(&self, body: &RequestTransfer) -> Result<TransferPreview, ClientError> {
        Ok(self
            .post("/v1/transfers?dryRun=true", body, With::default())
            .await?
            .body)
    }

    /// Reads a transfer.
    pub async fn transfer(&self, id: &str) -> Result<Answer<Transfer>, ClientError> {
        self.get(&format!("/v1/transfers/{id}"), With::default()).await
    }

    /// A page of the transfers, newest first.
    pub async fn transfers(&self, cursor: Option<&str>) -> Result<Page<Transfer>, ClientError> {
        Ok(self
            .get(&list("/v1/transfers", cursor), With::default())
            .await?
            .body)
    }

    /// Decides on a transfer (`approve`, `deny` or `cancel`) as it was read with `etag`.
    pub async fn decide_transfer(
        &self,
        id: &str,
        verb: &str,
        etag: &str,
        reason: Option<&str>,
    ) -> Result<Answer<Transfer>, ClientError> {
        let body = Reason {
            reason: reason.map(str::to_owned),
        };
        self.post(
            &format!("/v1/transfers/{id}/{verb}"),
            &body,
            With {
                if_match: Some(etag),
                ..With::default()
            },
        )
        .await
    }

    /// Asks a sandbox faucet for native money.
    pub async fn faucet(&self, slug: &str, body: &FaucetRequest) -> Result<FaucetPayment, ClientError> {
        Ok(self
            .post(&format!("/v1/sandbox/{slug}/faucet"), body, With::default())
            .await?
            .body)
    }
}

/// Whether the request left at all is what tells a safe next try from an unclear outcome.
fn unanswered(error: reqwest::Error) -> ClientError {
    if error.is_connect() {
        ClientError::Unreachable(error)
    } else {
        ClientError::Connection(error)
    }
}

fn list(path: &str, cursor: Option<&str>) -> String {
    cursor.map_or_else(|| path.to_owned(), |cursor| format!("{path}?cursor={cursor}"))
}

async fn read<T: DeserializeOwned>(response: reqwest::Response) -> Result<Answer<T>, ClientError> {
    let status = response.status();
    let text = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned)
    };
    let (etag, token) = (text("etag"), text(TOKEN_HEADER));
    let replayed = text("idempotency-replayed").as_deref() == Some("true");
    let bytes = response.bytes().await.map_err(ClientError::Connection)?;
    if status.is_success() {
        let bytes: &[u8] = if status == StatusCode::NO_CONTENT {
            b"null"
        } else {
            &bytes
        };
        let body = serde_json::from_slice(bytes).map_err(|source| ClientError::Unreadable {
            status: status.as_u16(),
            source: Some(source),
        })?;
        return Ok(Answer {
            body,
            etag,
            token,
            replayed,
        });
    }
    match serde_json::from_slice::<Problem>(&bytes) {
        Ok(problem) => Err(ClientError::Refused(Box::new(problem))),
        Err(source) => Err(ClientError::Unreadable {
            status: status.as_u16(),
            source: Some(source),
        }),
    }
}

#[cfg(test)]
mod tests;
