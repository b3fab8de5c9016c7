//! Leads from an execution to the transfer it carries out.

use super::unknown::absent;
use crate::graphql::execution::{self, ExecutionNode};
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
        panel.data.with(|data| {
            if let Some(ExecutionNode::Execution(found)) = data.as_ref().and_then(|d| d.node.as_ref())
                && let Some(id) = found.transfer_ids.first()
            {
                app.place.replace(&format!("/transfers/{id}"));
            }
        });
    });
    let content = |data: &execution::ResponseData| match data.node {
        Some(ExecutionNode::Execution(_)) => ().into_any(),
        _ => absent(),
    };
    view! {
        {head_of(Word::HitExecution, ().into_any())}
        <section class="card">{show(panel, content)}</section>
    }
    .into_any()
}
