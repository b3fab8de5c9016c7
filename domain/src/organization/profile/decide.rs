//! The decisions of an organization.

use vaultstream_event_schemas::Grounds;
use vaultstream_event_schemas::organization::v1;
use vaultstream_event_schemas::status::OrganizationStatus;

use super::state::PersonalData;
use super::{Organization, OrganizationCommand, OrganizationError, OrganizationEvent, OrganizationState};
use crate::decider::Decider;
use crate::name::{MAX_NAME, MAX_REASON, is_printable};

impl Decider for Organization {
    type State = OrganizationState;
    type Command = OrganizationCommand;
    type Event = OrganizationEvent;
    type Error = OrganizationError;

    const FOLD_VERSION: u32 = 2;

    fn decide(
        state: &OrganizationState,
        command: &OrganizationCommand,
    ) -> Result<Vec<OrganizationEvent>, OrganizationError> {
        use OrganizationCommand as C;
        use OrganizationStatus::{Active, Closed, Suspended};
        let Some(status) = state.status else {
            return register(command);
        };
        match (command, status) {
            (C::Register { .. }, _) => Err(OrganizationError::AlreadyRegistered),
            (C::Rename { name }, Active) if *name == state.name => Ok(vec![]),
            (C::Rename { name }, Active) => Ok(vec![
                v1::Renamed {
                    name: valid_name(name)?,
                }
                .into(),
            ]),
            (C::SetApproval { approval }, Active) if Some(*approval) == state.approval => Ok(vec![]),
            (C::SetApproval { approval }, Active) => {
                Ok(vec![v1::ApprovalChanged { approval: *approval }.into()])
            }
            // Whatever it is: what is owed to a person does not depend on the state of the organization.
            (C::EraseContact { grounds }, _) => erase_contact(state.contact, *grounds),
            (C::Suspend { .. }, Suspended) | (C::Reactivate { .. }, Active) | (C::Close { .. }, Closed) => {
                Ok(vec![])
            }
            (C::Suspend { reason }, Active) => Ok(vec![
                v1::Suspended {
                    reason: valid_reason(reason)?,
                }
                .into(),
            ]),
            (C::Reactivate { reason }, Suspended) => Ok(vec![
                v1::Reactivated {
                    reason: valid_reason(reason)?,
                }
                .into(),
            ]),
            (C::Close { reason }, Active | Suspended) => Ok(vec![
                v1::Closed {
                    reason: valid_reason(reason)?,
                }
                .into(),
            ]),
            (_, status) => Err(OrganizationError::NotActive(status)),
        }
    }

    fn evolve(state: &mut OrganizationState, event: &OrganizationEvent) {
        state.fold(event);
    }
}

fn erase_contact(
    contact: PersonalData,
    grounds: Grounds,
) -> Result<Vec<OrganizationEvent>, OrganizationError> {
    match contact {
        PersonalData::Held => Ok(vec![v1::ContactErased { grounds }.into()]),
        PersonalData::Erased => Ok(vec![]),
        PersonalData::Absent => Err(OrganizationError::NoContact),
    }
}

fn register(command: &OrganizationCommand) -> Result<Vec<OrganizationEvent>, OrganizationError> {
    match command {
        OrganizationCommand::Register {
            name,
            approval,
            contact,
        } => Ok(vec![
            v1::Registered {
                approval: *approval,
                contact: contact.clone(),
                name: valid_name(name)?,
            }
            .into(),
        ]),
        _ => Err(OrganizationError::Unknown),
    }
}

fn valid_name(name: &str) -> Result<String, OrganizationError> {
    is_printable(name, MAX_NAME)
        .then(|| name.to_owned())
        .ok_or(OrganizationError::InvalidName)
}

fn valid_reason(reason: &str) -> Result<String, OrganizationError> {
    is_printable(reason, MAX_REASON)
        .then(|| reason.to_owned())
        .ok_or(OrganizationError::InvalidReason)
}
