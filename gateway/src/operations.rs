//! The table of operations: all the REST API does. Routers, OpenAPI and the tests of authorization are made from it.

use crate::operation::Access::{Public, Scope, SignedIn};
use crate::operation::Effect::{Commands, Leaves, Reads};
use crate::operation::Idempotency::{None as NoKey, Optional, Required};
use crate::operation::Verb::{Delete, Get, Patch, Post};
use crate::operation::{IfMatch, Operation, Room};

const LIST: &[&str] = &["limit", "cursor", "atLeast"];

/// A read: answers 200.
const fn read(id: &'static str, path: &'static str, scope: &'static str, answer: &'static str) -> Operation {
    Operation {
        id,
        room: Room::Reads,
        verb: Get,
        path,
        access: Scope(scope),
        effect: Reads,
        idempotency: NoKey,
        if_match: IfMatch::None,
        body: None,
        answer: Some(answer),
        status: 200,
        query: &[],
        summary: "",
    }
}

/// A command: a POST with a body.
const fn command(id: &'static str, path: &'static str, scope: &'static str, body: &'static str) -> Operation {
    Operation {
        id,
        room: Room::Commands,
        verb: Post,
        path,
        access: Scope(scope),
        effect: Commands,
        idempotency: Optional,
        if_match: IfMatch::None,
        body: Some(body),
        answer: None,
        status: 200,
        query: &[],
        summary: "",
    }
}

