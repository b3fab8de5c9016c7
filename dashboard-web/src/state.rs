//! What the whole page knows: who asks, which chains there are, where one is, how live it is.

use crate::browser;
use crate::figures::money;
use crate::graphql::{Amount, chain_heads, events, frame, freshness};
use crate::live::core::Link;
use crate::live::indicator::{self, Kind, Knowledge, Report};
use crate::live::link::Live;
use crate::location::Place;
use crate::moment::Moment;
use crate::request;
use crate::trouble::Trouble;
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen_futures::spawn_local;

/// Where a chain stands, and when that was learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The chain.
    pub chain: chain_heads::ChainHeadsChainHeads,
    /// When it was learnt.
    pub at: Moment,
}

/// The page's state; a handle that is copied freely.
#[derive(Clone, Copy)]
pub struct App {
    /// Where one is.
    pub place: Place,
    /// The live connection.
    pub live: Live,
    /// Who asks, once the server said so.
    pub who: RwSignal<Option<frame::FrameViewer>>,
    /// Why that is not known.
    pub trouble: RwSignal<Option<Trouble>>,
    /// The chains of the installation.
    pub chains: RwSignal<Vec<frame::FrameChains>>,
    /// Where they stand.
    pub heads: RwSignal<Vec<Head>>,
    /// The machine's clock, once a second.
    pub now: RwSignal<Moment>,
    /// What is read aloud, politely.
    pub said: RwSignal<String>,
    /// The newest public event, as it came.
    pub event: RwSignal<Option<crate::graphql::EventRow>>,
    /// Includes the latest command of this page: reads ask for at least this much.
    pub token: RwSignal<Option<String>>,
    report: RwSignal<Option<(freshness::FreshnessFreshness, Moment)>>,
}

impl App {
    /// Sets the state up.
    pub fn provide() -> Self {
        let app = Self {
            place: Place::follow(),
            live: Live::new(),
            who: RwSignal::new(None),
            trouble: RwSignal::new(None),
            chains: RwSignal::new(Vec::new()),
            heads: RwSignal::new(Vec::new()),
            now: RwSignal::new(browser::now()),
            said: RwSignal::new(String::new()),
            event: RwSignal::new(None),
            token: RwSignal::new(None),
            report: RwSignal::new(None),
        };
        provide_context(app);
        set_interval(move || app.now.set(browser::now()), Duration::from_secs(1));
        Effect::new(move |_| {
            if app.live.signed_out.get() {
                app.leave();
            }
        });
        app
    }

    /// The state of the page this is called in.
    pub fn here() -> Self {
        expect_context()
    }

    /// Asks who asks; connects when that is known.
    pub fn enter(self) {
        spawn_local(async move {
            match request::ask::<_, frame::ResponseData>(
                frame::QUERY,
                frame::OPERATION_NAME,
                frame::Variables,
            )
            .await
            {
                Ok(answer) => {
                    self.trouble.set(None);
                    self.chains.set(answer.chains);
                    self.who.set(Some(answer.viewer));
                    self.live.signed_out.set(false);
                    self.live.dial();
                }
                Err(trouble) if trouble.is_signed_out() => self.leave(),
                Err(trouble) => {
                    self.trouble.set(Some(trouble));
                    set_timeout(move || self.enter(), Duration::from_secs(3));
                }
            }
        });
    }

    /// The session is over: to the door, and back here after signing in.
    pub fn leave(self) {
        use crate::route::{Route, encode};
        self.live.forget();
        self.who.set(None);
        if self.place.route.get_untracked() != Route::SignIn {
            let back = encode(&self.place.address());
            self.place.replace(&format!("/sign-in?next={back}"));
        }
    }

    /// Follows what every page shows: events, freshness, heads of the chains.
    pub fn subscribe(self) {
        let none = events::Variables { after: None };
        self.live.subscribe(
            events::QUERY,
            events::OPERATION_NAME,
            &none,
            move |data: events::ResponseData| {
                self.live.advance(&data.events.cursor);
                self.event.set(Some(data.events.event));
            },
        );
        let fresh = freshness::Variables;
        let take =
            move |data: freshness::ResponseData| self.report.set(Some((data.freshness, browser::now())));
        self.live
            .subscribe(freshness::QUERY, freshness::OPERATION_NAME, &fresh, take);
        let heads = chain_heads::Variables;
        let take = move |data: chain_heads::ResponseData| self.bring_head(data.chain_heads);
        self.live
            .subscribe(chain_heads::QUERY, chain_heads::OPERATION_NAME, &heads, take);
    }

    fn bring_head(self, chain: chain_heads::ChainHeadsChainHeads) {
        let head = Head {
            chain,
            at: browser::now(),
        };
        self.heads.update(
            |heads| match heads.iter_mut().find(|h| h.chain.id == head.chain.id) {
                Some(known) => *known = head,
                None => {
                    heads.push(head);
                    heads.sort_by(|a, b| a.chain.name.cmp(&b.chain.name));
                }
            },
        );
    }

    /// What the indicator says now.
    pub fn freshness(self) -> (Kind, String) {
        let now = self.now.get();
        let report = self.report.get().map(|(report, at)| Report {
            age_ms: at.age_ms(now),
            lag_ms: report.lag_ms,
            behind: report.behind,
        });
        indicator::judge(Knowledge {
            link: self.live.link.get(),
            network: browser::has_network(),
            lost_ms: self.live.lost_at.get().map(|at| Moment(at).age_ms(now)),
            report: report.filter(|_| self.live.link.get() == Link::Joined),
        })
    }

    /// How many streams the views keep aside because they cannot read them.
    pub fn quarantined(self) -> u64 {
        self.report
            .with(|report| report.as_ref().map_or(0, |(report, _)| report.quarantined))
    }

    /// Whether the session may do something.
    pub fn may(self, scope: &str) -> bool {
        self.who.with(|who| {
            who.as_ref()
                .is_some_and(|who| who.scopes.iter().any(|s| s == scope))
        })
    }

    /// An amount of an asset in words; of an asset nobody lists, its minor units.
    pub fn money(self, asset: &str, minor: Amount) -> String {
        let known = self.chains.with(|chains| {
            let assets = chains.iter().flat_map(|chain| &chain.assets);
            let mut found = assets.filter(|a| a.id == asset);
            found.next().map(|a| (a.decimals, a.symbol.clone()))
        });
        match known {
            Some((decimals, symbol)) => money(minor, decimals, &symbol),
            None => money(minor, 0, asset),
        }
    }

    /// The name of the chain an asset is on.
    pub fn chain_of(self, asset: &str) -> String {
        self.chain_name(asset.split('/').next().unwrap_or_default())
    }

    /// A chain's name.
    pub fn chain_name(self, id: &str) -> String {
        let name = self
            .chains
            .with(|chains| chains.iter().find(|c| c.id == id).map(|c| c.name.clone()));
        name.unwrap_or_else(|| id.to_owned())
    }
}
