//! Vaults: create with accounts, rename, add an account.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use futures::future::try_join_all;
use http::{HeaderMap, StatusCode};
use vaultstream_client::{AddAccount as AddBody, ChangeVault as ChangeBody, CreateVault as CreateBody};
use vaultstream_domain::vault::{ChangeVault, CreateVault, RequestAccount, VaultCommand};
use vaultstream_event_schemas::chain::ChainSettings;
use vaultstream_event_schemas::token::Positions;
use vaultstream_event_schemas::vault::v1::{AccountAdded, AccountRequested, Custody, Tier, VaultCreated};
use vaultstream_event_schemas::{
    AccountId, AccountStatus, ChainId, CommandId, ErrorCode, Family, OrganizationId, VaultId, id,
};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::preconditions::{Expected, if_match};
use vaultstream_gateway::resource::{self, owned, path_id};
use vaultstream_gateway::{ApiError, JsonBody, Routes};
use vaultstream_kernel::{Committed, load_state};

use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::prefer::Wait;
use crate::services::Services;

/// The most accounts a vault is created with.
const MAX_FIRST_ACCOUNTS: usize = 16;
/// How often an account that opens is looked at.
const LOOK_EVERY_MS: u64 = 25;

type Answer = Result<Response, ApiError>;
type Site = State<Arc<Services>>;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes
        .on("createVault", create)
        .on("changeVault", change)
        .on("addAccount", add_account)
}

async fn create(
    State(services): Site,
    asked: Asked,
    headers: HeaderMap,
    JsonBody(body): JsonBody<CreateBody>,
) -> Answer {
    let chains = chains(&services, &body.chains)?;
    let organization = asked.principal()?.organization;
    let intent = Intent::read(&services, &asked, &headers, "", &body)?;
    let vault = VaultId::from_uuid(intent.id(&services, "vault", organization.shard()));
    let accounts = chains
        .into_iter()
        .map(|chain| first_account(&services, vault, chain));
    let accounts = accounts.collect::<Result<Vec<_>, ApiError>>()?;
    let use_case = CreateVault {
        vault,
        organization,
        create: VaultCreated {
            name: body.name,
            tier: body.tier.unwrap_or(Tier::Hot),
        },
        accounts: accounts.clone(),
    };
    let mut replayed = exists(&services, vault).await?;
    if intent.is_claimed() && !replayed {
        let rehearsed = services
            .rehearse(&asked, intent.command, Arc::new(use_case.clone()))
            .await;
        replayed = came_first(&intent, rehearsed)?.is_none();
    }
    intent.bind(&services, &asked, vault.to_string()).await?;
    let mut positions = Positions::default();
    if !replayed {
        let created = services.execute(&asked, intent.command, use_case).await;
        match came_first(&intent, created)? {
            Some(committed) => positions = committed.positions,
            None => replayed = true,
        }
    }
    // A request that broke off here before goes on here: asking for an account twice has its effect once.
    let asks = accounts
        .iter()
        .map(|added| request_account(&services, &asked, intent.command, vault, added));
    for committed in try_join_all(asks).await? {
        positions.merge(&committed);
    }
    let waited = Wait::of(&headers);
    wait_until_open(&services, accounts.iter().map(|a| a.account), waited).await?;
    let head = Head {
        status: StatusCode::CREATED,
        command: Some(intent.command),
        replayed,
        waited,
        ..Head::default()
    };
    respond(&services, vault, organization, &positions, head).await
}

/// A duplicate of a claimed request may come first at any moment: what it made is what this one makes.
fn came_first(intent: &Intent, result: Result<Committed, ApiError>) -> Result<Option<Committed>, ApiError> {
    match result {
        Ok(committed) => Ok(Some(committed)),
        Err(error) if error.code() == ErrorCode::AlreadyExists && intent.is_claimed() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn exists(services: &Services, vault: VaultId) -> Result<bool, ApiError> {
    Ok(!services.log().read_stream(vault.into(), 0, 1).await?.is_empty())
}

fn chains<'a>(services: &'a Services, names: &[String]) -> Result<Vec<&'a ChainSettings>, ApiError> {
    if names.len() > MAX_FIRST_ACCOUNTS {
        let detail =
            format!("a vault is created with at most {MAX_FIRST_ACCOUNTS} accounts; add more afterwards");
        return Err(ApiError::field(
            ErrorCode::LimitReached,
            In::Body,
            "chains",
            detail,
        ));
    }
    let mut seen = BTreeSet::new();
    let (mut chains, mut refusals) = (Vec::new(), Vec::new());
    for (index, name) in names.iter().enumerate() {
        let field = format!("chains/{index}");
        match services.parts.catalogue.named_chain(In::Body, &field, name) {
            Ok(chain) if seen.insert(&chain.id) => chains.push(chain),
            Ok(chain) => {
                let detail = format!("{} is named twice; add a second account afterwards", chain.id);
                refusals.push(ApiError::field(ErrorCode::InvalidField, In::Body, &field, detail));
            }
            Err(error) => refusals.push(error),
        }
    }
    ApiError::all(refusals).map_or(Ok(chains), Err)
}

