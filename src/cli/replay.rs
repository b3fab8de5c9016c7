//! `vaultstream replay`: the log as public events, one JSON object a line.
//!
//! What is printed is whole and in order: a page or a frame is printed only when it was received whole, and whatever breaks
//! is asked for again behind the last cursor. When it cannot go on it says the cursor to go on with.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use vaultstream_client::ClientError;
use vaultstream_client::http::{EventQuery, With};

use super::connection::Ask;
use super::{Done, Ended};

/// Events asked for at once.
const PAGE: u16 = 200;
/// How often in a row what breaks is asked for again.
const TRIES: u32 = 10;
/// The first pause before it; each one after it is twice as long, up to [`LONGEST`].
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);

/// What is replayed.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Where to begin: beginning, now, or a moment such as 2026-03-01T00:00:00Z.
    #[arg(
        long,
        value_name = "MOMENT",
        default_value = "beginning",
        conflicts_with = "cursor"
    )]
    from: String,
    /// Only events until this moment.
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
    /// Only events of this thing, such as trf_….
    #[arg(long, value_name = "ID")]
    stream: Option<String>,
    /// Only events of this public type, such as transfer.completed; may be given several times.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only events of this organization, with an auditor's key.
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Go on behind an earlier replay, with the cursor it told.
    #[arg(long)]
    cursor: Option<String>,
    /// Go on with what happens, until it is stopped.
    #[arg(long, conflicts_with = "until")]
    follow: bool,
}

/// A page, its events as the server wrote them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
    cursor: String,
}

/// Whether whoever reads the lines still does.
#[derive(Debug, PartialEq, Eq)]
enum Reader {
    Listens,
    Left,
}

pub async fn run(ask: Ask, asked: Wanted) -> Done {
    let mut cursor = asked.cursor.clone();
    let done = replay(&ask, &asked, &mut cursor).await;
    if let (Err(_), Some(cursor)) = (&done, &cursor) {
        eprintln!("vaultstream: what was printed ends at --cursor {cursor}");
    }
    done
}

async fn replay(ask: &Ask, asked: &Wanted, cursor: &mut Option<String>) -> Done {
    let query = EventQuery {
        from: Some(asked.from.clone()),
        until: asked.until.clone(),
        stream: asked.stream.clone(),
        types: asked.types.clone(),
        organization: asked.organization.clone(),
    };
    let mut patience = Patience::default();
    loop {
        let path = query.path(Some(PAGE), cursor.as_deref());
        let page: Page = match ask.client.get(&path, With::default()).await {
            Ok(answer) => answer.body,
            Err(error) => {
                patience.wait_after(error).await?;
                continue;
            }
        };
        patience = Patience::default();
        if print(page.items.iter().map(|event| event.get()))? == Reader::Left {
            return Ok(());
        }
        *cursor = Some(page.cursor);
        if page.next_cursor.is_none() {
            break;
        }
    }
    if asked.follow {
        follow(ask, &query, cursor).await
    } else {
        Ok(())
    }
}

/// Prints what happens until nobody listens any more.
async fn follow(ask: &Ask, query: &EventQuery, cursor: &mut Option<String>) -> Done {
    let path = query.path(None, cursor.as_deref());
    let mut patience = Patience::default();
    loop {
        let mut stream = match ask.client.event_stream(&path, cursor.as_deref()).await {
            Ok(stream) => stream,
            Err(error) => {
                patience.wait_after(error).await?;
                continue;
            }
        };
        loop {
            let frame = match stream.next().await {
                Ok(Some(frame)) => frame,
                // cut, silent or let go: go on behind what was printed
                Ok(None) | Err(ClientError::Connection(_)) => break,
                Err(error) => return Err(error.into()),
            };
            if let (None, Some(event)) = (&frame.kind, &frame.data) {
                patience = Patience::default();
                if print([event.as_str()].into_iter())? == Reader::Left {
                    return Ok(());
                }
            }
            if let Some(id) = frame.id {
                *cursor = Some(id);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How often something broke in a row.
#[derive(Debug, Default)]
struct Patience(u32);

impl Patience {
    /// Waits before the next try; gives up on what another try would not mend, and after [`TRIES`].
    async fn wait_after(&mut self, error: ClientError) -> Done {
        let is_passing = match &error {
            ClientError::Refused(problem) => problem.status >= 500 || problem.status == 429,
            ClientError::Unreachable(_) | ClientError::Connection(_) | ClientError::Unreadable { .. } => true,
            ClientError::Configuration(_) => false,
        };
        if !is_passing || self.0 >= TRIES {
            return Err(error.into());
        }
        let pause = PAUSE.saturating_mul(1 << self.0.min(10)).min(LONGEST);
        self.0 += 1;
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

fn print<'a>(events: impl Iterator<Item = &'a str>) -> Result<Reader, Ended> {
    let mut out = std::io::stdout().lock();
    let written = events
        .map(|event| writeln!(out, "{event}"))
        .collect::<Result<Vec<()>, _>>();
    match written.and_then(|_| out.flush()) {
        Ok(()) => Ok(Reader::Listens),
        // `vaultstream replay | head` has read what it wanted
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Left),
        Err(error) => Err(Ended::Unsent(error.into())),
    }
}
