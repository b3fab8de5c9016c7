//! Leads from an execution to the transfer it carries out.

use super::unknown::absent;
use crate::graphql::execution;
use crate::panel::Panel;
use crate::parts::{head_of, show};
use crate::request;
use crate::state::App;
use crate::words::Word;
use leptos::prelude::*;

/// The page: it is left as soon as the transfer is known.
pub fn execution(id: String) -> AnyView {
    let app = App::here();
    let panel = Panel::new(move || {
        let variables = execution::Variables { id: id.clone() };
        request::ask::<_, execution::ResponseData>(execution::QUERY, execution::OPERATION_NAME, variables)
    });
    Effect::new(move |_| {
        if let Some(id) = panel.data.with(|data| data.as_ref().and_then(carried)) {
            app.place.replace(&format!("/transfers/{id}"));
        }
    });
    let content = |data: &execution::ResponseData| match carried(data) {
        Some(_) => ().into_any(),
        None => absent(),
    };
    view! {
        {head_of(Word::HitExecution, ().into_any())}
        <section class="card">{show(panel, content)}</section>
    }
    .into_any()
}

fn carried(data: &execution::ResponseData) -> Option<String> {
    data.node.as_ref()?.transfer_id.clone()
}
