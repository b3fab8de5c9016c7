//! Lists: keyset pages of the views.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Uri, header};
use serde::Serialize;
use vaultstream_client::{ApiKey, Organization, Page, Session, Transfer, Vault};
use vaultstream_event_schemas::status::{TransferStatus, VaultStatus};
use vaultstream_event_schemas::{ErrorCode, OrganizationId, VaultId};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::query::Params;
use vaultstream_gateway::resource::{self, not_found};
use vaultstream_gateway::{ApiError, directory};
use vaultstream_projectors::ViewName;
use vaultstream_projectors::read::{self, PageRequest, TransferFilter, TransferSort, VaultFilter, VaultSort};

use super::fresh::refused;
use super::{Site, rows};
use crate::answers::{Question, Slot};
use crate::schema::Touches;

type Listed<T> = Result<Json<Page<T>>, ApiError>;
type At = State<Arc<Site>>;

/// A request for a page, and the name its cursors are sealed for.
struct Wanted {
    params: Params,
    page: PageRequest,
    list: String,
}

impl Site {
    async fn wanted(&self, asked: &Asked, uri: &Uri, views: &[ViewName]) -> Result<Wanted, ApiError> {
        let params = Params::read(asked.operation, uri)?;
        let mut list = format!("{} {}", asked.operation.id, asked.principal()?.organization);
        for filter in asked
            .operation
            .query
            .iter()
            .filter(|q| !matches!(**q, "limit" | "cursor" | "atLeast"))
        {
            if let Some(value) = params.get(filter) {
                // Writing to a String cannot fail. The length keeps two filters from reading as one.
                let _ = write!(list, " {filter}={}:{value}", value.len());
            }
        }
        let limit = params.limit()?;
        let after = params
            .get("cursor")
            .map(|text| self.services.mac.open_cursor(&list, text))
            .transpose();
        let after = after.map_err(|_| {
            let detail = "the cursor is not of this list with these filters; begin again without it";
            ApiError::field(ErrorCode::CursorInvalid, In::Request, "cursor", detail)
        })?;
        self.wait(&params, views).await?;
        Ok(Wanted {
            params,
            page: PageRequest { after, limit },
            list,
        })
    }

    /// A page as it was answered before, while nothing that it was read from has moved; else as it is made now.
    async fn kept<T: Serialize>(
        &self,
        organization: OrganizationId,
        wanted: &Wanted,
        touches: Touches,
        make: impl Future<Output = Listed<T>> + Send,
    ) -> Result<Response, ApiError> {
        let question = Question::new("rest", organization, touches)
            .part(wanted.list.as_str())
            .part(wanted.page.limit.to_be_bytes())
            .part(wanted.page.after.clone().unwrap_or_default());
        let slot = Slot::open(&self.services, question).await;
        if let Some(slot) = &slot
            && let Some(body) = slot.find().await
        {
            return Ok(as_json(body));
        }
        let Json(page) = make.await?;
        let body =
            serde_json::to_vec(&page).map_err(|error| ApiError::new(ErrorCode::Internal).caused_by(error))?;
        if let Some(slot) = slot {
            slot.keep(&body).await;
        }
        Ok(as_json(body))
    }

    fn page<R, T>(&self, wanted: &Wanted, page: &read::Page<R>, render: impl Fn(&R) -> T) -> Json<Page<T>> {
        let next_cursor = page
            .next
            .as_ref()
            .map(|after| self.services.mac.seal_cursor(&wanted.list, after));
        Json(Page {
            items: page.rows().map(render).collect(),
            next_cursor,
        })
    }
}

fn as_json(body: Vec<u8>) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}

pub(super) async fn organizations(State(site): At, asked: Asked, uri: Uri) -> Listed<Organization> {
    let wanted = site.wanted(&asked, &uri, &[ViewName::Directory]).await?;
    let own = asked.principal()?.organization;
    if own == site.platform {
        let page = site
            .services
            .reads
            .organizations(&wanted.page)
            .await
            .map_err(refused)?;
        return Ok(site.page(&wanted, &page, rows::organization));
    }
    let known = directory::read(&*site.services.log, own.into())
        .await?
        .ok_or_else(not_found)?;
    Ok(Json(Page {
        items: vec![resource::organization(&known)?],
        next_cursor: None,
    }))
}

pub(super) async fn api_keys(State(site): At, asked: Asked, uri: Uri) -> Listed<ApiKey> {
    let wanted = site.wanted(&asked, &uri, &[ViewName::Directory]).await?;
    let organization = asked.principal()?.organization;
    let page = site
        .services
        .reads
        .api_keys(organization, &wanted.page)
        .await
        .map_err(refused)?;
    let now = site.services.clock.now();
    Ok(site.page(&wanted, &page, |row| rows::api_key(row, now)))
}

pub(super) async fn sessions(State(site): At, asked: Asked, uri: Uri) -> Listed<Session> {
    let wanted = site.wanted(&asked, &uri, &[ViewName::Directory]).await?;
    let organization = asked.principal()?.organization;
    let page = site
        .services
        .reads
        .sessions(organization, &wanted.page)
        .await
        .map_err(refused)?;
    let now = site.services.clock.now();
    Ok(site.page(&wanted, &page, |row| rows::session(row, now)))
}

pub(super) async fn vaults(State(site): At, asked: Asked, uri: Uri) -> Result<Response, ApiError> {
    let views = [ViewName::Vaults, ViewName::Balances];
    let wanted = site.wanted(&asked, &uri, &views).await?;
    let organization = asked.principal()?.organization;
    let touches = Touches {
        views: views.into(),
        ..Touches::default()
    };
    let page = vaults_now(&site, organization, &wanted);
    site.kept(organization, &wanted, touches, page).await
}

async fn vaults_now(site: &Site, organization: OrganizationId, wanted: &Wanted) -> Listed<Vault> {
    let filter = VaultFilter {
        status: wanted.params.parsed::<VaultStatus>("status")?,
        tier: None,
        name_prefix: wanted.params.get("name").map(str::to_owned),
    };
    let reads = &site.services.reads;
    let page = reads
        .vaults(organization, &filter, &VaultSort::Newest, &wanted.page)
        .await
        .map_err(refused)?;
    let accounts = page
        .rows()
        .map(|row| reads.accounts_of_vault(organization, row.id));
    let accounts = futures::future::try_join_all(accounts)
        .await
        .map_err(refused)?
        .concat();
    Ok(site.page(wanted, &page, |row| rows::vault(row, &accounts)))
}

pub(super) async fn transfers(State(site): At, asked: Asked, uri: Uri) -> Result<Response, ApiError> {
    let views = [ViewName::Transfers];
    let wanted = site.wanted(&asked, &uri, &views).await?;
    let organization = asked.principal()?.organization;
    // confirmations are counted from the heads
    let touches = Touches {
        views: views.into(),
        heads: true,
        ..Touches::default()
    };
    let page = transfers_now(&site, organization, &wanted);
    site.kept(organization, &wanted, touches, page).await
}

async fn transfers_now(site: &Site, organization: OrganizationId, wanted: &Wanted) -> Listed<Transfer> {
    let filter = TransferFilter {
        vault: wanted.params.parsed::<VaultId>("vaultId")?,
        status: wanted.params.parsed::<TransferStatus>("status")?,
        ..TransferFilter::default()
    };
    let reads = &site.services.reads;
    let page = reads
        .transfers(organization, &filter, TransferSort::Newest, &wanted.page)
        .await
        .map_err(refused)?;
    Ok(site.page(wanted, &page, |row| site.transfer_row(row)))
}