/// Every operation.
pub const ALL: &[Operation] = &[
    Operation {
        answer: Some("Organization"),
        status: 201,
        summary: "Registers an organization; for keys of the platform organization.",
        ..command(
            "registerOrganization",
            "/v1/organizations",
            "organizations:write",
            "RegisterOrganization",
        )
    },
    Operation {
        query: LIST,
        summary: "Lists organizations: one's own, or all for keys of the platform organization.",
        ..read(
            "listOrganizations",
            "/v1/organizations",
            "vaults:read",
            "Page_Organization",
        )
    },
    Operation {
        query: &["atLeast"],
        summary: "Reads an organization.",
        ..read(
            "getOrganization",
            "/v1/organizations/{id}",
            "vaults:read",
            "Organization",
        )
    },
    Operation {
        verb: Patch,
        idempotency: NoKey,
        if_match: IfMatch::Optional,
        answer: Some("Organization"),
        summary: "Changes an organization's name or how its transfers are approved.",
        ..command(
            "changeOrganization",
            "/v1/organizations/{id}",
            "organizations:write",
            "ChangeOrganization",
        )
    },
    Operation {
        idempotency: NoKey,
        if_match: IfMatch::Optional,
        answer: Some("Organization"),
        summary: "Suspends an organization: it reads and changes nothing; for keys of the platform organization.",
        ..command(
            "suspendOrganization",
            "/v1/organizations/{id}/suspend",
            "organizations:write",
            "Reason",
        )
    },
    Operation {
        idempotency: NoKey,
        if_match: IfMatch::Optional,
        answer: Some("Organization"),
        summary: "Ends a suspension; for keys of the platform organization.",
        ..command(
            "reactivateOrganization",
            "/v1/organizations/{id}/reactivate",
            "organizations:write",
            "Reason",
        )
    },
    Operation {
        idempotency: NoKey,
        answer: Some("ApiKey"),
        status: 201,
        summary: "Issues an API key and shows it once.",
        ..command("issueApiKey", "/v1/api-keys", "keys:write", "IssueApiKey")
    },
    Operation {
        query: LIST,
        summary: "Lists API keys, newest first; never their secrets.",
        ..read("listApiKeys", "/v1/api-keys", "keys:write", "Page_ApiKey")
    },
    Operation {
        query: &["atLeast"],
        summary: "Reads an API key; never its secret.",
        ..read("getApiKey", "/v1/api-keys/{id}", "keys:write", "ApiKey")
    },
    Operation {
        verb: Delete,
        effect: Leaves,
        idempotency: NoKey,
        if_match: IfMatch::Optional,
        body: None,
        answer: Some("ApiKey"),
        summary: "Revokes an API key and all sessions that act as it, everywhere within a second.",
        ..command("revokeApiKey", "/v1/api-keys/{id}", "keys:write", "Reason")
    },
    Operation {
        access: Public,
        effect: Leaves,
        idempotency: NoKey,
        answer: Some("Session"),
        status: 201,
        summary: "Opens a browser session with an API key and sets its cookie.",
        ..command("openSession", "/v1/sessions", "", "OpenSession")
    },
    Operation {
        query: LIST,
        summary: "Lists browser sessions, newest first.",
        ..read("listSessions", "/v1/sessions", "keys:write", "Page_Session")
    },
    Operation {
        access: SignedIn,
        summary: "Reads the session of the request.",
        ..read("getCurrentSession", "/v1/sessions/current", "", "Session")
    },
    Operation {
        verb: Delete,
        access: SignedIn,
        effect: Leaves,
        idempotency: NoKey,
        body: None,
        status: 204,
        summary: "Ends the session of the request.",
        ..command("endCurrentSession", "/v1/sessions/current", "", "Reason")
    },
    Operation {
        verb: Delete,
        effect: Leaves,
        idempotency: NoKey,
        body: None,
        status: 204,
        summary: "Ends a session, everywhere within a second.",
        ..command("endSession", "/v1/sessions/{id}", "keys:write", "Reason")
    },
    Operation {
        answer: Some("Vault"),
        status: 201,
        summary: "Creates a vault with an account on each named chain; Prefer: wait holds until they are open.",
        ..command("createVault", "/v1/vaults", "vaults:write", "CreateVault")
    },
    Operation {
        query: &["limit", "cursor", "atLeast", "status", "name"],
        summary: "Lists vaults, newest first; `name` filters by a prefix.",
        ..read("listVaults", "/v1/vaults", "vaults:read", "Page_Vault")
    },
    Operation {
        query: &["atLeast", "asOf"],
        summary: "Reads a vault.",
        ..read("getVault", "/v1/vaults/{id}", "vaults:read", "Vault")
    },
    Operation {
        verb: Patch,
        idempotency: NoKey,
        if_match: IfMatch::Optional,
        answer: Some("Vault"),
        summary: "Renames a vault.",
        ..command("changeVault", "/v1/vaults/{id}", "vaults:write", "ChangeVault")
    },
    Operation {
        answer: Some("Account"),
        status: 201,
        summary: "Adds an account to a vault; Prefer: wait holds until it is open.",
        ..command(
            "addAccount",
            "/v1/vaults/{id}/accounts",
            "accounts:write",
            "AddAccount",
        )
    },
    Operation {
        query: &["atLeast", "asOf"],
        summary: "Reads an account with its balances.",
        ..read("getAccount", "/v1/accounts/{id}", "vaults:read", "Account")
    },
    Operation {
        verb: Patch,
        idempotency: NoKey,
        if_match: IfMatch::Optional,
        answer: Some("Account"),
        summary: "Gives an account a label.",
        ..command(
            "changeAccount",
            "/v1/accounts/{id}",
            "accounts:write",
            "ChangeAccount",
        )
    },
    Operation {
        idempotency: NoKey,
        if_match: IfMatch::Optional,
        answer: Some("Account"),
        summary: "Freezes an account: it sends nothing until it is unfrozen.",
        ..command(
            "freezeAccount",
            "/v1/accounts/{id}/freeze",
            "accounts:write",
            "Reason",
        )
    },
    Operation {
        idempotency: NoKey,
        if_match: IfMatch::Optional,
        answer: Some("Account"),
        summary: "Unfreezes an account.",
        ..command(
            "unfreezeAccount",
            "/v1/accounts/{id}/unfreeze",
            "accounts:write",
            "Reason",
        )
    },
    Operation {
        idempotency: Required,
        answer: Some("TransferAccepted"),
        status: 202,
        query: &["dryRun"],
        summary: "Requests a transfer; with dryRun it only says what would happen.",
        ..command(
            "requestTransfer",
            "/v1/transfers",
            "transfers:write",
            "RequestTransfer",
        )
    },
    Operation {
        query: &["limit", "cursor", "atLeast", "status", "vaultId"],
        summary: "Lists transfers, newest first.",
        ..read(
            "listTransfers",
            "/v1/transfers",
            "transfers:read",
            "Page_Transfer",
        )
    },
    Operation {
        query: &["atLeast", "asOf"],
        summary: "Reads a transfer with its executions.",
        ..read("getTransfer", "/v1/transfers/{id}", "transfers:read", "Transfer")
    },
    Operation {
        idempotency: NoKey,
        if_match: IfMatch::Required,
        answer: Some("Transfer"),
        summary: "Approves a transfer as it was read.",
        ..command(
            "approveTransfer",
            "/v1/transfers/{id}/approve",
            "transfers:approve",
            "Reason",
        )
    },
    Operation {
        idempotency: NoKey,
        if_match: IfMatch::Required,
        answer: Some("Transfer"),
        summary: "Denies a transfer as it was read, which ends it.",
        ..command(
            "denyTransfer",
            "/v1/transfers/{id}/deny",
            "transfers:approve",
            "Reason",
        )
    },
    Operation {
        idempotency: NoKey,
        if_match: IfMatch::Required,
        answer: Some("Transfer"),
        summary: "Withdraws a transfer as it was read, before an execution carries it.",
        ..command(
            "cancelTransfer",
            "/v1/transfers/{id}/cancel",
            "transfers:write",
            "Reason",
        )
    },
    Operation {
        effect: Leaves,
        idempotency: Required,
        answer: Some("Erasure"),
        summary: "Destroys the key of a subject's personal data, for ever; `data` names what dies as a confirmation.",
        ..command("eraseSubject", "/v1/erasures", "erasures:write", "EraseSubject")
    },
    Operation {
        room: Room::Commands,
        summary: "Says what personal data a transfer or an organization has, and whether it was erased.",
        ..read(
            "getErasure",
            "/v1/erasures/{subject}",
            "erasures:write",
            "Erasure",
        )
    },
    Operation {
        query: &[
            "limit",
            "cursor",
            "from",
            "until",
            "stream",
            "type",
            "organization",
        ],
        summary: "Replays public events from any place of the log: a page, JSON lines (Accept: application/jsonl), or \
            server-sent events that go on (Accept: text/event-stream). Keys of the platform organization with the scope \
            `audit:read` read those of every organization, on record.",
        ..read("listEvents", "/v1/events", "events:read", "EventPage")
    },
    Operation {
        summary: "Lists the views of every family: how far they are, and which are being rebuilt; for keys of the \
            platform organization.",
        ..read("listViews", "/v1/views", "views:write", "Page_View")
    },
    Operation {
        query: &["limit", "cursor", "family"],
        summary: "Lists the streams a view could not fold, each with the event and the reason; for keys of the platform \
            organization.",
        ..read(
            "listQuarantine",
            "/v1/views/{view}/quarantine",
            "views:write",
            "Page_ParkedStream",
        )
    },
    Operation {
        answer: Some("RetryAccepted"),
        status: 202,
        summary: "Asks that the parked streams of a view be folded again, in order; for keys of the platform organization.",
        ..command(
            "retryView",
            "/v1/views/{view}/retries",
            "views:write",
            "RetryView",
        )
    },
    Operation {
        answer: Some("RebuildAccepted"),
        status: 202,
        summary: "Asks for a rebuild of a view from the log, beside its readers; for keys of the platform organization.",
        ..command(
            "rebuildView",
            "/v1/views/{view}/rebuilds",
            "views:write",
            "RebuildView",
        )
    },
    Operation {
        room: Room::Commands,
        summary: "Says what became of a command that was sent with an Idempotency-Key.",
        access: SignedIn,
        ..read("getCommand", "/v1/commands/{id}", "", "Command")
    },
    Operation {
        room: Room::Commands,
        access: SignedIn,
        summary: "Lists the chains this installation serves, with their assets.",
        ..read("listChains", "/v1/chains", "", "Page_Chain")
    },
    Operation {
        access: SignedIn,
        effect: Reads,
        idempotency: NoKey,
        answer: Some("AddressCheck"),
        summary: "Says whether a text is an address of a chain.",
        ..command("checkAddress", "/v1/addresses/validate", "", "CheckAddress")
    },
    Operation {
        idempotency: NoKey,
        answer: Some("FaucetPayment"),
        status: 202,
        summary: "Asks the faucet of a sandbox chain for money that is worth nothing.",
        ..command(
            "askFaucet",
            "/v1/sandbox/{slug}/faucet",
            "sandbox:faucet",
            "FaucetRequest",
        )
    },
];

