//! Given events, when a command, then events: the Organization aggregate.

use vaultstream_event_schemas::organization::v1::{self, Approval};
use vaultstream_event_schemas::status::OrganizationStatus;
use vaultstream_event_schemas::{Grounds, Sealed};

use super::*;
use crate::given::given;

fn registered() -> OrganizationEvent {
    v1::Registered {
        approval: Approval::None,
        contact: None,
        name: "Acme".into(),
    }
    .into()
}

fn suspend() -> OrganizationCommand {
    OrganizationCommand::Suspend {
        reason: "review".into(),
    }
}

#[test]
fn organization_should_register_once() {
    let register = OrganizationCommand::Register {
        name: "Acme".into(),
        approval: Approval::None,
        contact: None,
    };
    given::<Organization>(&[]).when(&register).then(&[registered()]);
    given::<Organization>(&[registered()])
        .when(&register)
        .refuses(&OrganizationError::AlreadyRegistered);
}

#[test]
fn organization_should_refuse_everything_before_it_exists() {
    given::<Organization>(&[])
        .when(&suspend())
        .refuses(&OrganizationError::Unknown);
}

#[test]
fn suspended_organization_should_only_be_reactivated_or_closed() {
    let suspended: OrganizationEvent = v1::Suspended {
        reason: "review".into(),
    }
    .into();
    let history = [registered(), suspended.clone()];
    given::<Organization>(&[registered()])
        .when(&suspend())
        .then(&[suspended]);
    given::<Organization>(&history).when(&suspend()).then(&[]);
    given::<Organization>(&history)
        .when(&OrganizationCommand::Rename { name: "New".into() })
        .refuses(&OrganizationError::NotActive(OrganizationStatus::Suspended));
    given::<Organization>(&history)
        .when(&OrganizationCommand::Reactivate {
            reason: "cleared".into(),
        })
        .then(&[v1::Reactivated {
            reason: "cleared".into(),
        }
        .into()]);
}

#[test]
fn names_and_reasons_should_be_printable() {
    given::<Organization>(&[registered()])
        .when(&OrganizationCommand::Rename { name: " ".into() })
        .refuses(&OrganizationError::InvalidName);
    given::<Organization>(&[registered()])
        .when(&OrganizationCommand::Close {
            reason: String::new(),
        })
        .refuses(&OrganizationError::InvalidReason);
}

#[test]
fn contact_should_be_erased_once_whatever_state_the_organization_is_in() {
    let erase = OrganizationCommand::EraseContact {
        grounds: Grounds::Request,
    };
    let erased: OrganizationEvent = v1::ContactErased {
        grounds: Grounds::Request,
    }
    .into();
    given::<Organization>(&[registered()])
        .when(&erase)
        .refuses(&OrganizationError::NoContact);
    let known: OrganizationEvent = v1::Registered {
        approval: Approval::None,
        contact: Some(Sealed::from_parts("org_1", &[0; 12], b"sealed")),
        name: "Acme".into(),
    }
    .into();
    let closed: OrganizationEvent = v1::Closed {
        reason: "left".into(),
    }
    .into();
    for before in [vec![known.clone()], vec![known.clone(), closed]] {
        given::<Organization>(&before)
            .when(&erase)
            .then(std::slice::from_ref(&erased));
    }
    let history = [known, erased];
    let given = given::<Organization>(&history);
    assert_eq!(given.state().contact, PersonalData::Erased);
    given.when(&erase).then(&[]);
}
