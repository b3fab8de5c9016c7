//! What is asked of the log, checked: whose events, which, from where and until when.
//!
//! A tenant asks about its own; a key of the platform organization with the scope `audit:read` about any. What is another's
//! looks like what never was.

use http::HeaderMap;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::Head;
use vaultstream_event_schemas::public_event::public_types;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{ErrorCode, Hlc, OrganizationId, ShardNumber, StreamId, Timestamp};
use vaultstream_gateway::error::In;
use vaultstream_gateway::query::Params;
use vaultstream_gateway::resource::not_found;
use vaultstream_gateway::{ApiError, Principal};

use super::Events;
use crate::hub::open_cursor;
use crate::places::{clock_at, last_until};

/// The scope that reads the events of every organization.
pub const AUDIT_SCOPE: &str = "audit:read";
/// Types one filter may name.
pub const MAX_TYPES: usize = 64;
/// The header in which a broken stream says where it was.
const LAST_EVENT_ID: &str = "last-event-id";

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// Only this organization's; those of all when there is none.
    pub organization: Option<OrganizationId>,
    /// Only this stream's.
    pub stream: Option<StreamId>,
    /// Only these public types, sorted; all when there is none.
    pub types: Vec<String>,
    /// Only from this moment on, as it was asked for.
    pub from: Option<Timestamp>,
    /// Only until this moment.
    pub until: Option<Timestamp>,
}

/// A question with the place it begins at.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which events.
    pub question: Question,
    /// Everything before was passed.
    pub cursor: Positions,
    /// Whether what belongs to others is asked about, which is put on record.
    pub is_audit: bool,
}

impl Question {
    /// The clock beyond which nothing is wanted.
    pub fn end(&self) -> Option<Hlc> {
        self.until.map(clock_at)
    }

    /// Whether an event of this public type is wanted.
    pub fn takes(&self, public_type: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|one| one == public_type)
    }
}

fn refused(field: &str, detail: impl Into<String>) -> ApiError {
    ApiError::field(ErrorCode::InvalidField, In::Request, field, detail)
}

impl Asked {
    /// Reads a request.
    pub async fn read(
        events: &Events,
        principal: &Principal,
        params: &Params,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        let log = events.services.log.as_ref();
        let is_auditor = principal.organization == events.platform && principal.scopes.contains(AUDIT_SCOPE);
        let organization = whose(events, principal, params, is_auditor)?;
        let stream = params.parsed::<StreamId>("stream")?;
        if let Some(stream) = stream {
            check_stream(log, stream, organization).await?;
        }
        let now = events.services.clock.now();
        let until = past(params, "until", now)?;
        let heads = log.heads().await?;
        let (from, cursor) = begin(events, params, headers, (&heads, now)).await?;
        if let (Some(from), Some(until)) = (from, until)
            && until < from
        {
            return Err(refused("until", "`until` is before `from`"));
        }
        Ok(Self {
            question: Question {
                organization,
                stream,
                types: types(params)?,
                from,
                until,
            },
            cursor,
            is_audit: organization != Some(principal.organization),
        })
    }
}

/// Whose events are asked for and may be.
fn whose(
    events: &Events,
    principal: &Principal,
    params: &Params,
    is_auditor: bool,
) -> Result<Option<OrganizationId>, ApiError> {
    let own = principal.organization;
    match params.parsed::<OrganizationId>("organization")? {
        asked if is_auditor => Ok(asked),
        None => Ok(Some(own)),
        Some(asked) if asked == own => Ok(Some(own)),
        Some(_) if own == events.platform => {
            let detail = format!("the credential lacks the scope `{AUDIT_SCOPE}`");
            Err(ApiError::new(ErrorCode::ScopeMissing).detail(detail))
        }
        Some(_) => {
            let detail = "there is no such organization, or it is not yours";
            Err(ApiError::field(
                ErrorCode::NotFound,
                In::Request,
                "organization",
                detail,
            ))
        }
    }
}

async fn check_stream(
    log: &dyn EventLog,
    stream: StreamId,
    organization: Option<OrganizationId>,
) -> Result<(), ApiError> {
    if log.registry().entry(stream.shard()).is_none() {
        return Err(not_found());
    }
    let first = log.read_stream(stream, 0, 1).await?;
    let is_theirs = first
        .first()
        .is_some_and(|event| organization.is_none_or(|o| o == event.envelope.organization));
    if is_theirs { Ok(()) } else { Err(not_found()) }
}

