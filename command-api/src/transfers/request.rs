//! Requesting a transfer.
//!
//! Checked first: form, names, address, amount, then everything the domain would refuse, by a rehearsal, so that a bad
//! request changes nothing. Then the claim, then the external id's claim, then the transfer. The rehearsal is left out
//! while the account was seen a moment ago to be able to spend the amount; should that have changed, the use case still
//! refuses, and only the claim remains.
//!
//! The answer is a function of the request and of where its one event stands, so every retry gets the same bytes.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};
use vaultstream_client::{FeeEstimate, RequestTransfer as Body, TransferAccepted, TransferPreview};
use vaultstream_domain::State as Folded;
use vaultstream_domain::execution::{Slots, spendable};
use vaultstream_domain::organization::OrganizationState;
use vaultstream_domain::ports::keyring;
use vaultstream_domain::transfer::{RequestTransfer, TransferState};
use vaultstream_domain::vault::Account;
use vaultstream_event_schemas::chain::{ChainSettings, Intent as ChainIntent};
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::transfer::v1::{Memo, Requested};
use vaultstream_event_schemas::{Amount, AssetId, ErrorCode, TransferId, TransferStatus};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::query::Params;
use vaultstream_gateway::{ApiError, JsonBody, directory};
use vaultstream_kernel::Committed;

use super::payer::{Payer, payer};
use crate::answer::{Head, answer};
use crate::intent::{Intent, external_id_claim};
use crate::services::Services;
use crate::{chain_rules, quotes, text};

/// A day.
const DEFAULT_EXPIRES_IN: u64 = 24 * 3600;

/// A request whose every field has been understood.
struct Understood<'a> {
    chain: &'a ChainSettings,
    asset: AssetId,
    amount: Amount,
    fee_max: Option<Amount>,
    destination: String,
    payer: Payer,
    expires_in: i64,
}

pub(super) async fn request(
    State(services): State<Arc<Services>>,
    asked: Asked,
    headers: HeaderMap,
    uri: Uri,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, ApiError> {
    let dry_run = body.dry_run.unwrap_or(false) || Params::read(asked.operation, &uri)?.flag("dryRun")?;
    if dry_run {
        let understood = understand(&services, &asked, &body).await?;
        return preview(&services, &asked, &understood).await;
    }
    // Personal data leaves no hash behind either: it would tell whoever guesses it that the guess is right.
    let impersonal = Body {
        memo: None,
        ..body.clone()
    };
    let intent = Intent::read(&services, &asked, &headers, "", &impersonal)?;
    let _seat = services.seat().await?;
    match take(&services, &asked, &intent, &body).await {
        // Whatever has become of a vault or a chain since, and whoever came first a moment ago: a retry gets its answer.
        Err(refusal) => answered_before(&services, &intent).await?.ok_or(refusal),
        answer => answer,
    }
}

async fn take(
    services: &Services,
    asked: &Asked,
    intent: &Intent,
    body: &Body,
) -> Result<Response, ApiError> {
    services.may_sign()?;
    let understood = understand(services, asked, body).await?;
    let transfer = TransferId::from_uuid(intent.id(services, "transfer", understood.payer.account.shard()));
    let use_case = use_case(services, asked, transfer, &understood, body.external_id.clone())?;
    let external = match &body.external_id {
        Some(id) => Some(external_id_claim(
            services,
            asked,
            intent,
            id,
            transfer.to_string(),
        )?),
        None => None,
    };
    let known = services.could_just_spend(understood.payer.account, &understood.asset, understood.amount);
    if (!known || external.is_some()) && born(services, transfer).await?.is_none() {
        let rehearsed = services
            .rehearse(asked, intent.command, Arc::new(use_case.clone()))
            .await?;
        remember(services, &understood, &rehearsed);
        if let Some(external) = &external {
            services
                .rehearse(asked, intent.command, Arc::new(external.clone()))
                .await?;
        }
    }
    let bound = intent.bind(services, asked, transfer.to_string()).await?;
    if bound && let Some(born) = born(services, transfer).await? {
        return accepted(services, intent, transfer, understood.payer, (born, true));
    }
    if let Some(external) = external {
        services.execute(asked, intent.command, external).await?;
    }
    let use_case = with_memo(services, use_case, body).await?;
    commit(services, asked, intent, &understood, use_case).await
}

/// Makes the transfer.
async fn commit(
    services: &Services,
    asked: &Asked,
    intent: &Intent,
    understood: &Understood<'_>,
    use_case: RequestTransfer,
) -> Result<Response, ApiError> {
    let transfer = use_case.transfer;
    let committed = services.execute(asked, intent.command, use_case).await?;
    remember(services, understood, &committed);
    match place_of(&committed, transfer) {
        Some(place) => accepted(services, intent, transfer, understood.payer, (place, false)),
        None => {
            let born = born(services, transfer).await?;
            let born = born.ok_or_else(|| ApiError::new(ErrorCode::Internal))?;
            accepted(services, intent, transfer, understood.payer, (born, true))
        }
    }
}

/// Reads every field; refuses with all that are wrong.
async fn understand<'a>(
    services: &'a Services,
    asked: &Asked,
    body: &Body,
) -> Result<Understood<'a>, ApiError> {
    let mut refusals = Vec::new();
    let mut note = |result: Result<(), ApiError>| refusals.extend(result.err());
    note(body.external_id.as_deref().map_or(Ok(()), text::external_id));
    note(body.memo.as_deref().map_or(Ok(()), text::memo));
    let expires_in = expires_in(body.expires_in).map_err(|e| note(Err(e)));
    let amount = text::amount("amount", &body.amount).map_err(|e| note(Err(e)));
    let fee_max = body
        .fee_max
        .as_deref()
        .map(|t| text::amount("feeMax", t))
        .transpose()
        .map_err(|e| note(Err(e)));
    let asset = services
        .parts
        .catalogue
        .named_asset(In::Body, "asset", &body.asset)
        .map_err(|e| note(Err(e)));
    let destination = match asset {
        Err(()) => Err(()),
        Ok((chain, _)) => chain_rules::destination(chain, &body.destination).map_err(|refusal| {
            note(Err(ApiError::field(
                refusal.code,
                In::Body,
                "destination",
                refusal.detail,
            )));
        }),
    };
    if let (Ok((chain, asset)), Ok(amount), Ok(fee_max), Ok(destination), Ok(expires_in), true) = (
        asset,
        amount,
        fee_max,
        destination,
        expires_in,
        refusals.is_empty(),
    ) {
        let payer = payer(services, asked.principal()?.organization, body, &chain.id).await?;
        let asset = asset.id.clone();
        return Ok(Understood {
            chain,
            asset,
            amount,
            fee_max,
            destination,
            payer,
            expires_in,
        });
    }
    Err(ApiError::all(refusals).unwrap_or_else(|| ApiError::new(ErrorCode::Internal)))
}

