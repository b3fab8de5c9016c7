//! Single resources.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Uri};
use vaultstream_event_schemas::{
    AccountId, ApiKeyId, ErrorCode, OrganizationId, StreamId, TransferId, VaultId,
};
use vaultstream_gateway::directory::Known;
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::preconditions::{Tag, tagged};
use vaultstream_gateway::query::Params;
use vaultstream_gateway::resource::{self, not_found, owned, path_id};
use vaultstream_gateway::{ApiError, directory};

use super::{Site, past};

type Answer = Result<Response, ApiError>;
type At = State<Arc<Site>>;

/// Reads the query, and answers `asOf`. A token is checked and then needs no waiting: what is folded here is the log itself.
fn checked(site: &Site, asked: &Asked, uri: &Uri) -> Result<Option<String>, ApiError> {
    let params = Params::read(asked.operation, uri)?;
    let as_of = params.get("asOf").map(str::to_owned);
    if site.at_least(&params)?.is_some() && as_of.is_some() {
        let detail = "asOf asks for the past and atLeast for the present; give one of them";
        return Err(ApiError::field(
            ErrorCode::InvalidField,
            In::Request,
            "asOf",
            detail,
        ));
    }
    Ok(as_of)
}

/// A checked request for the resource that the path names.
pub(super) struct Single {
    site: Arc<Site>,
    asked: Asked,
    id: String,
    as_of: Option<String>,
    headers: HeaderMap,
}

impl FromRequestParts<Arc<Site>> for Single {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, ApiError> {
        let asked = Asked::from_request_parts(parts, site).await?;
        let as_of = checked(site, &asked, &parts.uri)?;
        // A path that is no text names nothing there is.
        let Path(id) = Path::<String>::from_request_parts(parts, site)
            .await
            .map_err(|_| not_found())?;
        Ok(Self {
            site: Arc::clone(site),
            asked,
            id,
            as_of,
            headers: parts.headers.clone(),
        })
    }
}

impl Single {
    /// The question about the past, when it is one.
    fn past(&self) -> Result<Option<past::Question<'_>>, ApiError> {
        let Some(as_of) = &self.as_of else {
            return Ok(None);
        };
        Ok(Some(past::Question {
            site: &self.site,
            organization: self.asked.principal()?.organization,
            id: &self.id,
            as_of,
        }))
    }

    /// The resource, when the caller's organization owns it.
    async fn owned<I: FromStr + Into<StreamId>>(&self) -> Result<Known, ApiError> {
        let id: I = path_id(&self.id)?;
        owned(&*self.site.services.log, id, self.asked.principal()?.organization).await
    }
}

pub(super) async fn organization(single: Single) -> Answer {
    let id: OrganizationId = path_id(&single.id)?;
    let own = single.asked.principal()?.organization;
    if id != own && own != single.site.platform {
        return Err(not_found());
    }
    let known = directory::read(&*single.site.services.log, id.into())
        .await?
        .ok_or_else(not_found)?;
    let body = resource::organization(&known)?;
    tagged(&single.headers, Tag::Version(known.version), &body)
}

pub(super) async fn api_key(single: Single) -> Answer {
    let known = single.owned::<ApiKeyId>().await?;
    let body = resource::api_key(&known, single.site.services.clock.now())?;
    tagged(&single.headers, Tag::Whole(known.version), &body)
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

pub(super) async fn vault(single: Single) -> Answer {
    if let Some(past) = single.past()? {
        return past.vault().await;
    }
    let known = single.owned::<VaultId>().await?;
    let body = resource::vault(&*single.site.services.log, &known).await?;
    tagged(&single.headers, Tag::Whole(known.version), &body)
}

pub(super) async fn account(single: Single) -> Answer {
    if let Some(past) = single.past()? {
        return past.account().await;
    }
    let known = single.owned::<AccountId>().await?;
    let body = resource::account(&known, &single.site.catalogue)?;
    tagged(&single.headers, Tag::Version(known.version), &body)
}

pub(super) async fn transfer(single: Single) -> Answer {
    if let Some(past) = single.past()? {
        return past.transfer().await;
    }
    let id: TransferId = path_id(&single.id)?;
    let organization = single.asked.principal()?.organization;
    let body = resource::transfer(single.site.transfer_sources(), id, organization).await?;
    tagged(&single.headers, Tag::Whole(body.version), &body)
}
