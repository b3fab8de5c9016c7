//! One question's place among the kept answers.

use async_graphql::Request as Query;
use vaultstream_event_schemas::OrganizationId;
use vaultstream_gateway::kept::Key;

use super::{CHAIN_TTL, MAX_ANSWER, RESPONSE_TTL};
use crate::caller::Caller;
use crate::limits;
use crate::schema::{Fields, Touches};
use crate::services::Services;

/// A question, apart from the state of what answers it.
#[derive(Debug, Clone)]
pub struct Question {
    parts: Vec<Vec<u8>>,
    touches: Touches,
}

impl Question {
    /// A question of a tenant at a door.
    pub fn new(door: &str, organization: OrganizationId, touches: Touches) -> Self {
        let question = Self {
            parts: Vec::with_capacity(8),
            touches,
        };
        question.part(door).part(organization.to_string())
    }

    /// With something else that the answer depends on.
    #[must_use]
    pub fn part(mut self, part: impl Into<Vec<u8>>) -> Self {
        self.parts.push(part.into());
        self
    }

    /// A query of a caller; none when its answer is not to be kept.
    pub fn graphql(fields: &Fields, caller: &Caller, query: &mut Query) -> Option<Self> {
        let variables = query.variables.clone();
        let touches = fields.touched(query.parsed_query().ok()?, &variables)?;
        let actor = if touches.actor {
            caller.actor()
        } else {
            Default::default()
        };
        let variables = serde_json::to_vec(&query.variables).ok()?;
        let question = Self::new("graphql", caller.organization, touches)
            .part(caller.scopes().join(" "))
            .part([u8::from(caller.is_key())])
            .part(actor)
            .part(limits::normalized(&query.query))
            .part(query.operation_name.as_deref().unwrap_or_default());
        Some(question.part(variables))
    }
}

/// The place of a question's answer, as long as nothing moves.
pub struct Slot<'a> {
    services: &'a Services,
    touches: Touches,
    state: Vec<u8>,
    key: Key,
}

impl<'a> Slot<'a> {
    /// The place of an answer that is made now; none when the state of what answers it is not known.
    pub async fn open(services: &'a Services, question: Question) -> Option<Self> {
        let Question { parts, touches } = question;
        let state = state(services, &touches).await?;
        let answers = &services.answers;
        let parts = parts.iter().map(Vec::as_slice);
        let key = answers
            .kept
            .key(parts.chain([answers.build.as_bytes(), state.as_slice()]));
        Some(Self {
            services,
            touches,
            state,
            key,
        })
    }

    /// The answer that was kept here.
    pub async fn find(&self) -> Option<Vec<u8>> {
        let cache = if self.touches.heads { "chain" } else { "responses" };
        self.services.answers.kept.find(cache, &self.key).await
    }

    /// Keeps an answer that was made after this was opened, unless something moved meanwhile: then it is not known what it
    /// was read from.
    pub async fn keep(self, body: &[u8]) {
        if body.len() > MAX_ANSWER || state(self.services, &self.touches).await.as_ref() != Some(&self.state)
        {
            return;
        }
        let ttl = if self.touches.heads {
            CHAIN_TTL
        } else {
            RESPONSE_TTL
        };
        self.services.answers.kept.keep(&self.key, body, ttl).await;
    }
}

/// The state of everything an answer is read from.
async fn state(services: &Services, touches: &Touches) -> Option<Vec<u8>> {
    // a store that cannot say it cannot answer either, and says so itself
    let mut state = services.reads.state(&touches.views).await.ok()?;
    if touches.heads {
        let heads = services.heads.borrow().clone();
        let shown: Vec<_> = heads.iter().map(|(chain, seen)| (chain, &seen.head)).collect();
        state.extend(serde_json::to_vec(&shown).ok()?);
    }
    Some(state)
}
