//! The phases over GraphQL: who may not in, what each scope shows, and what is another tenant's; by query and by
//! subscription.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Findings;
use super::fields::{FIELDS, Field};
use super::probe::{check_door, code, same, tells_nothing};
use super::socket::Socket;
use super::who::{Credential, Who};
use super::world::{Ids, World};

/// Who may not in at `POST /graphql`, what each scope shows there, and that strangers' things are not there.
pub async fn queries(world: &World, credentials: &[Credential]) -> Result<()> {
    let mut findings = Findings::default();
    let fields = || {
        FIELDS
            .iter()
            .filter(|field| !field.place.starts_with("Subscription."))
    };
    for credential in credentials {
        let what = format!("POST /graphql for {:?}", credential.who);
        if let Some((status, code)) = refused_at_the_page(credential.who) {
            let answer = world.query(credential, "{ viewer { actor } }").await?;
            findings.note(&what, check_door(&what, status, code, answer).await);
            continue;
        }
        if !asks_fields(credential.who) {
            continue;
        }
        for field in fields() {
            let what = format!("{} for {:?}", field.place, credential.who);
            let answer: Value = world
                .query(credential, &(field.ask)(&world.ours))
                .await?
                .json()
                .await?;
            findings.note(&what, check_field(field, credential.who, &answer, &world.theirs));
        }
    }
    let full = credentials
        .iter()
        .find(|c| c.who == Who::Full)
        .context("a full key")?;
    for field in fields() {
        let (theirs, never) = ((field.ask)(&world.theirs), (field.ask)(&world.missing));
        if theirs != never {
            let theirs = world.seen_of_query(full, &theirs, &world.theirs).await?;
            let never = world.seen_of_query(full, &never, &world.missing).await?;
            findings.note(field.place, same(&theirs, &never));
        }
    }
    findings.none("GraphQL")
}

/// Whom the tables of fields are asked for: scopes alone and all of them, by key and on the page.
const fn asks_fields(who: Who) -> bool {
    matches!(who, Who::Alone(_) | Who::Full | Who::Page)
}

/// Who is refused before a document is read, and how.
const fn refused_at_the_page(who: Who) -> Option<(u16, &'static str)> {
    match who {
        Who::Nobody | Who::WrongSecret | Who::Revoked | Who::Expired | Who::PageEnded => {
            Some((401, "unauthenticated"))
        }
        Who::PageWithoutHeader => Some((403, "csrf-header-missing")),
        Who::PageElsewhere => Some((403, "origin-not-allowed")),
        _ => None,
    }
}

fn check_field(field: &Field, who: Who, answer: &Value, theirs: &Ids) -> Result<()> {
    tells_nothing("the answer", &answer.to_string(), theirs)?;
    let Some(scope) = who.lacks(field.needs) else {
        ensure!(
            answer["errors"].is_null() && answer["data"].is_object(),
            "not let in: {answer}"
        );
        return Ok(());
    };
    ensure!(
        code(answer) == Some("scope-missing"),
        "without `{scope}`: {answer}"
    );
    let words = answer["errors"][0]["message"].as_str().unwrap_or_default();
    ensure!(
        words.contains(&format!("`{scope}`")),
        "`{scope}` is not named: {answer}"
    );
    let shown = answer["data"]
        .as_object()
        .into_iter()
        .flat_map(|data| data.values());
    ensure!(
        shown.into_iter().all(Value::is_null),
        "something is shown: {answer}"
    );
    Ok(())
}

/// The same over the socket.
pub async fn subscriptions(world: &World, credentials: &[Credential]) -> Result<()> {
    let mut findings = Findings::default();
    let fields = || {
        FIELDS
            .iter()
            .filter(|field| field.place.starts_with("Subscription."))
    };
    for credential in credentials {
        let who = credential.who;
        // A cookie counts on a socket with an Origin, which no script can forge; a header cannot be set there.
        let is_refused = refused_at_the_page(who).is_some();
        if !is_refused && !asks_fields(who) {
            continue;
        }
        let socket = Socket::open(world, credential).await?;
        let Some(mut socket) = socket else {
            findings.note(
                "a socket",
                is_refused
                    .then_some(())
                    .with_context(|| format!("{who:?} is refused")),
            );
            continue;
        };
        if is_refused {
            findings.note("a socket", Err(anyhow::anyhow!("{who:?} is let in")));
            continue;
        }
        for field in fields() {
            let what = format!("{} for {who:?}", field.place);
            let answer = socket
                .first(&(field.ask)(&world.ours))
                .await
                .context(what.clone())?;
            findings.note(&what, check_field(field, who, &answer, &world.theirs));
        }
        if who == Who::Full {
            for field in fields() {
                let (theirs, never) = ((field.ask)(&world.theirs), (field.ask)(&world.missing));
                if theirs != never && theirs.contains("Id:") {
                    let theirs = world.theirs.hidden_in(&code_of(socket.first(&theirs).await?));
                    let never = world.missing.hidden_in(&code_of(socket.first(&never).await?));
                    let is_same = theirs == never && theirs.contains("not-found");
                    let fault = || format!("another tenant's: {theirs}\nnobody's: {never}");
                    findings.note(field.place, is_same.then_some(()).with_context(fault));
                }
            }
        }
    }
    findings.none("sockets")
}

/// An answer without what names the request.
fn code_of(mut answer: Value) -> String {
    for error in answer["errors"].as_array_mut().into_iter().flatten() {
        if let Some(extensions) = error["extensions"].as_object_mut() {
            extensions.remove("requestId");
        }
    }
    answer.to_string()
}