/// The domain wants at least a minute at the moment of its decision, so a request has to ask for a little more.
fn expires_in(seconds: Option<u64>) -> Result<i64, ApiError> {
    match seconds.unwrap_or(DEFAULT_EXPIRES_IN) {
        seconds @ 120..=2_592_000 => Ok(i64::try_from(seconds).unwrap_or(i64::MAX)),
        _ => {
            let detail = "expiresIn is 120 to 2592000 seconds";
            Err(ApiError::field(
                ErrorCode::InvalidField,
                In::Body,
                "expiresIn",
                detail,
            ))
        }
    }
}

fn use_case(
    services: &Services,
    asked: &Asked,
    transfer: TransferId,
    understood: &Understood<'_>,
    external_id: Option<String>,
) -> Result<RequestTransfer, ApiError> {
    let request = Requested {
        account: understood.payer.account,
        amount: understood.amount,
        asset: understood.asset.clone(),
        destination: understood.destination.clone(),
        expires_at: services.now().plus_seconds(understood.expires_in),
        external_id,
        fee_max: understood.fee_max,
        memo: None,
        vault: understood.payer.vault,
    };
    Ok(RequestTransfer {
        transfer,
        organization: asked.principal()?.organization,
        request,
    })
}

/// Seals the memo last: whatever is refused leaves no key behind.
async fn with_memo(
    services: &Services,
    mut use_case: RequestTransfer,
    body: &Body,
) -> Result<RequestTransfer, ApiError> {
    if let Some(memo) = &body.memo {
        let subject = use_case.transfer.to_string();
        let sealed = keyring::seal(&*services.parts.keyring, &subject, &Memo(memo.clone())).await?;
        use_case.request.memo = Some(sealed);
    }
    Ok(use_case)
}

/// Where the transfer's first event stands, when it exists.
async fn born(services: &Services, transfer: TransferId) -> Result<Option<Place>, ApiError> {
    let first = services
        .log()
        .read_stream(transfer.into(), 0, 1)
        .await?
        .into_iter()
        .next();
    match first {
        Some(first) => Ok(Some(present(services, transfer, first.position).await?)),
        None => Ok(None),
    }
}

async fn present(services: &Services, transfer: TransferId, position: u64) -> Result<Place, ApiError> {
    services.present(transfer.shard(), position).await
}

/// The first answer to this very request, when its transfer was made.
async fn answered_before(services: &Services, intent: &Intent) -> Result<Option<Response>, ApiError> {
    let Some(resource) = intent.bound_before(services).await? else {
        return Ok(None);
    };
    let Ok(transfer) = resource.parse::<TransferId>() else {
        return Ok(None);
    };
    let Some(known) = directory::read(services.log(), transfer.into()).await? else {
        return Ok(None);
    };
    let Folded::Transfer(TransferState {
        request: Some(request),
        ..
    }) = &known.state
    else {
        return Ok(None);
    };
    let payer = Payer {
        account: request.account,
        vault: request.vault,
    };
    let born = present(services, transfer, known.born.position).await?;
    accepted(services, intent, transfer, payer, (born, true)).map(Some)
}

