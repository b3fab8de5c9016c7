//! Public events: where a replay asks, and a stream of server-sent events read frame by frame.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::{StatusCode, header};

use super::{Client, ClientError, read, unanswered};

/// How long a stream may be silent: three of the server's beats.
pub const SILENCE: Duration = Duration::from_secs(45);
/// The longest frame that is read, in bytes.
const MAX_FRAME: usize = 4 << 20;
/// A stream has no end; this is as long as a client can wait.
const ENDLESS: Duration = Duration::from_secs(365 * 86_400);

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// `beginning`, `now`, or a moment in RFC 3339.
    pub from: Option<String>,
    /// A moment in RFC 3339.
    pub until: Option<String>,
    /// The id of a thing.
    pub stream: Option<String>,
    /// Public types.
    pub types: Vec<String>,
    /// An organization, for auditors.
    pub organization: Option<String>,
}

impl EventQuery {
    /// The path of a page of `limit` events, or of a stream without one; `cursor` takes the place of `from`.
    pub fn path(&self, limit: Option<u16>, cursor: Option<&str>) -> String {
        let limit = limit.map(|limit| limit.to_string());
        let types = (!self.types.is_empty()).then(|| self.types.join(","));
        let from = self.from.as_deref().filter(|_| cursor.is_none());
        let parameters = [
            ("limit", limit.as_deref()),
            ("cursor", cursor),
            ("from", from),
            ("until", self.until.as_deref()),
            ("stream", self.stream.as_deref()),
            ("type", types.as_deref()),
            ("organization", self.organization.as_deref()),
        ];
        let mut path = String::from("/v1/events");
        let given = parameters
            .iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)));
        for (n, (name, value)) in given.enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(path, "{}{name}=", if n == 0 { '?' } else { '&' });
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                    path.push(char::from(byte));
                } else {
                    let _ = write!(path, "%{byte:02X}");
                }
            }
        }
        path
    }
}

/// One frame of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Where a client goes on behind this frame.
    pub id: Option<String>,
    /// The frame's kind; an event has none.
    pub kind: Option<String>,
    /// The event as JSON text; none in a frame that only says how far the stream has come.
    pub data: Option<String>,
}

/// Frames out of bytes, as the HTML standard cuts them.
#[derive(Debug, Default)]
struct Frames {
    rest: Vec<u8>,
    frame: Frame,
}

impl Frames {
    /// The next whole frame, when the bytes so far hold one.
    fn next(&mut self) -> Option<Frame> {
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let frame = std::mem::take(&mut self.frame);
                if frame != Frame::default() {
                    return Some(frame);
                }
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match name {
                "id" => self.frame.id = Some(value),
                "event" => self.frame.kind = Some(value),
                "data" => {
                    let data = self.frame.data.take();
                    self.frame.data =
                        Some(data.map_or_else(|| value.clone(), |before| before + "\n" + &value));
                }
                _ => {}
            }
        }
        None
    }
}

/// A stream of events.
#[derive(Debug)]
pub struct EventStream {
    response: Option<reqwest::Response>,
    frames: Frames,
}

impl EventStream {
    /// The next frame; `None` when the stream has ended or was silent for [`SILENCE`].
    pub async fn next(&mut self) -> Result<Option<Frame>, ClientError> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Ok(Some(frame));
            }
            let Some(response) = &mut self.response else {
                return Ok(None);
            };
            if self.frames.rest.len() > MAX_FRAME {
                return Err(ClientError::Unreadable {
                    status: response.status().as_u16(),
                    source: None,
                });
            }
            match tokio::time::timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(bytes))) => self.frames.rest.extend_from_slice(&bytes),
                Ok(Err(error)) => return Err(ClientError::Connection(error)),
                Ok(Ok(None)) | Err(_) => self.response = None,
            }
        }
    }
}

impl Client {
    /// Opens a stream of events at a path of [`EventQuery`], behind the id of the last frame that was seen.
    pub async fn event_stream(&self, path: &str, last: Option<&str>) -> Result<EventStream, ClientError> {
        let mut request = self.http.get(format!("{}{path}", self.base)).timeout(ENDLESS);
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, bearer.clone());
        }
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let sent = request.header(header::ACCEPT, "text/event-stream").send();
        let response = tokio::time::timeout(SILENCE, sent)
            .await
            .map_err(|_| ClientError::Configuration("the server did not answer in time".into()))?
            .map_err(unanswered)?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(EventStream {
                response: None,
                frames: Frames::default(),
            }),
            status if status.is_success() => Ok(EventStream {
                response: Some(response),
                frames: Frames::default(),
            }),
            _ => match read::<serde_json::Value>(response).await {
                Err(refused) => Err(refused),
                Ok(answer) => Err(ClientError::Unreadable {
                    status: 200,
                    source: serde_json::from_value::<()>(answer.body).err(),
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_should_hold_what_is_given_and_escape_it() {
        assert_eq!(EventQuery::default().path(None, None), "/v1/events");
        let query = EventQuery {
            from: Some("2026-03-01T00:00:00+01:00".into()),
            types: vec!["transfer.completed".into(), "transfer.failed".into()],
            ..EventQuery::default()
        };
        assert_eq!(
            query.path(Some(200), None),
            "/v1/events?limit=200&from=2026-03-01T00%3A00%3A00%2B01%3A00&type=transfer.completed%2Ctransfer.failed"
        );
        assert_eq!(
            query.path(None, Some("c")),
            "/v1/events?cursor=c&type=transfer.completed%2Ctransfer.failed"
        );
    }

    #[test]
    fn frames_should_be_whole_however_they_are_cut() {
        let text = "retry: 1000\n\n:\n\nid: a\ndata: {\"n\":1}\n\nid: b\r\n\r\nevent: problem\ndata: x\ndata: y\n\nid: c\nda";
        let expected = [
            Frame {
                id: Some("a".into()),
                kind: None,
                data: Some("{\"n\":1}".into()),
            },
            Frame {
                id: Some("b".into()),
                ..Frame::default()
            },
            Frame {
                id: None,
                kind: Some("problem".into()),
                data: Some("x\ny".into()),
            },
        ];
        for size in 1..text.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for part in text.as_bytes().chunks(size) {
                frames.rest.extend_from_slice(part);
                while let Some(frame) = frames.next() {
                    found.push(frame);
                }
            }
            assert_eq!(found, expected, "cut every {size} bytes");
        }
    }
}
