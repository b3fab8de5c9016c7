//! The streams that one projection has parked, and another try at them.

use crate::fetch::{self, Trouble};
use crate::table::{cells, head};
use crate::words as w;
use leptos::prelude::*;
use vaultstream_client::{Page, ParkedStream, RetryAccepted, RetryView};
use wasm_bindgen_futures::spawn_local;

/// As many as the API gives at once.
const LIMIT: u32 = 200;
/// The longest reason the API takes.
const REASON_MAX: &str = "500";

const HEADS: [(&str, &str); 5] = [
    (w::STREAM, "lead"),
    (w::EVENT, ""),
    (w::POSITION, "number"),
    (w::WAITING, "number"),
    (w::WHY, ""),
];

/// Whose parked streams are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of {
    /// The projection.
    pub view: String,
    /// The family.
    pub family: String,
}

/// What is parked now; asked for whenever `pulse` moves.
pub fn parked(of: Of, pulse: Signal<u32>, close: Callback<()>) -> AnyView {
    let page = RwSignal::new(None::<Result<Page<ParkedStream>, Trouble>>);
    let path = format!(
        "/v1/views/{}/quarantine?limit={LIMIT}&family={}",
        of.view, of.family
    );
    Effect::new(move |_| {
        pulse.get();
        let path = path.clone();
        spawn_local(async move {
            let answer = fetch::get(&path).await;
            let _ = page.try_set(Some(answer));
        });
    });
    let list = move || match page.get() {
        None => view! { <p class="inside soft">{w::LOADING}</p> }.into_any(),
        Some(Err(trouble)) => problem(&trouble),
        Some(Ok(page)) if page.items.is_empty() => {
            view! { <p class="inside soft">{w::NOTHING_PARKED}</p> }.into_any()
        }
        Some(Ok(page)) => streams(&page),
    };
    let title = format!("{}: {} · {}", w::PARKED, of.view, of.family);
    view! {
        <section class="card" aria-labelledby="parked">
            <header><h2 id="parked">{title}</h2>
                <div class="right"><button type="button" class="button" on:click=move |_| close.run(())>{w::CLOSE}</button></div>
            </header>
            {list}
            <div class="inside">{again(of)}</div>
        </section>
    }
    .into_any()
}

/// The event by its number in the stream, which stands beside it.
fn first(parked: &ParkedStream) -> String {
    let number = parked.event.rsplit('/').next().unwrap_or_default();
    format!("{number}: {} v{}", parked.event_type, parked.event_version)
}

fn streams(page: &Page<ParkedStream>) -> AnyView {
    let rows: Vec<_> = page
        .items
        .iter()
        .map(|parked| {
            let texts = vec![
                parked.stream.clone(),
                first(parked),
                parked.position.to_string(),
                parked.waiting.to_string(),
                parked.reason.clone(),
            ];
            view! { <tr role="row">{cells(texts, &HEADS)}</tr> }
        })
        .collect();
    let more = page
        .next_cursor
        .is_some()
        .then(|| view! { <p class="inside soft">{w::MORE}</p> });
    view! {
        <div class="table-wrap"><table class="cards" role="table">{head(&HEADS)}<tbody role="rowgroup">{rows}</tbody></table></div>
        {more}
    }
    .into_any()
}

/// Asks that they be folded again.
fn again(of: Of) -> AnyView {
    let (reason, said, busy) = (
        RwSignal::new(String::new()),
        RwSignal::new(None),
        RwSignal::new(false),
    );
    let ask = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (path, wanted) = (format!("/v1/views/{}/retries", of.view), reason.get_untracked());
        let body = RetryView {
            family: Some(of.family.clone()),
            reason: Some(wanted),
        };
        busy.set(true);
        spawn_local(async move {
            let answer = fetch::post::<RetryAccepted>(&path, &body).await;
            let _ = said.try_set(Some(answer.map(drop)));
            let _ = busy.try_set(false);
        });
    };
    let answer = move || {
        said.get().map(|said| match said {
            Ok(()) => view! { <p class="soft" role="status">{w::ASKED}</p> }.into_any(),
            Err(trouble) => problem(&trouble),
        })
    };
    view! {
        <form class="chips" on:submit=ask>
            <label>{w::REASON}<input type="text" required maxlength=REASON_MAX autocomplete="off"
                prop:value=reason on:input=move |e| reason.set(event_target_value(&e))/></label>
            <button type="submit" class="button primary" disabled=busy>{w::RETRY}</button>
        </form>
        {answer}
    }
    .into_any()
}

/// What failed, what to do, which id to quote.
pub fn problem(trouble: &Trouble) -> AnyView {
    let Trouble {
        code,
        title,
        detail,
        remedy,
        request_id,
    } = trouble.clone();
    let detail = (detail != title).then_some(detail);
    let sign_in = (code == "unauthenticated" || code == "forbidden").then(|| {
        view! { <p>{w::SIGN_IN}" "<a href="/">{w::TO_SIGN_IN}</a></p> }
    });
    view! {
        <div class="notice bad" role="alert">
            <div class="words"><strong>{title}</strong>" "{detail}" "<span class="soft">{remedy}</span>{sign_in}</div>
            <div class="trail"><span class="small soft mono">{request_id}</span></div>
        </div>
    }
    .into_any()
}
