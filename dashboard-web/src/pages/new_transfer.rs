//! A transfer is made in two steps: a form, then a review of exactly what will be sent, which alone can send it.
//!
//! The idempotency key is made with the review and kept for every retry of it; changing anything makes a new review.
//! Nothing is remembered in the address: money never moves by a link.

mod form;
mod review;

use crate::graphql::{Amount, known, vault, vaults};
use crate::panel::Panel;
use crate::parts::{head, show};
use crate::recipients::Known;
use crate::request;
use crate::state::App;
use crate::trouble::Trouble;
use crate::words::{Word, say};
use leptos::prelude::*;
use serde::Deserialize;
use vaultstream_client::RequestTransfer;

/// Vaults one can choose from.
const VAULTS: i64 = 100;
/// Earlier transfers whose recipients count as known.
const KNOWN: i64 = 50;

/// Where money can come from: an open account and an asset it can hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The account.
    pub account: String,
    /// CAIP-2 name of its chain.
    pub chain: String,
    /// The chain's name.
    pub chain_name: String,
    /// CAIP-19 name of the asset.
    pub asset: String,
    /// The asset's symbol.
    pub symbol: String,
    /// Its decimal places.
    pub decimals: i64,
    /// What the account holds of it.
    pub held: Amount,
}

impl Source {
    /// Names the choice in the form.
    pub fn key(&self) -> String {
        format!("{} {}", self.account, self.asset)
    }
}

/// An amount as the REST API answers it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Coin {
    /// CAIP-19 name of the asset.
    pub asset: String,
    /// Minor units.
    pub minor: Amount,
}

/// What the network charges.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Fee {
    /// What is to be expected.
    pub expected: Coin,
    /// The most it can come to.
    pub max: Coin,
}

/// What this page needs of a dry run's answer; the ids in it are known already and need not be checked again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The paying address.
    pub source: String,
    /// The destination in the chain's checked form.
    pub destination: String,
    /// What would be paid.
    pub amount: Coin,
    /// What the account holds of the asset.
    pub balance: Coin,
    /// What the network would charge, when its node answers.
    pub fee: Option<Fee>,
    /// How many approvals it would wait for.
    pub approvals_needed: u32,
}

/// A request that was checked by the server and waits for a person's word.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewed {
    /// What is sent, word for word.
    pub body: RequestTransfer,
    /// What the server says would happen.
    pub preview: Preview,
    /// Where it comes from.
    pub source: Source,
    /// The paying vault's name.
    pub vault_name: String,
    /// The same for every retry.
    pub key: String,
}

/// What the form holds; it survives going back from the review.
#[derive(Clone, Copy)]
pub struct Draft {
    /// The paying vault.
    pub vault: RwSignal<String>,
    /// The chosen source, by its key.
    pub source: RwSignal<String>,
    /// To whom.
    pub to: RwSignal<String>,
    /// How much, as typed.
    pub amount: RwSignal<String>,
    /// A note.
    pub memo: RwSignal<String>,
    /// The integrator's own id.
    pub external: RwSignal<String>,
    /// What is wrong with which field.
    pub wrong: RwSignal<Vec<(&'static str, String)>>,
    /// What the server refused beyond fields.
    pub trouble: RwSignal<Option<Trouble>>,
    /// Whether the server is being asked.
    pub busy: RwSignal<bool>,
    /// The checked request.
    pub reviewed: RwSignal<Option<Reviewed>>,
    /// The chosen vault, as it is now.
    pub detail: Panel<Option<vault::VaultVault>>,
    /// The vaults one can choose from.
    pub vaults: Panel<vaults::VaultsVaults>,
    /// Recipients of earlier transfers.
    pub known: Panel<known::KnownTransfers>,
}

impl Draft {
    fn new(app: App) -> Self {
        let chosen = app
            .place
            .query
            .with_untracked(|q| q.get("vault").unwrap_or_default().to_owned());
        let vault = RwSignal::new(chosen);
        Self {
            vault,
            source: RwSignal::new(String::new()),
            to: RwSignal::new(String::new()),
            amount: RwSignal::new(String::new()),
            memo: RwSignal::new(String::new()),
            external: RwSignal::new(String::new()),
            wrong: RwSignal::new(Vec::new()),
            trouble: RwSignal::new(None),
            busy: RwSignal::new(false),
            reviewed: RwSignal::new(None),
            detail: read_vault(app, vault),
            vaults: read_vaults(),
            known: read_known(),
        }
    }

