//! The quarantine of a view, for operators: which streams it could not fold, from which event on, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::Uri;
use vaultstream_client::{Page, ParkedStream};
use vaultstream_event_schemas::ErrorCode;
use vaultstream_gateway::ApiError;
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::query::Params;
use vaultstream_projectors::ViewName;

use super::Site;
use super::fresh::refused;

/// What is repeated of a name that does not exist.
const MAX_NAMED: usize = 64;

pub(super) async fn list(
    State(site): State<Arc<Site>>,
    asked: Asked,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Page<ParkedStream>>, ApiError> {
    asked.platform_only(site.platform)?;
    let params = Params::read(asked.operation, &uri)?;
    let named = |text: &str| text.chars().take(MAX_NAMED).collect::<String>();
    let view = ViewName::ALL.into_iter().find(|view| view.as_str() == name);
    let view = view.ok_or_else(|| {
        let detail = format!("there is no view `{}`", named(&name));
        ApiError::field(ErrorCode::NotFound, In::Request, "view", detail)
    })?;
    let registry = site.services.log.registry();
    let mut families = view.families(&registry);
    let family = params.get("family");
    if let Some(family) = family {
        families.retain(|known| known.to_string() == family);
        if families.is_empty() {
            let detail = format!("view {view} has no store in family `{}`", named(family));
            return Err(ApiError::field(
                ErrorCode::InvalidField,
                In::Request,
                "family",
                detail,
            ));
        }
    }
    let list = format!("quarantine {view} {}", family.unwrap_or_default());
    let mac = &site.services.mac;
    let after = params.get("cursor").map(|text| mac.open_cursor(&list, text));
    let after = after.transpose().map_err(|_| {
        let detail = "the cursor is not of this list with these filters; begin again without it";
        ApiError::field(ErrorCode::CursorInvalid, In::Request, "cursor", detail)
    })?;
    let reads = &site.services.reads;
    let parked = reads.parked(view, &families, after.as_deref(), params.limit()?);
    let page = parked.await.map_err(refused)?;
    let items = page.rows.into_iter().map(|(family, row)| ParkedStream {
        stream: row.event.stream.to_string(),
        family: family.to_string(),
        shard: row.shard.0,
        event: row.event.to_string(),
        event_type: row.event_type,
        event_version: row.version,
        position: row.position,
        waiting: row.parked,
        reason: row.reason,
    });
    Ok(Json(Page {
        items: items.collect(),
        next_cursor: page.next.map(|next| mac.seal_cursor(&list, &next)),
    }))
}