/// The operation with an id.
pub fn find(id: &str) -> Option<&'static Operation> {
    ALL.iter().find(|operation| operation.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use vaultstream_domain::organization::scope;

    use super::*;
    use crate::operation::Access;

    #[test]
    fn operations_should_be_distinct_and_name_existing_scopes() {
        let (mut ids, mut routes) = (BTreeSet::new(), BTreeSet::new());
        for operation in ALL {
            let id = operation.id;
            assert!(ids.insert(id), "{id} twice");
            assert!(
                routes.insert((operation.path, operation.verb)),
                "{id}: its route is taken"
            );
            assert!(
                operation.path.starts_with("/v1/") && !operation.summary.is_empty(),
                "{id}"
            );
            if let Access::Scope(scope) = operation.access {
                assert!(scope::exists(scope), "{id}: no scope {scope}");
            }
        }
    }

    #[test]
    fn whatever_moves_money_or_decides_on_it_should_be_guarded() {
        for operation in ALL.iter().filter(|o| o.effect == Commands) {
            assert!(
                matches!(operation.access, Access::Scope(_)),
                "{} commands without a scope",
                operation.id
            );
        }
        assert_eq!(find("requestTransfer").map(|o| o.idempotency), Some(Required));
        for id in ["approveTransfer", "denyTransfer", "cancelTransfer"] {
            assert!(find(id).is_some_and(|o| o.if_match == IfMatch::Required), "{id}");
        }
        let public: Vec<_> = ALL.iter().filter(|o| o.access == Public).map(|o| o.id).collect();
        assert_eq!(
            public,
            ["openSession"],
            "a public operation is a decision, not an accident"
        );
    }

    #[test]
    fn parameters_and_tags_should_come_from_the_path() {
        let operation = find("askFaucet").expect("in the table");
        assert_eq!(operation.path_parameters().collect::<Vec<_>>(), ["slug"]);
        assert_eq!(operation.tag(), "sandbox");
    }
}