    /// What is wrong with a field.
    pub fn wrong_with(self, name: &'static str) -> Option<String> {
        self.wrong.with(|wrong| {
            wrong
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, text)| text.clone())
        })
    }

    /// Where the chosen vault can send from.
    pub fn sources(self) -> Vec<Source> {
        let app = App::here();
        self.detail.data.with(|found| {
            let Some(Some(vault)) = found else {
                return Vec::new();
            };
            app.chains.with(|chains| sources(vault, chains))
        })
    }

    /// The chosen source; the only one, when there is just one.
    pub fn chosen(self) -> Option<Source> {
        let all = self.sources();
        let wanted = self.source.get();
        let found = all.iter().find(|s| s.key() == wanted).cloned();
        found.or_else(|| all.into_iter().next().filter(|_| wanted.is_empty()))
    }

    /// Every recipient that is one's own or was paid before.
    pub fn known_recipients(self) -> Vec<Known> {
        let paid = self.known.data.with(|k| {
            let nodes = k.iter().flat_map(|page| &page.nodes);
            nodes
                .map(|t| Known {
                    address: t.destination.clone(),
                    own: None,
                })
                .collect::<Vec<_>>()
        });
        let own = self.vaults.data.with(|v| {
            let vaults = v.iter().flat_map(|page| &page.nodes);
            let addresses = vaults.flat_map(|v| {
                v.accounts
                    .iter()
                    .filter_map(|a| a.address.clone().map(|x| (x, v.name.clone())))
            });
            addresses
                .map(|(address, name)| Known {
                    address,
                    own: Some(name),
                })
                .collect::<Vec<_>>()
        });
        own.into_iter().chain(paid).collect()
    }
}

fn sources(vault: &vault::VaultVault, chains: &[crate::graphql::frame::FrameChains]) -> Vec<Source> {
    let open = vault.accounts.iter().filter(|a| a.address.is_some());
    open.flat_map(|account| {
        let assets = chains
            .iter()
            .filter(|c| c.id == account.chain.id)
            .flat_map(|c| &c.assets);
        assets.map(|asset| {
            let held = vault
                .balances
                .iter()
                .find(|b| b.account_id == account.id && b.asset == asset.id);
            Source {
                account: account.id.clone(),
                chain: account.chain.id.clone(),
                chain_name: account.chain.name.clone(),
                asset: asset.id.clone(),
                symbol: asset.symbol.clone(),
                decimals: asset.decimals,
                held: held.map_or(Amount::ZERO, |b| b.minor),
            }
        })
    })
    .collect()
}

fn read_vault(app: App, chosen: RwSignal<String>) -> Panel<Option<vault::VaultVault>> {
    let panel = Panel::new(move || {
        let id = chosen.get();
        if id.is_empty() {
            return Box::pin(async { Ok(None) });
        }
        let variables = vault::Variables {
            id,
            at_least: app.token.get_untracked(),
            as_of: None,
        };
        let answer = request::ask::<_, vault::ResponseData>(vault::QUERY, vault::OPERATION_NAME, variables);
        Box::pin(async move { answer.await.map(|data| data.vault) })
    });
    Effect::new(move |_| {
        // A balance that changes while the form is filled in is the balance the form must know.
        let mine = app.event.with(|e| {
            let event = e.as_ref().filter(|e| e.type_.starts_with("account."));
            event.is_some_and(|e| e.vault_id.as_ref() == Some(&chosen.get_untracked()))
        });
        if mine {
            panel.reload();
        }
    });
    panel
}

fn read_vaults() -> Panel<vaults::VaultsVaults> {
    Panel::new(|| {
        let variables = vaults::Variables {
            first: VAULTS,
            after: None,
            sort: vaults::VaultSort::name,
            status: None,
            name_prefix: None,
            at_least: None,
        };
        let answer =
            request::ask::<_, vaults::ResponseData>(vaults::QUERY, vaults::OPERATION_NAME, variables);
        Box::pin(async move { answer.await.map(|data| data.vaults) })
    })
}

fn read_known() -> Panel<known::KnownTransfers> {
    Panel::new(|| {
        let variables = known::Variables { first: KNOWN };
        let answer = request::ask::<_, known::ResponseData>(known::QUERY, known::OPERATION_NAME, variables);
        Box::pin(async move { answer.await.map(|data| data.transfers) })
    })
}

/// The page.
pub fn new_transfer() -> AnyView {
    let app = App::here();
    let draft = Draft::new(app);
    let title = move || {
        let reviewing = draft.reviewed.with(Option::is_some);
        say(if reviewing {
            Word::ReviewTitle
        } else {
            Word::NewTransfer
        })
        .to_owned()
    };
    let reviewing = Memo::new(move |_| draft.reviewed.with(Option::is_some));
    let content = move || match reviewing.get() {
        true => draft
            .reviewed
            .get_untracked()
            .map(|r| review::review(app, draft, r)),
        false => Some(show(draft.vaults, move |vaults| form::form(app, draft, vaults))),
    };
    view! { {head(Signal::derive(title), ().into_any())}{content} }.into_any()
}
