//! HTTP for alloy's JSON-RPC client: bounded answers, no redirects, no address in any span or error.
//!
//! alloy's own transport reads answers of any size and writes the endpoint's address into its spans.

use std::task::{Context, Poll};
use std::time::Duration;

use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_transport::{TransportError, TransportErrorKind, TransportFut};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, Url};
use tower::Service;

use crate::options::Options;

/// No answer the client asks for is larger.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Sends one question, reads one answer.
#[derive(Clone)]
pub(crate) struct BoundedHttp {
    client: Client,
    url: Url,
}

impl BoundedHttp {
    pub(crate) fn new(options: &Options, url: Url) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .connect_timeout(Duration::from_millis(options.connect_timeout_ms))
            .timeout(Duration::from_millis(options.request_timeout_ms))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("vaultstream/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&url) {
            // A proxy of the environment cannot reach this machine's own ports.
            builder = builder.no_proxy();
        }
        Ok(Self {
            client: builder.build()?,
            url,
        })
    }

    async fn exchange(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let body = serde_json::to_vec(&packet).map_err(TransportError::ser_err)?;
        let json = HeaderValue::from_static("application/json");
        let request = self.client.post(self.url).header(CONTENT_TYPE, json).body(body);
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let body = read_bounded(response).await?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body).chars().take(512).collect();
            return Err(TransportErrorKind::http_error(status.as_u16(), text));
        }
        serde_json::from_slice(&body).map_err(|error| {
            let text: String = String::from_utf8_lossy(&body).chars().take(512).collect();
            TransportError::deser_err(error, text)
        })
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        None => false,
    }
}

/// A failed exchange in words that name its kind; the library's own text would name the address.
fn lost(error: reqwest::Error) -> TransportError {
    let kind = match &error {
        e if e.is_timeout() => "no answer in time",
        e if e.is_connect() => "no connection",
        e if e.is_body() || e.is_decode() => "the answer broke off",
        _ => "the exchange failed",
    };
    let mut text = kind.to_owned();
    let error = error.without_url();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    TransportErrorKind::custom_str(&text)
}

async fn read_bounded(mut response: Response) -> Result<Vec<u8>, TransportError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
            return Err(TransportErrorKind::custom_str("the answer is larger than 4 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
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
