//! The exporter's HTTP client. The exporter lives on a thread that is no part of the product's runtime, so that spans
//! leave even when that runtime is full or has ended; the client brings a small runtime of its own.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::{Builder, Runtime};

/// Bytes of a collector's answer that are read.
const ANSWER_MAX: usize = 64 * 1024;

/// Sends to the collector.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    /// Made and dropped on the exporter's thread: a runtime must not be dropped inside another.
    runtime: OnceLock<Runtime>,
}

impl Client {
    pub(super) fn try_new(timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            http,
            runtime: OnceLock::new(),
        })
    }

    fn runtime(&self) -> Result<&Runtime, std::io::Error> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let made = Builder::new_current_thread().enable_all().build()?;
        Ok(self.runtime.get_or_init(|| made))
    }

    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let mut answer = self.http.execute(request.try_into()?).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(format!("the collector answered more than {ANSWER_MAX} bytes").into());
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = http::Response::new(Bytes::from(body));
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        self.runtime()?.block_on(self.send(request))
    }
}
