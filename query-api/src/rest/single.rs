//! Single resources.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use vaultstream_event_schemas::{AccountId, ApiKeyId, ErrorCode, OrganizationId, TransferId, VaultId};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::preconditions::{Tag, tagged};
use vaultstream_gateway::query::Params;
use vaultstream_gateway::resource::{self, not_found, owned, path_id};
use vaultstream_gateway::{ApiError, directory};

use super::Site;

type Answer = Result<Response, ApiError>;
type At = State<Arc<Site>>;

/// Reads the query. A token is checked and then needs no waiting: what is folded here is the log itself.
fn checked(site: &Site, asked: &Asked, uri: &Uri) -> Result<(), ApiError> {
    let params = Params::read(asked.operation, uri)?;
    site.at_least(&params).map(|_| ())
}

pub(super) async fn organization(
    State(site): At,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Answer {
    checked(&site, &asked, &uri)?;
    let id: OrganizationId = path_id(&id)?;
    let own = asked.principal()?.organization;
    if id != own && own != site.platform {
        return Err(not_found());
    }
    let known = directory::read(&*site.services.log, id.into())
        .await?
        .ok_or_else(not_found)?;
    tagged(
        &headers,
        Tag::Version(known.version),
        &resource::organization(&known)?,
    )
}

pub(super) async fn api_key(
    State(site): At,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Answer {
    checked(&site, &asked, &uri)?;
    let id: ApiKeyId = path_id(&id)?;
    let known = owned(&*site.services.log, id, asked.principal()?.organization).await?;
    let body = resource::api_key(&known, site.services.clock.now())?;
    tagged(&headers, Tag::Whole(known.version), &body)
}

pub(super) async fn current_session(State(site): At, asked: Asked, headers: HeaderMap, uri: Uri) -> Answer {
    checked(&site, &asked, &uri)?;
    let principal = asked.principal()?;
    let Some(session) = principal.session else {
        let detail = "the request came with an API key, which has no session";
        return Err(ApiError::new(ErrorCode::NotFound).detail(detail));
    };
    let known = owned(&*site.services.log, session, principal.organization).await?;
    let body = resource::session(&known, site.services.clock.now())?;
    tagged(&headers, Tag::Whole(known.version), &body)
}

pub(super) async fn vault(
    State(site): At,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Answer {
    checked(&site, &asked, &uri)?;
    let id: VaultId = path_id(&id)?;
    let known = owned(&*site.services.log, id, asked.principal()?.organization).await?;
    let body = resource::vault(&*site.services.log, &known).await?;
    tagged(&headers, Tag::Whole(known.version), &body)
}

pub(super) async fn account(
    State(site): At,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Answer {
    checked(&site, &asked, &uri)?;
    let id: AccountId = path_id(&id)?;
    let known = owned(&*site.services.log, id, asked.principal()?.organization).await?;
    tagged(
        &headers,
        Tag::Version(known.version),
        &resource::account(&known, &site.catalogue)?,
    )
}

pub(super) async fn transfer(
    State(site): At,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Answer {
    checked(&site, &asked, &uri)?;
    let id: TransferId = path_id(&id)?;
    let organization = asked.principal()?.organization;
    let body = resource::transfer(site.transfer_sources(), id, organization).await?;
    tagged(&headers, Tag::Whole(body.version), &body)
}