fn place_of(committed: &Committed, transfer: TransferId) -> Option<Place> {
    let event = committed
        .events
        .iter()
        .find(|e| e.stream == transfer.stream() && e.sequence == 1)?;
    let shard = committed.positions.0.get(&transfer.shard())?;
    Some(Place {
        incarnation: shard.incarnation,
        position: event.position,
    })
}

fn accepted(
    services: &Services,
    intent: &Intent,
    transfer: TransferId,
    payer: Payer,
    (born, replayed): (Place, bool),
) -> Result<Response, ApiError> {
    let token = services.token(&Positions::one(transfer.shard(), born));
    let head = Head {
        status: StatusCode::ACCEPTED,
        command: Some(intent.command),
        token: Some(&token),
        location: Some(format!("/v1/commands/{}", intent.command)),
        replayed,
        ..Head::default()
    };
    let body = TransferAccepted {
        id: transfer,
        status: TransferStatus::Requested,
        vault_id: payer.vault,
        account_id: payer.account,
        token: token.clone(),
    };
    answer(&head, &body)
}

fn spendable_in(committed: &Committed, understood: &Understood<'_>) -> Amount {
    let account = understood.payer.account;
    let state = committed.states.get::<Account>(account);
    spendable(
        state,
        committed.states.get::<Slots>(account.slots()),
        &understood.asset,
    )
}

fn remember(services: &Services, understood: &Understood<'_>, committed: &Committed) {
    let spendable = spendable_in(committed, understood);
    services.saw_spendable(understood.payer.account, &understood.asset, spendable);
}

async fn preview(
    services: &Services,
    asked: &Asked,
    understood: &Understood<'_>,
) -> Result<Response, ApiError> {
    let intent = Intent::unclaimed(services);
    let transfer = TransferId::from_uuid(intent.id(services, "transfer", understood.payer.account.shard()));
    let organization = asked.principal()?.organization;
    let rehearsal = use_case(services, asked, transfer, understood, None)?;
    let rehearsed = services
        .rehearse(asked, intent.command, Arc::new(rehearsal))
        .await?;
    let source = rehearsed
        .states
        .get::<Account>(understood.payer.account)
        .address
        .clone()
        .unwrap_or_default();
    let known = services.parts.directory.get(organization.into()).await?;
    let approval = known.as_ref().and_then(|k| match &k.state {
        Folded::Organization(OrganizationState { approval, .. }) => *approval,
        _ => None,
    });
    let catalogue = &services.parts.catalogue;
    let body = TransferPreview {
        vault_id: understood.payer.vault,
        account_id: understood.payer.account,
        fee: fee(services, understood, &source).await?,
        source,
        destination: understood.destination.clone(),
        amount: catalogue.amount(&understood.asset, understood.amount),
        balance: catalogue.amount(&understood.asset, spendable_in(&rehearsed, understood)),
        approvals_needed: u32::from(approval == Some(Approval::One)),
    };
    answer(
        &Head {
            status: StatusCode::OK,
            ..Head::default()
        },
        &body,
    )
}

/// What the network would charge; nothing while its node does not answer. A transfer that would fail on chain or cost more
/// than its cap is refused here already.
async fn fee(
    services: &Services,
    understood: &Understood<'_>,
    source: &str,
) -> Result<Option<FeeEstimate>, ApiError> {
    use vaultstream_domain::ports::chain_node::NodeError;
    let Some(node) = services.parts.nodes.get(&understood.chain.id) else {
        return Ok(None);
    };
    let intent = ChainIntent {
        amount: understood.amount,
        asset: understood.asset.clone(),
        destination: understood.destination.clone(),
        source: source.to_owned(),
    };
    let work = match node.estimate_work(&intent).await {
        Ok(work) => work,
        Err(NodeError::Refused(why)) => {
            return Err(ApiError::field(
                ErrorCode::RevertedOnChain,
                In::Body,
                "destination",
                why,
            ));
        }
        Err(_) => return Ok(None),
    };
    let head = services.parts.heads.head(&understood.chain.id);
    let tip = head.as_ref().map(|head| head.tip.at.hash.as_str());
    let quote = quotes::at(&services.parts.kept, &understood.chain.id, tip, node.quote_fee());
    let Ok(quote) = quote.await else {
        return Ok(None);
    };
    let Some((expected, max)) = chain_rules::fee_of(understood.chain, &quote, work) else {
        return Ok(None);
    };
    if let Some(cap) = understood.fee_max.filter(|cap| *cap < max) {
        let detail = format!("the network may charge up to {max}, the cap is {cap}");
        return Err(ApiError::field(
            ErrorCode::FeeCapExceeded,
            In::Body,
            "feeMax",
            detail,
        ));
    }
    let native = |minor| {
        services
            .parts
            .catalogue
            .native_amount(&understood.chain.id, minor)
    };
    Ok(native(expected)
        .zip(native(max))
        .map(|(expected, max)| FeeEstimate { expected, max }))
}
