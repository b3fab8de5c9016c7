//! Erasures: what personal data a subject has, and the end of it.
//!
//! The order is an event on the subject's own stream, with who, when and on what grounds; then its key is destroyed, and
//! only then is the answer given. A crash in between is finished by a workflow from the event. The caller confirms by
//! naming what dies. Erasing again destroys nothing more and answers what the first erasure answered.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use vaultstream_client::{Datum, DatumStatus, EraseSubject, Erasure};
use vaultstream_domain::State as Folded;
use vaultstream_domain::organization::{ChangeOrganization, OrganizationCommand, PersonalData};
use vaultstream_domain::transfer::{ChangeTransfer, TransferCommand, TransferState};
use vaultstream_event_schemas::payload::Payload;
use vaultstream_event_schemas::{
    ErrorCode, Grounds, OrganizationId, StreamId, StreamKind, TransferId, organization, transfer,
};
use vaultstream_gateway::door::Asked;
use vaultstream_gateway::error::In;
use vaultstream_gateway::resource::{not_found, path_id};
use vaultstream_gateway::{ApiError, JsonBody, Routes, directory};
use vaultstream_kernel::Committed;

use crate::answer::{Head, answer};
use crate::intent::Intent;
use crate::services::Services;

/// Events of a stream looked at at once.
const PAGE: usize = 500;

pub(crate) fn serve(routes: Routes<Arc<Services>>) -> Routes<Arc<Services>> {
    routes.on("eraseSubject", erase).on("getErasure", get)
}

/// A subject of the caller's, and what personal data it has.
struct Subject {
    known: directory::Known,
    /// What its data is called.
    name: &'static str,
    status: DatumStatus,
}

impl Subject {
    async fn find(services: &Services, asked: &Asked, text: &str) -> Result<Self, ApiError> {
        let kinds = || {
            not_found()
                .detail("personal data is kept of transfers (trf_…) and organizations (org_…) of yours")
        };
        let stream: StreamId = path_id(text).map_err(|_| kinds())?;
        if !matches!(stream.kind, StreamKind::Transfer | StreamKind::Organization) {
            return Err(kinds());
        }
        let known = directory::read(services.log(), stream).await?.ok_or_else(kinds)?;
        let own = asked.principal()?.organization;
        let reaches = stream.kind == StreamKind::Organization && own == services.parts.platform;
        if known.organization != own && !reaches {
            return Err(kinds());
        }
        let (name, status) = match &known.state {
            Folded::Transfer(state) if state.is_memo_erased => ("memo", DatumStatus::Erased),
            Folded::Transfer(state) => match state.request.as_ref().and_then(|r| r.memo.as_ref()) {
                Some(_) => ("memo", DatumStatus::Held),
                None => ("memo", DatumStatus::Absent),
            },
            Folded::Organization(state) => match state.contact {
                PersonalData::Absent => ("contact", DatumStatus::Absent),
                PersonalData::Held => ("contact", DatumStatus::Held),
                PersonalData::Erased => ("contact", DatumStatus::Erased),
            },
            _ => return Err(kinds()),
        };
        Ok(Self { known, name, status })
    }

    fn text(&self) -> String {
        self.known.stream.to_string()
    }

    /// Refuses unless the caller names exactly what dies.
    fn confirmed(&self, data: &[String]) -> Result<(), ApiError> {
        if self.status == DatumStatus::Absent {
            let detail = format!("{} has no {}: there is nothing to erase", self.text(), self.name);
            return Err(ApiError::new(ErrorCode::StateConflict).detail(detail));
        }
        if matches!(data, [named] if named == self.name) {
            return Ok(());
        }
        let detail = format!(
            "erasing {} destroys its {} for ever; confirm with exactly [\"{}\"]",
            self.text(),
            self.name,
            self.name
        );
        Err(ApiError::field(ErrorCode::InvalidField, In::Body, "data", detail))
    }

