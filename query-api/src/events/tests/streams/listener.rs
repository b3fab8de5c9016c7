//! A client of one stream.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures::StreamExt;
use http::StatusCode;
use serde_json::Value;
use tokio::time::timeout;

use crate::rest::tests::Rest;
use crate::rig::world::Tenant;

/// Longer than an event or an end takes on a busy machine.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// A client of one stream.
pub(super) struct Listener {
    body: BodyDataStream,
    text: String,
    pub(super) last: Option<String>,
}

impl Listener {
    pub(super) async fn open(rest: &Rest, tenant: &Tenant, path: &str, last: Option<&str>) -> Self {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last.map(|last| ("last-event-id", last)));
        let response = rest.send(tenant, path, &headers).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
            last: last.map(str::to_owned),
        }
    }

    /// The next event; none at the end.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let frame: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let prefix = format!("{name}: ");
                    frame
                        .lines()
                        .find_map(|l| l.strip_prefix(&prefix))
                        .map(str::to_owned)
                };
                if let Some(id) = field("id") {
                    self.last = Some(id);
                }
                if let Some(data) = field("data") {
                    assert_eq!(field("event"), None, "{frame}");
                    return Some(serde_json::from_str(&data).expect("JSON"));
                }
            }
            let chunk = timeout(SOON, self.body.next()).await.expect("in time")?;
            self.text += std::str::from_utf8(&chunk.expect("a body")).expect("text");
        }
    }

    pub(super) async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.next().await.expect("one more"));
        }
        events
    }

    /// Whether it ends within a while.
    pub(super) async fn ends(&mut self, within: Duration) -> bool {
        timeout(within, async { while self.next().await.is_some() {} })
            .await
            .is_ok()
    }
}