fn types(params: &Params) -> Result<Vec<String>, ApiError> {
    let Some(text) = params.get("type") else {
        return Ok(Vec::new());
    };
    let public = public_types();
    let mut types: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
    types.sort();
    types.dedup();
    if types.len() > MAX_TYPES {
        return Err(refused("type", format!("at most {MAX_TYPES} types may be named")));
    }
    match types.iter().find(|one| !public.contains(&one.as_str())) {
        None => Ok(types),
        Some(unknown) => {
            let unknown: String = unknown.chars().take(64).collect();
            let detail = format!("`{unknown}` is no public event type; several are separated by commas");
            Err(refused("type", detail))
        }
    }
}

/// A moment that is not still to come.
fn past(params: &Params, name: &str, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let moment = params.parsed::<Timestamp>(name)?;
    if moment.is_some_and(|moment| moment > now) {
        let detail = "the moment is still to come; leave `until` out to follow what happens";
        return Err(refused(name, detail));
    }
    Ok(moment)
}

type Heads = std::collections::BTreeMap<ShardNumber, Head>;

/// Where to begin: a cursor, a moment, now, or the beginning of the log.
async fn begin(
    events: &Events,
    params: &Params,
    headers: &HeaderMap,
    (heads, now): (&Heads, Timestamp),
) -> Result<(Option<Timestamp>, Positions), ApiError> {
    // a client that comes back after a cut sends its first address again
    if let Some(last) = headers.get(LAST_EVENT_ID).filter(|last| !last.is_empty()) {
        let text = last.to_str().unwrap_or("");
        return Ok((None, resumed(events, heads, text, "Last-Event-ID")?));
    }
    match (params.get("cursor"), params.get("from")) {
        (Some(_), Some(_)) => Err(refused("from", "give either a cursor or `from`")),
        (Some(text), None) => Ok((None, resumed(events, heads, text, "cursor")?)),
        (None, Some("now")) => Ok((None, all_at(heads, |head| head.position))),
        (None, None | Some("beginning")) => Ok((None, all_at(heads, |_| 0))),
        (None, Some(text)) => {
            let Ok(from) = text.parse::<Timestamp>() else {
                let detail =
                    "`from` is `beginning`, `now`, or a moment in RFC 3339 such as 2026-03-01T00:00:00Z";
                return Err(refused("from", detail));
            };
            if from > now {
                return Err(refused("from", "the moment is still to come; use `now`"));
            }
            let log = events.services.log.as_ref();
            let before = Hlc(clock_at(from).0.saturating_sub(1));
            let places = heads.iter().map(async |(shard, head)| {
                let position = last_until(log, *shard, *head, before).await?;
                Ok::<_, crate::refusal::Refusal>((*shard, place(*head, position)))
            });
            let places = futures::future::try_join_all(places).await;
            let places = places.map_err(as_api_error)?;
            Ok((Some(from), Positions(places.into_iter().collect())))
        }
    }
}

const fn place(head: Head, position: u64) -> Place {
    Place {
        incarnation: head.incarnation,
        position,
    }
}

fn all_at(heads: &Heads, position: impl Fn(&Head) -> u64) -> Positions {
    let places = heads
        .iter()
        .map(|(shard, head)| (*shard, place(*head, position(head))));
    Positions(places.collect())
}

/// The places of a cursor, and the beginning of shards that it does not know.
fn resumed(events: &Events, heads: &Heads, text: &str, field: &str) -> Result<Positions, ApiError> {
    let refused = |detail: String| ApiError::field(ErrorCode::CursorInvalid, In::Request, field, detail);
    let cursor = open_cursor(&events.services.mac, text).map_err(|refusal| refused(refusal.detail))?;
    let mut places = all_at(heads, |_| 0);
    for (shard, at) in cursor.0 {
        match places.0.get_mut(&shard) {
            Some(known) if known.incarnation == at.incarnation => *known = at,
            _ => {
                let detail = "the log was restored since this cursor was made; begin anew with `from`";
                return Err(refused(detail.into()));
            }
        }
    }
    Ok(places)
}

/// A refusal of a read of the log, in the door's words.
pub fn as_api_error(refusal: crate::refusal::Refusal) -> ApiError {
    match &refusal.field {
        Some(field) => ApiError::field(refusal.code, In::Request, field, refusal.detail.clone()),
        None => ApiError::new(refusal.code).detail(refusal.detail),
    }
}
