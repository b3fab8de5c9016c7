//! One socket from its upgrade to its end: reads what the client says, writes what its operations bring.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::{Data, Response};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, SplitSink, SplitStream};
use futures::{FutureExt, SinkExt, StreamExt};
use tokio::time::{MissedTickBehavior, interval_at, sleep, timeout};
use tokio_stream::StreamMap;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_gateway::{Principal, RequestInfo};

use super::message::{Heard, Said};
use super::{INIT_WITHIN, MAX_ID, MAX_MESSAGES, MAX_OPERATIONS, PING_EVERY, SEND_WITHIN};
use crate::admission::Seat;
use crate::caller::Caller;
use crate::http::{Asked, failed};
use crate::limits::{self, Door};
use crate::observer::{Fact, Observer, SocketLimit};
use crate::refusal::{self, Refusal};
use crate::router::Parts;
use crate::schema::Loaders;

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a code and its reason.
    Close(u16, &'static str),
    /// A limit was met; with a code and its reason.
    Limit(SocketLimit, u16, &'static str),
    /// The process drains: operations are completed first.
    Drain,
    /// The client is gone.
    Gone,
    /// The client takes nothing any more, so it is told nothing either.
    Deaf,
}

const REVOKED: End = End::Close(4401, "the credential was revoked or has expired");

/// What an operation brings.
enum Step {
    Next(Box<Response>),
    Done,
}

/// An introduced client.
struct Guest {
    principal: Arc<Principal>,
    session: Arc<Data>,
    _seat: Seat,
}

struct Session {
    parts: Arc<Parts>,
    info: RequestInfo,
    sink: SplitSink<WebSocket, Message>,
    /// Whom the upgrade's headers named.
    known: Option<Arc<Principal>>,
    guest: Option<Guest>,
    /// Returns when the guest's credential ends.
    ended: BoxFuture<'static, ()>,
    operations: StreamMap<String, BoxStream<'static, Step>>,
    unanswered: u32,
    heard: (Instant, u32),
}

/// Runs a socket to its end.
pub async fn run(parts: Arc<Parts>, info: RequestInfo, known: Option<Arc<Principal>>, socket: WebSocket) {
    let (sink, incoming) = socket.split();
    let mut session = Session {
        parts,
        info,
        sink,
        known,
        guest: None,
        ended: std::future::pending().boxed(),
        operations: StreamMap::new(),
        unanswered: 0,
        heard: (Instant::now(), 0),
    };
    let mut open = Open::new(&session.parts.services.observer);
    let end = session.talk(incoming).await;
    tracing::debug!(request = &*session.info.id, ?end, "a socket ends");
    open.limit = end.limit();
    // Before its last words, so that who reads them finds it counted.
    drop(open);
    session.close(end).await;
}

/// A socket that counts as open until it is dropped, however it ends.
struct Open {
    observer: Arc<dyn Observer>,
    limit: Option<SocketLimit>,
}

impl Open {
    fn new(observer: &Arc<dyn Observer>) -> Self {
        observer.observe(Fact::SocketOpened);
        Self {
            observer: Arc::clone(observer),
            limit: None,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.observer.observe(Fact::SocketClosed(self.limit));
    }
}

impl End {
    const fn limit(self) -> Option<SocketLimit> {
        match self {
            Self::Limit(limit, ..) => Some(limit),
            Self::Deaf => Some(SocketLimit::Patience),
            Self::Close(..) | Self::Drain | Self::Gone => None,
        }
    }
}

impl Session {
    async fn talk(&mut self, mut incoming: SplitStream<WebSocket>) -> End {
        let introduction = sleep(INIT_WITHIN);
        tokio::pin!(introduction);
        let mut ping = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (drain, name) = (self.parts.services.drain.clone(), self.info.id.clone());
        let draining = drain.turn_of(&name);
        tokio::pin!(draining);
        loop {
            let passed = tokio::select! {
                biased;
                () = &mut self.ended => Err(REVOKED),
                () = &mut draining => Err(End::Drain),
                () = &mut introduction, if self.guest.is_none() => {
                    Err(End::Limit(SocketLimit::Introduction, 4408, "connection initialisation timeout"))
                }
                _ = ping.tick() => self.ping().await,
                message = incoming.next() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(_)) => Err(End::Limit(
                        SocketLimit::MessageSize,
                        1009,
                        "the message cannot be read or is larger than 64 KiB",
                    )),
                    None => Err(End::Gone),
                },
                Some((id, step)) = self.operations.next(), if !self.operations.is_empty() => {
                    self.bring(&id, step).await
                }
            };
            if let Err(end) = passed {
                return end;
            }
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.unanswered >= 2 {
            return Err(End::Deaf);
        }
        self.unanswered += 1;
        self.write(Message::Ping(bytes::Bytes::new())).await
    }

    async fn hear(&mut self, message: Message) -> Result<(), End> {
        self.unanswered = 0;
        self.count()?;
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
            Message::Binary(_) => return Err(End::Close(4400, "messages are text")),
        };
        match Heard::read(text).map_err(|_| End::Close(4400, "the message is not understood"))? {
            Heard::ConnectionInit { payload } => self.introduce(Heard::key(payload.as_ref())).await,
            Heard::Subscribe { id, payload } => self.subscribe(id, payload).await,
            Heard::Complete { id } => {
                self.operations.remove(&id);
                Ok(())
            }
            Heard::Ping {} => self.say(&Said::Pong).await,
            Heard::Pong {} => Ok(()),
        }
    }

    fn count(&mut self) -> Result<(), End> {
        let (since, count) = &mut self.heard;
        if since.elapsed() > Duration::from_secs(1) {
            self.heard = (Instant::now(), 1);
            return Ok(());
        }
        *count += 1;
        if *count > MAX_MESSAGES {
            Err(End::Limit(SocketLimit::Messages, 4429, "too many messages"))
        } else {
            Ok(())
        }
    }

    async fn introduce(&mut self, key: Option<&str>) -> Result<(), End> {
        if self.guest.is_some() {
            return Err(End::Close(4429, "too many initialisation requests"));
        }
        let refused = End::Close(4401, "no valid credential was sent");
        let principal = match (self.known.take(), key) {
            (Some(principal), _) => principal,
            (None, Some(key)) => Arc::new(
                self.parts
                    .door
                    .admit_key(key, &self.info)
                    .await
                    .map_err(|_| refused)?,
            ),
            (None, None) => return Err(refused),
        };
        let seat = self.parts.admission.socket(principal.credential());
        let seat = seat.ok_or(End::Limit(
            SocketLimit::Sockets,
            4429,
            "too many sockets of one credential",
        ))?;
        let mut data = Data::default();
        data.insert(Caller::new(Arc::clone(&principal)));
        let (credentials, watched) = (self.parts.door.credentials().clone(), Arc::clone(&principal));
        self.ended = async move { credentials.until_revoked(&watched).await }.boxed();
        self.guest = Some(Guest {
            principal,
            session: Arc::new(data),
            _seat: seat,
        });
        self.say(&Said::ConnectionAck).await
    }

    async fn subscribe(&mut self, id: String, asked: Asked) -> Result<(), End> {
        let Some(guest) = &self.guest else {
            return Err(End::Close(4401, "say connection_init first"));
        };
        if id.is_empty() || id.len() > MAX_ID {
            return Err(End::Close(4400, "an operation's id has 1 to 128 bytes"));
        }
        if self.operations.contains_key(&id) {
            return Err(End::Close(4409, "an operation with this id is going on"));
        }
        let caller = Caller::new(Arc::clone(&guest.principal));
        let mut query = asked.into_query();
        let admitted = if self.operations.len() < MAX_OPERATIONS {
            limits::admit(&mut query, Door::Socket, caller.is_key())
        } else {
            let detail = format!("a socket holds {MAX_OPERATIONS} subscriptions; end one first");
            Err(failed(Refusal::new(ErrorCode::LimitReached, detail)))
        };
        if let Err(error) = admitted {
            return self.fail(&id, Response::from_errors(vec![error])).await;
        }
        let loaders = Loaders::of_subscription(self.parts.services.reads.clone(), caller.organization);
        let session = Arc::clone(&guest.session);
        let items = self
            .parts
            .schema
            .execute_stream_with_session_data(query.data(loaders), session);
        let steps = items
            .map(|item| Step::Next(Box::new(item)))
            .chain(stream::iter([Step::Done]));
        self.operations.insert(id, steps.boxed());
        Ok(())
    }

    async fn bring(&mut self, id: &str, step: Step) -> Result<(), End> {
        match step {
            Step::Done => {
                self.operations.remove(id);
                self.say(&Said::Complete { id }).await
            }
            Step::Next(mut item) => {
                // fields of the root are never null, so an item without data is an operation that failed
                if item.data == async_graphql::Value::Null && !item.errors.is_empty() {
                    self.operations.remove(id);
                    return self.fail(id, *item).await;
                }
                self.finish(&mut item);
                self.say(&Said::Next { id, payload: &item }).await
            }
        }
    }

    async fn fail(&mut self, id: &str, mut item: Response) -> Result<(), End> {
        self.finish(&mut item);
        self.say(&Said::Error {
            id,
            payload: &item.errors,
        })
        .await
    }

    fn finish(&self, item: &mut Response) {
        refusal::finish(item, &self.info.id, self.parts.services.observer.as_ref());
    }

    async fn say(&mut self, said: &Said<'_>) -> Result<(), End> {
        let text =
            serde_json::to_string(said).map_err(|_| End::Close(1011, "an answer could not be written"))?;
        self.write(Message::Text(text.into())).await
    }

    /// Writes a message; a client that does not take it in time is gone, a credential that ends meanwhile ends this.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        tokio::select! {
            biased;
            () = &mut self.ended => Err(REVOKED),
            sent = timeout(SEND_WITHIN, self.sink.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(End::Gone),
                Err(_) => Err(End::Deaf),
            },
        }
    }

    async fn close(mut self, end: End) {
        let (code, reason) = match end {
            End::Gone | End::Deaf => return,
            End::Close(code, reason) | End::Limit(_, code, reason) => (code, reason),
            End::Drain => {
                self.ended = std::future::pending().boxed();
                let ids: Vec<String> = self.operations.keys().cloned().collect();
                for id in ids {
                    if self.say(&Said::Complete { id: &id }).await.is_err() {
                        return;
                    }
                }
                (
                    1012,
                    "this process restarts; connect again and resume with `after`",
                )
            }
        };
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        // a client that does not take its own close frame learns from the broken connection
        let _ = timeout(
            Duration::from_secs(1),
            self.sink.send(Message::Close(Some(frame))),
        )
        .await;
    }
}
