//! Rows of the views as the REST API answers them.

use vaultstream_client::{
    ApiKey, ApiKeyStatus, Approver, Execution, Failure, Organization, Session, SessionStatus, Transfer,
    Vault, VaultAccount,
};
use vaultstream_event_schemas::{AccountStatus, ErrorCode, Timestamp, TransferStatus};
use vaultstream_gateway::catalogue::ChainHeads;
use vaultstream_projectors::read;
use vaultstream_projectors::rows::{
    AccountRow, ApiKeyRow, ExecutionRow, OrganizationRow, SessionRow, VaultRow,
};

use super::Site;

pub(super) fn organization(row: &OrganizationRow) -> Organization {
    Organization {
        id: row.id,
        name: row.name.clone(),
        status: row.status,
        approval: row.approval,
        created_at: row.created_at,
        version: row.version,
        token: None,
    }
}

pub(super) fn api_key(row: &ApiKeyRow, now: Timestamp) -> ApiKey {
    let status = match (row.revoked_at, row.expires_at) {
        (Some(_), _) => ApiKeyStatus::Revoked,
        (None, Some(at)) if now >= at => ApiKeyStatus::Expired,
        (None, _) => ApiKeyStatus::Active,
    };
    ApiKey {
        id: row.id,
        name: row.name.clone(),
        organization_id: row.organization_id,
        scopes: row.scopes.clone(),
        status,
        created_at: row.created_at,
        expires_at: row.expires_at,
        version: row.version,
        key: None,
        token: None,
    }
}

pub(super) fn session(row: &SessionRow, now: Timestamp) -> Session {
    let status = match (row.revoked_at, now >= row.expires_at, row.opened_at) {
        (Some(_), ..) => SessionStatus::Revoked,
        (None, true, _) => SessionStatus::Expired,
        (None, false, Some(_)) => SessionStatus::Active,
        (None, false, None) => SessionStatus::Offered,
    };
    Session {
        id: row.id,
        key_id: row.key_id,
        organization_id: row.organization_id,
        scopes: row.scopes.clone(),
        status,
        created_at: row.created_at,
        expires_at: row.expires_at,
    }
}

/// A vault with its accounts; one whose own view has not seen it yet is opening.
pub(super) fn vault(row: &VaultRow, accounts: &[AccountRow]) -> Vault {
    let account = |listed: &vaultstream_projectors::rows::VaultAccount| {
        let known = accounts.iter().find(|a| a.id == listed.account_id);
        VaultAccount {
            id: listed.account_id,
            chain: listed.chain.clone(),
            status: known.map_or(AccountStatus::Opening, |a| a.status),
            address: known.and_then(|a| a.address.clone()),
        }
    };
    Vault {
        id: row.id,
        organization_id: row.organization_id,
        name: row.name.clone(),
        tier: row.tier,
        status: row.status,
        accounts: row.accounts.iter().map(account).collect(),
        created_at: row.created_at,
        version: row.version,
        token: None,
    }
}

impl Site {
    pub(super) fn transfer_row(&self, transfer: &read::Transfer) -> Transfer {
        let row = &transfer.row;
        let failure = match (&row.failure, &row.reason) {
            (Some(failure), _) => Some((ErrorCode::parse(&failure.code), failure.detail.clone())),
            (None, Some(reason)) => Some((None, reason.clone())),
            (None, None) => None,
        };
        let unscreened = matches!(row.status, TransferStatus::Requested | TransferStatus::Screening);
        let chain = row.asset.chain();
        Transfer {
            id: row.id,
            organization_id: row.organization_id,
            vault_id: row.vault_id,
            account_id: row.account_id,
            status: row.status,
            amount: self.catalogue.amount(&row.asset, row.amount),
            destination: row.destination.clone(),
            external_id: row.external_id.clone(),
            memo: None,
            memo_erased: row.memo_erased,
            fee_max: row
                .fee_max
                .and_then(|fee| self.catalogue.native_amount(&chain, fee)),
            approvals_needed: (!unscreened).then_some(row.approvals_needed),
            approvals: row
                .approved_by
                .iter()
                .map(|actor| Approver {
                    actor: actor.clone(),
                    at: None,
                })
                .collect(),
            failure: failure.map(|(code, detail)| Failure { code, detail }),
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            executions: transfer
                .executions
                .iter()
                .map(|e| self.execution_row(e))
                .collect(),
            version: row.version,
            token: None,
        }
    }

    fn execution_row(&self, row: &ExecutionRow) -> Execution {
        let tip = self.head(&row.chain).map(|head| head.tip.at.height);
        let depth = |height: u64| tip.and_then(|tip| tip.checked_sub(height)).map(|deep| deep + 1);
        Execution {
            id: row.id,
            status: row.status,
            txid: row.txid.clone(),
            attempts: row.attempts,
            confirmations: row.block.as_ref().and_then(|block| depth(block.height)),
            block: row.block.clone(),
            fee: row
                .fee
                .and_then(|fee| self.catalogue.native_amount(&row.chain, fee)),
        }
    }
}
