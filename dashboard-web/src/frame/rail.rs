//! The rail of sections that work, and how much waits in them. On a phone it is a sheet.

use crate::browser;
use crate::graphql::transfers;
use crate::icons::{Icon, icon};
use crate::panel::Panel;
use crate::parts::{Listed, transfer_rows};
use crate::state::App;
use crate::words::{Word, fill, say};
use leptos::prelude::*;
use vaultstream_event_schemas::status::TransferStatus;

/// The transfers that are not over, which the rail counts and Home shows.
#[derive(Clone, Copy)]
pub struct Waiting(pub Panel<Listed>);

/// How many open transfers are followed at once.
const OPEN_MAX: i64 = 50;

impl Waiting {
    /// Follows them from now on.
    pub fn follow() -> Self {
        let ask = || transfers::Variables {
            first: OPEN_MAX,
            after: None,
            sort: transfers::TransferSort::newest,
            vault_id: None,
            status: None,
            open: Some(true),
            chain: None,
        };
        let (panel, _) = transfer_rows(Signal::derive(ask), Box::new(|row| !row.status.is_terminal()));
        let waiting = Self(panel);
        provide_context(waiting);
        waiting
    }

    fn count(self) -> usize {
        self.0.data.with(|data| {
            let nodes = data.iter().flat_map(|page| &page.nodes);
            nodes
                .filter(|t| t.status == TransferStatus::AwaitingApproval)
                .count()
        })
    }
}

/// The rail.
pub fn rail(app: App, waiting: Waiting, sheet: RwSignal<bool>) -> AnyView {
    const SECTIONS: [(&str, Word, Icon); 3] = [
        ("/", Word::NavHome, Icon::Home),
        ("/vaults", Word::NavVaults, Icon::Vault),
        ("/transfers", Word::NavTransfers, Icon::Transfers),
    ];
    let links: Vec<_> = SECTIONS
        .iter()
        .map(|(path, word, mark)| {
            let current = move || (app.place.route.get().section() == *path).then_some("page");
            let count = move || {
                let count = waiting.count();
                (*path == "/transfers" && count > 0).then(|| {
                    let words = fill(Word::WaitingCount, &[("count", &count.to_string())]);
                    view! { <span class="count">{words}</span> }
                })
            };
            view! { <li><a href=*path aria-current=current>{icon(*mark)}<span>{say(*word)}</span>{count}</a></li> }
        })
        .collect();
    let build = browser::build().map(|build| fill(Word::BuildLine, &[("build", &build)]));
    let zone = fill(Word::ZoneLine, &[("zone", &browser::zone())]);
    let veil = move || {
        sheet.get().then(|| {
            view! { <button type="button" class="veil" tabindex="-1" aria-label=say(Word::MenuClose) on:click=move |_| sheet.set(false)></button> }
        })
    };
    view! {
        <nav id="rail" class="rail" aria-label=say(Word::NavLabel) data-open=move || sheet.get().to_string()>
            <ul>{links}</ul>
            <div class="foot">
                <a href="/operations.html">{say(Word::FootProjections)}</a><a href="/proof.html">{say(Word::FootProof)}</a>
                <span>{zone}</span><span class="mono">{build}</span>
            </div>
        </nav>
        {veil}
    }
    .into_any()
}