/// The account a vault is born with: its id is a function of the vault and the chain.
fn first_account(
    services: &Services,
    vault: VaultId,
    chain: &ChainSettings,
) -> Result<AccountAdded, ApiError> {
    let bare = id::derived(
        "account",
        &[vault.uuid().as_bytes(), chain.id.as_str().as_bytes()],
    );
    Ok(AccountAdded {
        account: placed(services, vault, chain, bare)?,
        chain: chain.id.clone(),
    })
}

/// An account lives in its chain's shard that the vault's id chooses.
fn placed(
    services: &Services,
    vault: VaultId,
    chain: &ChainSettings,
    bare: uuid::Uuid,
) -> Result<AccountId, ApiError> {
    let shard = services
        .registry
        .place(&Family::Chain(chain.slug.clone()), vault.uuid());
    let missing = || ApiError::new(ErrorCode::Internal).detail(format!("{} has no shard", chain.slug));
    Ok(AccountId::from_uuid(id::with_shard(
        bare,
        shard.ok_or_else(missing)?,
    )))
}

async fn request_account(
    services: &Services,
    asked: &Asked,
    command: CommandId,
    vault: VaultId,
    added: &AccountAdded,
) -> Result<Positions, ApiError> {
    let request = AccountRequested {
        chain: added.chain.clone(),
        custody: Custody::Software,
        vault,
    };
    let organization = asked.principal()?.organization;
    let use_case = RequestAccount {
        account: added.account,
        organization,
        request,
    };
    Ok(services.execute(asked, command, use_case).await?.positions)
}

async fn wait_until_open(
    services: &Services,
    accounts: impl Iterator<Item = AccountId>,
    wait: Option<Wait>,
) -> Result<(), ApiError> {
    let until = services
        .now()
        .as_micros()
        .saturating_add(i64::try_from(Wait::ms(wait) * 1000).unwrap_or(0));
    for account in accounts {
        while services.now().as_micros() < until && is_opening(services, account).await? {
            services.parts.clock.sleep_ms(LOOK_EVERY_MS).await;
        }
    }
    Ok(())
}

async fn is_opening(services: &Services, account: AccountId) -> Result<bool, ApiError> {
    let loaded = load_state(services.log(), account.into()).await?;
    let vaultstream_domain::State::Account(state) = loaded.state else {
        return Ok(false);
    };
    Ok(state.status.is_none_or(|status| status == AccountStatus::Opening))
}

async fn change(
    State(services): Site,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChangeBody>,
) -> Answer {
    let vault: VaultId = path_id(&id)?;
    let organization = asked.principal()?.organization;
    owned(services.log(), vault, organization).await?;
    let expected = if_match(&headers)?.and_then(Expected::version);
    let command = Intent::unclaimed(&services).command;
    let use_case = ChangeVault {
        vault,
        organization,
        expected,
        command: VaultCommand::Rename { name: body.name },
    };
    let committed = services.execute(&asked, command, use_case).await?;
    let head = Head {
        command: Some(command),
        ..Head::default()
    };
    respond(&services, vault, organization, &committed.positions, head).await
}

async fn add_account(
    State(services): Site,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<AddBody>,
) -> Answer {
    let vault: VaultId = path_id(&id)?;
    let organization = asked.principal()?.organization;
    owned(services.log(), vault, organization).await?;
    let chain = services
        .parts
        .catalogue
        .named_chain(In::Body, "chain", &body.chain)?;
    let intent = Intent::read(&services, &asked, &headers, &id, &body)?;
    let account = placed(&services, vault, chain, intent.bare_id(&services, "account"))?;
    let replayed = intent.bind(&services, &asked, account.to_string()).await?;
    let added = AccountAdded {
        account,
        chain: ChainId::clone(&chain.id),
    };
    let command = VaultCommand::AddAccount(added.clone());
    let listing = ChangeVault {
        vault,
        organization,
        expected: None,
        command,
    };
    let mut positions = services.execute(&asked, intent.command, listing).await?.positions;
    positions.merge(&request_account(&services, &asked, intent.command, vault, &added).await?);
    let waited = Wait::of(&headers);
    wait_until_open(&services, std::iter::once(account), waited).await?;
    let known = owned(services.log(), account, organization).await?;
    let token = services.token(&positions);
    let mut body = resource::account(&known, &services.parts.catalogue)?;
    body.token = Some(token.clone());
    let head = Head {
        status: StatusCode::CREATED,
        command: Some(intent.command),
        token: Some(&token),
        location: Some(format!("/v1/accounts/{account}")),
        version: Some(known.version),
        replayed,
        waited,
    };
    answer(&head, &body)
}

async fn respond(
    services: &Services,
    vault: VaultId,
    organization: OrganizationId,
    positions: &Positions,
    head: Head<'_>,
) -> Answer {
    let known = owned(services.log(), vault, organization).await?;
    let token = services.token(positions);
    let mut body = resource::vault(services.log(), &known).await?;
    body.token = Some(token.clone());
    let location = (head.status == StatusCode::CREATED).then(|| format!("/v1/vaults/{vault}"));
    answer(
        &Head {
            token: Some(&token),
            location,
            version: Some(known.version),
            ..head
        },
        &body,
    )
}
