//! What the log has lost and another place still has: Kafka in a cluster, and a backup that reaches further in either
//! assembly. It is counted and named, and never written back: who asked for something asks again.

use anyhow::Result;
use serde_json::{Value, json};
use vaultstream_domain::error::Causes;
use vaultstream_event_schemas::release::Gone;
use vaultstream_kernel::mark::gone::{GoneError, GoneLimits, GoneRequest, LostEvents, Reached, lost_events};

use super::Installation;
use crate::{assembly, backup};

/// What is known of it.
pub enum Left {
    /// There is no other place, or none was named.
    Unasked,
    /// The other place does not answer, and why.
    Unread(String),
    /// This was found.
    Found(LostEvents),
}

/// Reads the other place. A backup that was named has to be readable; Kafka may be away, and the rest is told without it.
pub async fn look(here: &Installation<'_>) -> Result<Left> {
    let (log, limits) = (here.ports.log.as_ref(), GoneLimits::default());
    if let Some(dir) = here.backup {
        let mut echo = backup::echo(here.config, dir)?;
        return Ok(Left::Found(lost_events(log, &mut echo, limits).await?));
    }
    let Some(mut echo) = assembly::open_echo(here.config, &log.registry())? else {
        return Ok(Left::Unasked);
    };
    match lost_events(log, &mut *echo, limits).await {
        Ok(found) => Ok(Left::Found(found)),
        Err(GoneError::Echo(error)) => Ok(Left::Unread(Causes(&error).to_string())),
        Err(GoneError::Log(error)) => Err(error.into()),
    }
}

impl Left {
    /// What operators sign of it.
    pub fn stated(&self) -> Option<Gone> {
        match self {
            Self::Found(found) => Some(found.stated),
            Self::Unasked | Self::Unread(_) => None,
        }
    }

    /// What would have it counted, when it is not.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Found(_) => None,
            Self::Unasked => Some("give --backup DIR, a backup that reaches further than the log".to_owned()),
            Self::Unread(why) => Some(format!("let Kafka answer, or give --backup DIR ({why})")),
        }
    }

    /// Prints it, a line a fact.
    pub fn print(&self) {
        if let Self::Found(found) = self {
            print(found);
        }
        if let Some(remedy) = self.remedy() {
            println!("requests that were lost are not named: {remedy}");
        }
    }

    /// The same for programs; null when nothing was read.
    pub fn object(&self) -> Value {
        match self {
            Self::Found(found) => object(found),
            Self::Unasked | Self::Unread(_) => Value::Null,
        }
    }
}

fn print(found: &LostEvents) {
    let (place, stated) = (found.place, &found.stated);
    if stated.events == 0 {
        println!("{place} has nothing that the log has lost");
    } else {
        println!(
            "{place} has {} events that the log has lost; {} requests began with them",
            stated.events, stated.requests
        );
    }
    for ((shard, life), range) in &found.ranges {
        println!(
            "  shard {shard}, incarnation {life}: {} events, positions {} to {}",
            range.events, range.first, range.last
        );
    }
    for request in &found.requests {
        println!("  {}", line(request));
    }
    let named = u64::try_from(found.requests.len()).unwrap_or(u64::MAX);
    if stated.requests > named {
        println!("  {} more requests are not named", stated.requests - named);
    }
    if found.damaged > 0 {
        println!("  {} damaged records were passed over", found.damaged);
    }
    if stated.is_cut {
        println!("  not everything was read: more may be lost than is counted");
    }
    if found.requests.iter().any(|request| !request.is_back) {
        println!(
            "  nothing of it is put back: whoever asked sends the same request again under the same Idempotency-Key"
        );
    }
}

fn line(request: &GoneRequest) -> String {
    let reached = match request.reached {
        Some(reached) => reached.word(),
        None => &request.last_type,
    };
    let back = if request.is_back { ", asked for again" } else { "" };
    let GoneRequest {
        stream,
        organization,
        at,
        ..
    } = request;
    format!("{stream} of {organization} was asked for at {at} and came as far as: {reached}{back}")
}

fn object(found: &LostEvents) -> Value {
    let shards = found.ranges.iter().map(|((shard, life), range)| {
        json!({
            "shard": shard, "incarnation": life, "events": range.events, "first": range.first, "last": range.last,
            "types": range.types,
        })
    });
    let requests = found.requests.iter().map(|request| {
        json!({
            "id": request.stream.to_string(), "type": request.event_type, "at": request.at,
            "organization": request.organization, "reached": request.reached.map(Reached::word),
            "lastType": request.last_type, "askedAgain": request.is_back,
        })
    });
    json!({
        "place": found.place, "events": found.stated.events, "requests": found.stated.requests,
        "hash": found.stated.hash.map(|byte| format!("{byte:02x}")).concat(), "cut": found.stated.is_cut,
        "damaged": found.damaged, "shards": shards.collect::<Vec<_>>(), "named": requests.collect::<Vec<_>>(),
    })
}
