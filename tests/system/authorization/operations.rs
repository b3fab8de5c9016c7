//! The table of REST operations.

use serde_json::json;

use super::row::{Ask, Needs, Row, own, platform, reached, row, signed_in};
use super::world::SOMEWHERE;
use crate::product::ETH;

/// A body without a field that counts.
fn reason() -> serde_json::Value {
    json!({ "reason": "ratchet" })
}

/// Every operation. What is not in here fails the test.
pub const ROWS: &[Row] = &[
    platform(
        "registerOrganization",
        &["organizations:write"],
        &[own(|_| {
            Ask::with("/v1/organizations", json!({ "name": "Another" }))
        })],
    ),
    row(
        "listOrganizations",
        &["vaults:read"],
        &[own(|_| Ask::at("/v1/organizations"))],
    ),
    row(
        "getOrganization",
        &["vaults:read"],
        &[reached(|ids| {
            Ask::at(format!("/v1/organizations/{}", ids.organization))
        })],
    ),
    row(
        "changeOrganization",
        &["organizations:write"],
        &[reached(|ids| {
            let body = json!({ "name": "Renamed" });
            Ask::with(format!("/v1/organizations/{}", ids.organization), body)
        })],
    ),
    platform(
        "suspendOrganization",
        &["organizations:write"],
        &[reached(|ids| {
            Ask::with(format!("/v1/organizations/{}/suspend", ids.idle), reason())
        })],
    ),
    platform(
        "reactivateOrganization",
        &["organizations:write"],
        &[reached(|ids| {
            Ask::with(format!("/v1/organizations/{}/reactivate", ids.idle), reason())
        })],
    ),
    row(
        "issueApiKey",
        &["keys:write"],
        &[
            own(|_| {
                Ask::with(
                    "/v1/api-keys",
                    json!({ "name": "more", "scopes": ["keys:write"] }),
                )
            }),
            reached(|ids| {
                let body =
                    json!({ "name": "more", "scopes": ["keys:write"], "organizationId": ids.organization });
                Ask::with("/v1/api-keys", body)
            }),
        ],
    ),
    row(
        "listApiKeys",
        &["keys:write"],
        &[own(|_| Ask::at("/v1/api-keys"))],
    ),
    row(
        "getApiKey",
        &["keys:write"],
        &[own(|ids| Ask::at(format!("/v1/api-keys/{}", ids.key)))],
    ),
    row(
        "revokeApiKey",
        &["keys:write"],
        &[own(|ids| Ask::at(format!("/v1/api-keys/{}", ids.key)))],
    ),
    Row {
        needs: Needs::Public("who has no session yet opens one with a key; the key is what counts"),
        done: &[401],
        ..row(
            "openSession",
            &[],
            &[own(|_| Ask::with("/v1/sessions", json!({ "key": "key_none" })))],
        )
    },
    row(
        "listSessions",
        &["keys:write"],
        &[own(|_| Ask::at("/v1/sessions"))],
    ),
    Row {
        done: &[200, 404],
        ..signed_in(
            "getCurrentSession",
            "whoever has a session may see it; a key has none",
            &[own(|_| Ask::at("/v1/sessions/current"))],
        )
    },
    Row {
        done: &[204, 404],
        ..signed_in(
            "endCurrentSession",
            "whoever has a session may end it",
            &[own(|_| Ask::at("/v1/sessions/current"))],
        )
    },
    row(
        "endSession",
        &["keys:write"],
        &[own(|ids| Ask::at(format!("/v1/sessions/{}", ids.session)))],
    ),
    row(
        "createVault",
        &["vaults:write"],
        &[own(|_| {
            Ask::with("/v1/vaults", json!({ "name": "More", "chains": [] }))
        })],
    ),
    row("listVaults", &["vaults:read"], &[own(|_| Ask::at("/v1/vaults"))]),
    row(
        "getVault",
        &["vaults:read"],
        &[
            own(|ids| Ask::at(format!("/v1/vaults/{}", ids.vault))),
            own(|ids| Ask::at(format!("/v1/vaults/{}?asOf={}", ids.vault, ids.then))),
        ],
    ),
    row(
        "changeVault",
        &["vaults:write"],
        &[own(|ids| {
            Ask::with(format!("/v1/vaults/{}", ids.vault), json!({ "name": "Renamed" }))
        })],
    ),
    row(
        "addAccount",
        &["accounts:write"],
        &[own(|ids| {
            let body = json!({ "chain": "eip155:31337" });
            Ask::with(format!("/v1/vaults/{}/accounts", ids.vault), body)
        })],
    ),
    row(
        "getAccount",
        &["vaults:read"],
        &[
            own(|ids| Ask::at(format!("/v1/accounts/{}", ids.account))),
            own(|ids| Ask::at(format!("/v1/accounts/{}?asOf={}", ids.account, ids.then))),
        ],
    ),
    row(
        "changeAccount",
        &["accounts:write"],
        &[own(|ids| {
            Ask::with(
                format!("/v1/accounts/{}", ids.account),
                json!({ "label": "Renamed" }),
            )
        })],
    ),
    row(
        "freezeAccount",
        &["accounts:write"],
        &[own(|ids| {
            Ask::with(format!("/v1/accounts/{}/freeze", ids.account), reason())
        })],
    ),
    row(
        "unfreezeAccount",
        &["accounts:write"],
        &[own(|ids| {
            Ask::with(format!("/v1/accounts/{}/unfreeze", ids.account), reason())
        })],
    ),
    row(
        "requestTransfer",
        &["transfers:write"],
        &[
            own(|ids| {
                let body = json!({ "accountId": ids.account, "asset": ETH, "amount": "1", "destination": SOMEWHERE });
                Ask::with("/v1/transfers", body)
            }),
            own(|ids| {
                let body = json!({
                    "vaultId": ids.vault, "accountId": ids.account, "asset": ETH, "amount": "1", "destination": SOMEWHERE,
                });
                Ask::with("/v1/transfers", body)
            }),
        ],
    ),
    row(
        "listTransfers",
        &["transfers:read"],
        &[
            own(|_| Ask::at("/v1/transfers")),
            own(|ids| Ask::at(format!("/v1/transfers?vaultId={}", ids.vault))),
        ],
    ),
    row(
        "getTransfer",
        &["transfers:read"],
        &[
            own(|ids| Ask::at(format!("/v1/transfers/{}", ids.transfer))),
            own(|ids| Ask::at(format!("/v1/transfers/{}?asOf={}", ids.transfer, ids.then))),
        ],
    ),
    // The tenant's transfer is over: who may decide hears that, and who may not hears nothing of it.
    Row {
        done: &[409],
        ..row(
            "approveTransfer",
            &["transfers:approve"],
            &[own(|ids| {
                Ask::with(format!("/v1/transfers/{}/approve", ids.transfer), reason())
            })],
        )
    },
    Row {
        done: &[409],
        ..row(
            "denyTransfer",
            &["transfers:approve"],
            &[own(|ids| {
                Ask::with(format!("/v1/transfers/{}/deny", ids.transfer), reason())
            })],
        )
    },
    Row {
        done: &[409],
        ..row(
            "cancelTransfer",
            &["transfers:write"],
            &[own(|ids| {
                Ask::with(format!("/v1/transfers/{}/cancel", ids.transfer), reason())
            })],
        )
    },
    row(
        "eraseSubject",
        &["erasures:write"],
        &[
            own(|ids| {
                let body = json!({ "subject": ids.transfer, "data": ["memo"], "grounds": "request" });
                Ask::with("/v1/erasures", body)
            }),
            reached(|ids| {
                let body = json!({ "subject": ids.organization, "data": ["contact"], "grounds": "request" });
                Ask::with("/v1/erasures", body)
            }),
        ],
    ),
    row(
        "getErasure",
        &["erasures:write"],
        &[
            own(|ids| Ask::at(format!("/v1/erasures/{}", ids.transfer))),
            reached(|ids| Ask::at(format!("/v1/erasures/{}", ids.organization))),
        ],
    ),
    row(
        "listEvents",
        &["events:read"],
        &[
            own(|_| Ask::at("/v1/events?limit=5")),
            reached(|ids| Ask::at(format!("/v1/events?limit=5&organization={}", ids.organization))),
            reached(|ids| Ask::at(format!("/v1/events?limit=5&stream={}", ids.transfer))),
        ],
    ),
    platform("listViews", &["views:write"], &[own(|_| Ask::at("/v1/views"))]),
    platform(
        "listQuarantine",
        &["views:write"],
        &[own(|_| Ask::at("/v1/views/lookup/quarantine"))],
    ),
    Row {
        done: &[202, 409],
        ..platform(
            "retryView",
            &["views:write"],
            &[own(|_| Ask::with("/v1/views/lookup/retries", reason()))],
        )
    },
    Row {
        done: &[202, 409],
        ..platform(
            "rebuildView",
            &["views:write"],
            &[own(|_| Ask::with("/v1/views/lookup/rebuilds", reason()))],
        )
    },
    signed_in(
        "getCommand",
        "it says no more than the answer to the command said, to the same organization",
        &[own(|ids| Ask::at(format!("/v1/commands/{}", ids.command)))],
    ),
    signed_in(
        "listChains",
        "what the installation serves is no tenant's secret",
        &[own(|_| Ask::at("/v1/chains"))],
    ),
    signed_in(
        "checkAddress",
        "it looks at nothing but the text",
        &[own(|_| {
            let body = json!({ "chain": "eip155:31337", "address": SOMEWHERE });
            Ask::with("/v1/addresses/validate", body)
        })],
    ),
    row(
        "askFaucet",
        &["sandbox:faucet"],
        &[own(|_| {
            let body = json!({ "address": SOMEWHERE, "amount": "1" });
            Ask::with("/v1/sandbox/eth_sandbox/faucet", body)
        })],
    ),
];