    async fn order(
        &self,
        services: &Services,
        asked: &Asked,
        intent: &Intent,
        grounds: Grounds,
    ) -> Result<Committed, ApiError> {
        let (stream, organization) = (self.known.stream, self.known.organization);
        if stream.kind == StreamKind::Organization {
            let use_case = ChangeOrganization {
                organization: OrganizationId::from_uuid(stream.id),
                expected: None,
                command: OrganizationCommand::EraseContact { grounds },
            };
            return services.execute(asked, intent.command, use_case).await;
        }
        let Folded::Transfer(TransferState {
            request: Some(request),
            ..
        }) = &self.known.state
        else {
            return Err(not_found());
        };
        let use_case = ChangeTransfer {
            transfer: TransferId::from_uuid(stream.id),
            account: request.account,
            organization,
            vault: self.known.owner.vault().ok_or_else(not_found)?,
            expected: None,
            command: TransferCommand::EraseMemo { grounds },
        };
        services.execute(asked, intent.command, use_case).await
    }

    /// As it is answered, with the event of its erasure, when there is one.
    async fn answered(&self, services: &Services) -> Result<Erasure, ApiError> {
        let subject = self.text();
        let mut erasure = Erasure {
            data: vec![Datum {
                name: self.name.to_owned(),
                status: self.status,
            }],
            key_destroyed: services.parts.keyring.is_erased(&subject).await?,
            grounds: None,
            erased_at: None,
            erased_by: None,
            event: None,
            token: None,
            subject,
        };
        let mut after = 0;
        while self.status == DatumStatus::Erased && erasure.event.is_none() {
            let events = services.log().read_stream(self.known.stream, after, PAGE).await?;
            let Some(last) = events.last() else { break };
            after = last.envelope.sequence;
            for stored in &events {
                let Some(grounds) = grounds_of(&stored.envelope.event_type, &stored.payload)? else {
                    continue;
                };
                erasure.grounds = Some(grounds);
                erasure.erased_at = Some(stored.envelope.occurred_at);
                erasure.erased_by = Some(stored.envelope.actor.clone());
                erasure.event = Some(stored.envelope.event_ref().to_string());
            }
        }
        Ok(erasure)
    }
}

/// The grounds of an erasure; none for another event.
fn grounds_of(event_type: &str, payload: &[u8]) -> Result<Option<Grounds>, ApiError> {
    let read = match event_type {
        transfer::v1::MemoErased::TYPE => {
            serde_json::from_slice::<transfer::v1::MemoErased>(payload).map(|e| e.grounds)
        }
        organization::v1::ContactErased::TYPE => {
            serde_json::from_slice::<organization::v1::ContactErased>(payload).map(|e| e.grounds)
        }
        _ => return Ok(None),
    };
    read.map(Some)
        .map_err(|error| ApiError::new(ErrorCode::EventUnreadable).caused_by(error))
}

async fn erase(
    State(services): State<Arc<Services>>,
    asked: Asked,
    headers: HeaderMap,
    JsonBody(body): JsonBody<EraseSubject>,
) -> Result<Response, ApiError> {
    let subject = Subject::find(&services, &asked, &body.subject).await?;
    subject.confirmed(&body.data)?;
    let intent = Intent::read(&services, &asked, &headers, "", &body)?;
    let text = subject.text();
    let bound = intent.bind(&services, &asked, text.clone()).await?;
    let committed = subject.order(&services, &asked, &intent, body.grounds).await?;
    // From here on the log says it, and a workflow would do it should this process end now.
    services.parts.keyring.erase(&text).await?;
    let subject = Subject::find(&services, &asked, &text).await?;
    let token = services.token(&committed.positions);
    let mut body = subject.answered(&services).await?;
    body.token = Some(token.clone());
    let head = Head {
        command: Some(intent.command),
        token: Some(&token),
        replayed: bound && committed.is_unchanged(),
        ..Head::default()
    };
    answer(&head, &body)
}

async fn get(
    State(services): State<Arc<Services>>,
    asked: Asked,
    Path(subject): Path<String>,
) -> Result<Json<Erasure>, ApiError> {
    let subject = Subject::find(&services, &asked, &subject).await?;
    Ok(Json(subject.answered(&services).await?))
}
