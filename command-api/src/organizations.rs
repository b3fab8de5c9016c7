//! Organizations: register, change, suspend, reactivate.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use vaultstream_client::{
    ChangeOrganization as ChangeBody, Contact, Reason, RegisterOrganization as RegisterBody,
};
use vaultstream_domain::name::{MAX_NAME, is_printable};
use vaultstream_domain::organization::{ChangeOrganization, OrganizationCommand, RegisterOrganization};
use vaultstream_domain::ports::keyring;
use vaultstream_event_schemas::organization::v1::{self, Approval};
use vaultstream_event_schemas::token::Positions;
use vaultstream_event_schemas::{ErrorCode, Family, OrganizationId, Sealed, id};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::preconditions::{Expected, if_match};
use vaultstream_gateway::resource::{self, not_found, path_id};
use vaultstream_gateway::{ApiError, JsonBody, Routes, directory};

use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::services::Services;
use crate::text;

type Answer = Result<Response, ApiError>;
type Site = State<Arc<Services>>;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes
        .on("registerOrganization", register)
        .on("changeOrganization", change)
        .on("suspendOrganization", suspend)
        .on("reactivateOrganization", reactivate)
}

async fn register(
    State(services): Site,
    asked: Asked,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RegisterBody>,
) -> Answer {
    asked.platform_only(services.parts.platform)?;
    check_name(&body.name)?;
    body.contact.as_ref().map(check_contact).transpose()?;
    // Personal data leaves no hash behind either: it would tell whoever guesses it that the guess is right.
    let impersonal = RegisterBody {
        contact: None,
        ..body.clone()
    };
    let intent = Intent::read(&services, &asked, &headers, "", &impersonal)?;
    let bare = intent.bare_id(&services, "organization");
    let shard = services.registry.place(&Family::Core, bare);
    let shard = shard.ok_or_else(|| ApiError::new(ErrorCode::Internal).detail("there is no core shard"))?;
    let organization = OrganizationId::from_uuid(id::with_shard(bare, shard));
    let bound = intent.bind(&services, &asked, organization.to_string()).await?;
    if bound && let Some(known) = directory::read(services.log(), organization.into()).await? {
        let born = services
            .present(organization.shard(), known.born.position)
            .await?;
        let positions = Positions::one(organization.shard(), born);
        return registered(&services, organization, &positions, (intent, true)).await;
    }
    let contact = seal_contact(&services, organization, body.contact).await?;
    let approval = body.approval.unwrap_or(Approval::None);
    let command = OrganizationCommand::Register {
        name: body.name,
        approval,
        contact,
    };
    let use_case = RegisterOrganization {
        organization,
        command,
    };
    let done = services.execute(&asked, intent.command, use_case).await;
    let (positions, replayed) = match done {
        Ok(committed) => (committed.positions, false),
        // A duplicate of this very request came first.
        Err(error) if error.code() == ErrorCode::AlreadyExists && intent.is_claimed() => {
            let known = directory::read(services.log(), organization.into())
                .await?
                .ok_or(error)?;
            let born = services
                .present(organization.shard(), known.born.position)
                .await?;
            (Positions::one(organization.shard(), born), true)
        }
        Err(error) => return Err(error),
    };
    registered(&services, organization, &positions, (intent, replayed)).await
}

async fn registered(
    services: &Services,
    organization: OrganizationId,
    positions: &Positions,
    (intent, replayed): (Intent, bool),
) -> Answer {
    let head = Head {
        status: StatusCode::CREATED,
        command: Some(intent.command),
        replayed,
        ..Head::default()
    };
    respond(services, organization, positions, head).await
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if is_printable(name, MAX_NAME) {
        return Ok(());
    }
    let detail = "a name has 1 to 80 printable characters and no space at its ends";
    Err(ApiError::field(ErrorCode::InvalidField, In::Body, "name", detail))
}

