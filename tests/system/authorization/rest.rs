//! The phases over the REST API: refusals, what is another tenant's, what is one's own, and what the platform reaches.

use anyhow::{Context, Result, ensure};
use vaultstream_gateway::operation::Operation;
use vaultstream_gateway::operations as declared;

use super::Findings;
use super::operations::ROWS;
use super::probe::{check_refused, same, tells_nothing};
use super::row::{Ask, Place, Row, Whose};
use super::who::{Credential, Expected, Who};
use super::world::{Ids, World};
use crate::refusal::refusal;

fn declared_of(row: &Row) -> Result<&'static Operation> {
    declared::find(row.id).context("the other test found it")
}

/// Whoever may not is told why, and nothing is written.
pub async fn refusals(world: &World, credentials: &[Credential]) -> Result<usize> {
    let (mut findings, mut asked) = (Findings::default(), 0);
    for row in ROWS {
        let operation = declared_of(row)?;
        for credential in credentials {
            let expected = credential.who.expected(operation, row);
            if matches!(expected, Expected::In) {
                continue;
            }
            // A refusal comes before anything is looked at: it is the same whosever the thing is.
            for ids in [&world.ours, &world.theirs] {
                let what = format!("{} for {:?}", row.id, credential.who);
                let ask = (row.places[0].ask)(ids);
                let answer = world.ask(credential, operation, &ask).await?;
                asked += 1;
                findings.note(
                    &what,
                    check_refused(&what, &expected, answer, &world.theirs).await,
                );
            }
        }
    }
    findings.none("refusals").map(|()| asked)
}

/// What is another tenant's looks like what never was, wherever its id stands.
pub async fn strangers_things(world: &World, full: &Credential) -> Result<()> {
    let mut findings = Findings::default();
    for row in ROWS.iter().filter(|row| row.whose == Whose::Anyone) {
        let operation = declared_of(row)?;
        for (n, place) in row.places.iter().enumerate() {
            let (theirs, never) = ((place.ask)(&world.theirs), (place.ask)(&world.missing));
            if theirs == never {
                continue;
            }
            let what = format!("{}, place {n}", row.id);
            let theirs = world.seen(full, operation, &theirs, &world.theirs).await?;
            let never = world.seen(full, operation, &never, &world.missing).await?;
            findings.note(&what, same(&theirs, &never));
            let is_list = theirs.status == 200 && theirs.body.contains("\"items\":[]");
            if !is_list && theirs.status != 404 {
                findings.note(&what, Err(anyhow::anyhow!("another tenant's: {theirs:?}")));
            }
        }
    }
    findings.none("another tenant's things")
}

/// Whoever may is let in, about their own things, and is told of nobody else's.
pub async fn successes(world: &World, credentials: &[Credential]) -> Result<usize> {
    let (mut findings, mut asked) = (Findings::default(), 0);
    // A session that ends itself asks for nothing after that.
    let last = |row: &&Row| row.id == "endCurrentSession";
    let rows = ROWS
        .iter()
        .filter(|row| !last(row))
        .chain(ROWS.iter().filter(last));
    for row in rows {
        let operation = declared_of(row)?;
        for credential in credentials {
            let is_in = matches!(credential.who.expected(operation, row), Expected::In);
            // Every scope but one lets in wherever that one is not needed; what a full key does is enough of that.
            if !is_in || matches!(credential.who, Who::AllBut(_) | Who::PlatformAllBut(_)) {
                continue;
            }
            for place in row.places {
                let ask = (place.ask)(&world.ours);
                if !credential.who.is_ours() && !for_anyone(row, place, &ask, world) {
                    continue;
                }
                let what = format!("{} for {:?}: {}", row.id, credential.who, ask.path);
                let answer = world.ask(credential, operation, &ask).await?;
                asked += 1;
                findings.note(
                    &what,
                    let_in(row, operation, credential.who, answer, &world.theirs).await,
                );
            }
        }
    }
    findings.none("successes").map(|()| asked)
}

/// Whether a place is not about the tenant, or about what the platform's operations are for.
fn for_anyone(row: &Row, place: &Place, ask: &Ask, world: &World) -> bool {
    row.whose == Whose::Platform || *ask == (place.ask)(&world.missing)
}

async fn let_in(
    row: &Row,
    operation: &Operation,
    who: Who,
    answer: reqwest::Response,
    theirs: &Ids,
) -> Result<()> {
    let status = answer.status().as_u16();
    let body = answer.text().await?;
    let done = if row.done.is_empty() {
        &[operation.status][..]
    } else {
        row.done
    };
    ensure!(
        done.contains(&status),
        "answered {status}, wanted one of {done:?}: {body}"
    );
    if who.is_platform() {
        return Ok(());
    }
    tells_nothing("the answer", &body, theirs)
}

/// The platform reaches organizations and nothing else of a tenant; others' events with one more scope.
pub async fn platforms_things(world: &World, credentials: &[Credential]) -> Result<()> {
    let mut findings = Findings::default();
    let of = |who: Who| {
        credentials
            .iter()
            .find(|c| c.who == who)
            .context("everyone was built")
    };
    let platform = of(Who::Platform)?;
    for row in ROWS.iter().filter(|row| row.whose == Whose::Anyone) {
        let operation = declared_of(row)?;
        for (n, place) in row.places.iter().enumerate() {
            let (theirs, never) = ((place.ask)(&world.theirs), (place.ask)(&world.missing));
            if theirs == never {
                continue;
            }
            let what = format!("{} for the platform, place {n}", row.id);
            if place.platform_reaches {
                let answer = world.ask(platform, operation, &theirs).await?;
                findings.note(
                    &what,
                    let_in(row, operation, Who::Platform, answer, &world.theirs).await,
                );
            } else {
                let theirs = world.seen(platform, operation, &theirs, &world.theirs).await?;
                let never = world.seen(platform, operation, &never, &world.missing).await?;
                findings.note(&what, same(&theirs, &never));
            }
        }
    }
    let operation = declared::find("listEvents").context("it is declared")?;
    let path = format!("/v1/events?organization={}", world.theirs.organization);
    for who in [
        Who::PlatformAlone("events:read"),
        Who::PlatformAllBut("audit:read"),
    ] {
        let answer = world.ask(of(who)?, operation, &Ask::at(path.as_str())).await?;
        let lacks = Expected::Refused(refusal(403, "scope-missing", None), "`audit:read`".into());
        let what = format!("others' events for {who:?}");
        findings.note(&what, check_refused(&what, &lacks, answer, &world.missing).await);
    }
    findings.none("the platform")
}
