//! Chains, address checks, and the faucets of sandbox chains.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use vaultstream_client::{AddressCheck, Chain, CheckAddress, FaucetPayment, FaucetRequest, Page};
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_gateway::error::In;
use vaultstream_gateway::resource::not_found;
use vaultstream_gateway::{ApiError, JsonBody, Routes, catalogue};

use crate::services::Services;
use crate::{chain_rules, text};

type Site = State<Arc<Services>>;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes
        .on("listChains", list)
        .on("checkAddress", check)
        .on("askFaucet", faucet)
}

async fn list(State(services): Site) -> Json<Page<Chain>> {
    let items = services
        .parts
        .catalogue
        .chains()
        .iter()
        .map(catalogue::rendered)
        .collect();
    Json(Page {
        items,
        next_cursor: None,
    })
}

async fn check(
    State(services): Site,
    JsonBody(body): JsonBody<CheckAddress>,
) -> Result<Json<AddressCheck>, ApiError> {
    let chain = services
        .parts
        .catalogue
        .named_chain(In::Body, "chain", &body.chain)?;
    Ok(Json(match chain_rules::destination(chain, &body.address) {
        Ok(address) => AddressCheck {
            valid: true,
            address: Some(address),
            code: None,
            detail: None,
        },
        Err(refusal) => AddressCheck {
            valid: false,
            address: None,
            code: Some(refusal.code),
            detail: Some(refusal.detail),
        },
    }))
}

async fn faucet(
    State(services): Site,
    Path(slug): Path<String>,
    JsonBody(body): JsonBody<FaucetRequest>,
) -> Result<(StatusCode, Json<FaucetPayment>), ApiError> {
    let chain = services
        .parts
        .catalogue
        .by_slug(&slug)
        .filter(|chain| chain.sandbox)
        .ok_or_else(not_found)?;
    let faucet = services.parts.faucets.get(&chain.id).ok_or_else(not_found)?;
    let amount = text::amount("amount", &body.amount)?;
    let address = chain_rules::destination(chain, &body.address)
        .map_err(|refusal| ApiError::field(refusal.code, In::Body, "address", refusal.detail))?;
    let most = services.parts.options.faucet_max;
    if amount > most {
        let detail = format!("the faucet gives at most {most} minor units at once");
        return Err(ApiError::field(
            ErrorCode::FaucetLimit,
            In::Body,
            "amount",
            detail,
        ));
    }
    faucet.fund(&address, amount).await.map_err(|error| match error {
        NodeError::Refused(why) => ApiError::new(ErrorCode::FaucetLimit).detail(why),
        error => ApiError::new(ErrorCode::ChainUnavailable)
            .retry_after(1)
            .caused_by(error),
    })?;
    Ok((
        StatusCode::ACCEPTED,
        Json(FaucetPayment {
            address,
            chain: chain.id.clone(),
            amount,
        }),
    ))
}