fn check_contact(contact: &Contact) -> Result<(), ApiError> {
    let refused = |field, detail| Err(ApiError::field(ErrorCode::InvalidField, In::Body, field, detail));
    let parts = contact.email.split_once('@');
    if !is_printable(&contact.email, 254)
        || !parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
    {
        return refused(
            "contact/email",
            "an e-mail address has the form user@host and at most 254 characters",
        );
    }
    if !is_printable(&contact.name, MAX_NAME) {
        return refused(
            "contact/name",
            "a name has 1 to 80 printable characters and no space at its ends",
        );
    }
    Ok(())
}

async fn seal_contact(
    services: &Services,
    organization: OrganizationId,
    contact: Option<Contact>,
) -> Result<Option<Sealed<v1::Contact>>, ApiError> {
    let Some(contact) = contact else { return Ok(None) };
    let contact = v1::Contact {
        email: contact.email,
        name: contact.name,
    };
    let sealed = keyring::seal(&*services.parts.keyring, &organization.to_string(), &contact).await?;
    Ok(Some(sealed))
}

async fn change(
    State(services): Site,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ChangeBody>,
) -> Answer {
    let organization = reachable(&services, &asked, &id)?;
    let mut commands = Vec::new();
    if let Some(name) = body.name {
        commands.push(OrganizationCommand::Rename { name });
    }
    if let Some(approval) = body.approval {
        commands.push(OrganizationCommand::SetApproval { approval });
    }
    if commands.is_empty() {
        let detail = "send `name`, `approval` or both";
        return Err(ApiError::field(ErrorCode::MissingField, In::Body, "name", detail));
    }
    run(&services, &asked, organization, if_match(&headers)?, commands).await
}

async fn suspend(
    State(services): Site,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Reason>,
) -> Answer {
    asked.platform_only(services.parts.platform)?;
    let organization = reachable(&services, &asked, &id)?;
    if organization == services.parts.platform {
        let detail = "the platform organization cannot be suspended: nobody could reactivate it";
        return Err(ApiError::new(ErrorCode::StateConflict).detail(detail));
    }
    let command = OrganizationCommand::Suspend {
        reason: text::reason(body)?,
    };
    run(
        &services,
        &asked,
        organization,
        if_match(&headers)?,
        vec![command],
    )
    .await
}

async fn reactivate(
    State(services): Site,
    asked: Asked,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Reason>,
) -> Answer {
    asked.platform_only(services.parts.platform)?;
    let organization = reachable(&services, &asked, &id)?;
    let command = OrganizationCommand::Reactivate {
        reason: text::reason(body)?,
    };
    run(
        &services,
        &asked,
        organization,
        if_match(&headers)?,
        vec![command],
    )
    .await
}

/// The caller's own organization; any for the platform's.
fn reachable(services: &Services, asked: &Asked, id: &str) -> Result<OrganizationId, ApiError> {
    let organization: OrganizationId = path_id(id)?;
    let own = asked.principal()?.organization;
    if own != organization && own != services.parts.platform {
        return Err(not_found());
    }
    services
        .registry
        .entry(organization.shard())
        .map(|_| organization)
        .ok_or_else(not_found)
}

async fn run(
    services: &Services,
    asked: &Asked,
    organization: OrganizationId,
    expected: Option<Expected>,
    commands: Vec<OrganizationCommand>,
) -> Answer {
    let command_id = Intent::unclaimed(services).command;
    let mut positions = Positions::default();
    let mut expected = expected.and_then(Expected::version);
    for command in commands {
        let use_case = ChangeOrganization {
            organization,
            expected: expected.take(),
            command,
        };
        positions.merge(&services.execute(asked, command_id, use_case).await?.positions);
    }
    respond(
        services,
        organization,
        &positions,
        Head {
            command: Some(command_id),
            ..Head::default()
        },
    )
    .await
}

async fn respond(
    services: &Services,
    organization: OrganizationId,
    positions: &Positions,
    head: Head<'_>,
) -> Answer {
    let known = directory::read(services.log(), organization.into())
        .await?
        .ok_or_else(not_found)?;
    let token = services.token(positions);
    let mut body = resource::organization(&known)?;
    let location = (head.status == StatusCode::CREATED).then(|| format!("/v1/organizations/{organization}"));
    body.token = Some(token.clone());
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
