//! Tenants that do not see each other, terms that lead home, and waiting for what was written.

use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{OrganizationId, ShardNumber, StreamId};
use vaultstream_projectors::read::PageRequest;
use vaultstream_projectors::rows::LookupKind;
use vaultstream_projectors::{ReadError, Reads, ViewName};

use crate::history::History;
use crate::reads::node;
use crate::setup::Node;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_should_not_see_each_other_and_terms_should_lead_home() {
    let (mut node, history) = node(34, 1_200).await;
    let [mine, theirs] = history.organizations[..] else {
        panic!("two tenants")
    };
    let (vault, _) = *history
        .vaults
        .iter()
        .find(|(_, of)| *of == theirs)
        .expect("they have one");
    let (transfer, _) = *history
        .transfers
        .iter()
        .find(|(_, of)| *of == theirs)
        .expect("they have one");
    let (execution, _) = *history
        .executions
        .iter()
        .find(|(_, of)| *of == theirs)
        .expect("they have one");
    let account = *history
        .accounts
        .iter()
        .find(|a| a.organization == theirs)
        .expect("they have one");
    let reads = &node.reads;
    assert!(reads.vault(mine, vault).await.expect("readable").is_none());
    assert!(reads.transfer(mine, transfer).await.expect("readable").is_none());
    assert!(
        reads
            .execution(mine, execution)
            .await
            .expect("readable")
            .is_none()
    );
    assert!(reads.account(mine, account.id).await.expect("readable").is_none());
    assert_eq!(
        reads.accounts_of_vault(mine, vault).await.expect("readable"),
        vec![]
    );
    assert_eq!(
        reads.balances_of_vault(mine, vault).await.expect("readable"),
        vec![]
    );
    let streams: [StreamId; 4] = [vault.into(), transfer.into(), execution.into(), account.id.into()];
    terms_should_lead_home(reads, [mine, theirs], streams).await;
    directory_should_know_both(reads, [mine, theirs]).await;
    node.stop().await;
}

async fn terms_should_lead_home(reads: &Reads, [mine, theirs]: [OrganizationId; 2], streams: [StreamId; 4]) {
    let row = reads
        .account(theirs, streams[3].try_into().expect("an account"))
        .await
        .expect("readable")
        .expect("theirs");
    let address = row.address.expect("open");
    let name = reads
        .vault(theirs, streams[0].try_into().expect("a vault"))
        .await
        .expect("readable")
        .expect("theirs")
        .name;
    let txid = reads
        .execution(theirs, streams[2].try_into().expect("an execution"))
        .await
        .expect("readable")
        .expect("theirs")
        .txid;
    let mut terms = vec![
        (streams[0].to_string(), LookupKind::Vault),
        (streams[1].to_string().to_uppercase(), LookupKind::Transfer),
        (streams[2].to_string(), LookupKind::Execution),
        (address.to_uppercase().replacen('X', "x", 1), LookupKind::Account),
        (name.chars().take(4).collect(), LookupKind::Vault),
    ];
    terms.extend(txid.map(|txid| (txid, LookupKind::Execution)));
    for (term, kind) in terms {
        let hits = reads.lookup(theirs, &term, 50).await.expect("readable");
        assert!(
            hits.iter()
                .any(|hit| hit.kind == kind && hit.organization_id == theirs),
            "{term}: {hits:?}"
        );
        let foreign = reads.lookup(mine, &term, 50).await.expect("readable");
        assert!(
            foreign.iter().all(|hit| hit.organization_id == mine),
            "{term}: {foreign:?}"
        );
    }
    for nothing in ["", "   ", "no such thing", "vlt_nonsense", &"x".repeat(10_000)] {
        assert_eq!(
            reads.lookup(mine, nothing, 5).await.expect("readable"),
            vec![],
            "{nothing:.20}"
        );
    }
}

async fn directory_should_know_both(reads: &Reads, organizations: [OrganizationId; 2]) {
    for (n, organization) in organizations.into_iter().enumerate() {
        let keys = reads
            .api_keys(organization, &PageRequest::first(5))
            .await
            .expect("readable");
        let key = keys.rows().next().expect("one key").clone();
        assert_eq!(
            (key.organization_id, key.revoked_at.is_some()),
            (organization, n == 1)
        );
        assert_eq!(reads.api_key(key.id).await.expect("readable"), Some(key.clone()));
        let sessions = reads
            .sessions(organization, &PageRequest::first(5))
            .await
            .expect("readable");
        let session = sessions.rows().next().expect("one session").clone();
        assert_eq!((session.key_id, session.code_sha256.is_none()), (key.id, true));
        assert_eq!(reads.session(session.id).await.expect("readable"), Some(session));
        assert!(
            reads
                .organization(organization)
                .await
                .expect("readable")
                .is_some()
        );
    }
    let all = reads
        .organizations(&PageRequest::first(10))
        .await
        .expect("readable");
    assert_eq!(all.items.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_should_end_when_the_views_are_there_or_say_how_far_they_are() {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), 35);
    node.projector.prepare().await.expect("prepared");
    history.live(node.log.as_ref(), 200).await;
    let positions = node.positions().await;
    let behind = node
        .reads
        .wait(&[ViewName::Vaults], &positions, 50)
        .await
        .expect_err("nobody folds");
    assert!(
        matches!(&behind, ReadError::Behind(b) if b.reached == 0 && b.wanted > 0),
        "{behind}"
    );
    node.reads
        .wait(&[ViewName::Vaults], &Positions::default(), 0)
        .await
        .expect("nothing is asked for");
    let waiting = {
        let (reads, positions) = (node.reads.clone(), positions.clone());
        tokio::spawn(async move { reads.wait(&ViewName::ALL, &positions, 30_000).await })
    };
    node.start();
    waiting.await.expect("no panic").expect("the views came");
    assert_eq!(
        node.reads
            .positions(&ViewName::ALL)
            .await
            .expect("readable")
            .0
            .get(&ShardNumber(0)),
        positions.0.get(&ShardNumber(0))
    );
    let (shard, place) = positions
        .0
        .iter()
        .find(|(_, place)| place.position > 0)
        .expect("something was written");
    let other = Positions::one(
        *shard,
        Place {
            incarnation: 7,
            ..*place
        },
    );
    let refused = node
        .reads
        .wait(&ViewName::ALL, &other, 10)
        .await
        .expect_err("another life");
    assert!(matches!(refused, ReadError::OtherLife { shard: s } if s == *shard));
    node.stop().await;
}
