//! Who asks, as resolvers see it: a tenant, a name for events, and scopes.

use std::sync::Arc;

use vaultstream_event_schemas::{ErrorCode, OrganizationId};
use vaultstream_gateway::Principal;

use crate::refusal::Refusal;

/// Who asks, and what they may see. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant; part of the key of every read.
    pub organization: OrganizationId,
    principal: Arc<Principal>,
}

impl Caller {
    /// Whom the door let in.
    pub fn new(principal: Arc<Principal>) -> Self {
        Self {
            organization: principal.organization,
            principal,
        }
    }

    /// Refuses without the scope, naming it.
    pub fn require(&self, scope: &'static str) -> Result<(), Refusal> {
        if self.principal.scopes.contains(scope) {
            return Ok(());
        }
        Err(Refusal::new(
            ErrorCode::ScopeMissing,
            format!("the credential lacks the scope `{scope}`"),
        ))
    }

    /// Who, as events name them.
    pub fn actor(&self) -> String {
        self.principal.actor().to_string()
    }

    /// What they may do, sorted.
    pub fn scopes(&self) -> Vec<String> {
        self.principal.scopes.list()
    }

    /// Whether this is a client with an API key, who may ask about the schema.
    pub fn is_key(&self) -> bool {
        self.principal.session.is_none()
    }
}
