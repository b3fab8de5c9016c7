//! HTTP for alloy's JSON-RPC client: bounded answers, no redirects, TLS by rustls, no address in any span or error.
//!
//! alloy's own transport reads answers of any size and writes the endpoint's address into its spans. Over `https` the
//! node must show a certificate of an authority this machine trusts, or of the one given as `ca_file` and no other.
//! Proxies of the environment are not used: where bytes go is configuration, not the mood of who started the process.

use std::error::Error as StdError;
use std::task::{Context, Poll};
use std::time::Duration;

use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_transport::{TransportError, TransportErrorKind, TransportFut};
use bytes::Bytes;
use data_encoding::BASE64;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::percent_decode_str;
use tower::Service;
use url::Url;

use crate::connect::ConnectError;
use crate::options::Options;
use crate::tls;

/// No answer the client asks for is larger.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const AGENT: &str = concat!("vaultstream/", env!("CARGO_PKG_VERSION"));

/// The node's certificate is not one to trust, in words that name the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Untrusted(pub(crate) String);

/// Sends one question, reads one answer.
#[derive(Clone)]
pub(crate) struct BoundedHttp {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    target: Uri,
    authorization: Option<HeaderValue>,
    patience: Duration,
}

impl BoundedHttp {
    pub(crate) fn try_new(options: &Options, url: &Url) -> Result<Self, ConnectError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(Duration::from_millis(options.connect_timeout_ms)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(options, url)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            target: target(url)?,
            authorization: authorization(url)?,
            patience: Duration::from_millis(options.request_timeout_ms),
        })
    }

    async fn exchange(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let patience = self.patience;
        let exchange = self.exchange_unhurried(packet);
        match tokio::time::timeout(patience, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(TransportErrorKind::custom_str("no answer in time")),
        }
    }

    async fn exchange_unhurried(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let body = serde_json::to_vec(&packet).map_err(TransportError::ser_err)?;
        let mut request = Request::post(self.target)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(authorization) = self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(TransportErrorKind::custom)?;
        let response = self.client.request(request).await.map_err(|e| lost(&e))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
        let body = body.await.map_err(|e| cut(e.as_ref()))?.to_bytes();
        understand(status, &body)
    }
}

fn understand(status: StatusCode, body: &[u8]) -> Result<ResponsePacket, TransportError> {
    let shown = || {
        String::from_utf8_lossy(body)
            .chars()
            .take(512)
            .collect::<String>()
    };
    if !status.is_success() {
        return Err(TransportErrorKind::http_error(status.as_u16(), shown()));
    }
    serde_json::from_slice(body).map_err(|error| TransportError::deser_err(error, shown()))
}

/// The address without its credentials, which go into a header.
fn target(url: &Url) -> Result<Uri, ConnectError> {
    let mut bare = url.clone();
    bare.set_fragment(None);
    let cleared = bare.set_username("").and_then(|()| bare.set_password(None));
    cleared
        .ok()
        .and_then(|()| bare.as_str().parse().ok())
        .ok_or(ConnectError::Url("it cannot be asked"))
}

/// HTTP basic authentication (RFC 7617) from the address's user and password.
fn authorization(url: &Url) -> Result<Option<HeaderValue>, ConnectError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut plain: Vec<u8> = percent_decode_str(url.username()).collect();
    plain.push(b':');
    plain.extend(percent_decode_str(url.password().unwrap_or_default()));
    let text = format!("Basic {}", BASE64.encode(&plain));
    let mut value =
        HeaderValue::try_from(text).map_err(|_| ConnectError::Url("its credentials cannot be sent"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// A failed exchange in words that name its kind; addresses are in none of them.
fn lost(error: &hyper_util::client::legacy::Error) -> TransportError {
    if let Some(problem) = tls::problem(error) {
        return TransportErrorKind::custom(Untrusted(problem));
    }
    let kind = if error.is_connect() {
        "no connection"
    } else {
        "the exchange failed"
    };
    TransportErrorKind::custom_str(&with_causes(kind, error.source()))
}

fn cut(error: &(dyn StdError + Send + Sync + 'static)) -> TransportError {
    if error.is::<LengthLimitError>() {
        return TransportErrorKind::custom_str("the answer is larger than 4 MiB");
    }
    TransportErrorKind::custom_str(&with_causes("the answer broke off", Some(error)))
}

fn with_causes(kind: &str, mut source: Option<&(dyn StdError + 'static)>) -> String {
    let mut text = kind.to_owned();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl Service<RequestPacket> for BoundedHttp {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        Box::pin(self.clone().exchange(packet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_should_go_into_the_header_and_out_of_the_address() {
        let url = Url::parse("https://al%40ice:s%2Fcret@node.example/v3/key?x=1#top").expect("a URL");
        let target = target(&url).expect("an address");
        assert_eq!(target.to_string(), "https://node.example/v3/key?x=1");
        let header = authorization(&url).expect("a header").expect("credentials");
        let text = header
            .to_str()
            .expect("ASCII")
            .strip_prefix("Basic ")
            .expect("basic");
        assert_eq!(BASE64.decode(text.as_bytes()).expect("base64"), b"al@ice:s/cret");
        assert!(!format!("{header:?}").contains(text), "it is not shown");
        let plain = Url::parse("http://node.example:8545/").expect("a URL");
        assert_eq!(authorization(&plain).expect("none"), None);
    }
}
