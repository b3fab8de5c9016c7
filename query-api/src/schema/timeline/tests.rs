//! The timeline from its end, what a transfer says of itself, and following one that no view has yet.

mod meaning;

use futures::StreamExt;
use serde_json::{Value, json};
use vaultstream_domain::transfer::execution_id;
use vaultstream_event_schemas::TransferId;
use vaultstream_event_schemas::chain::Intent;
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::execution::v1::{BroadcastOutcome, BroadcastTried, Queued};
use vaultstream_event_schemas::payload::encode;
use vaultstream_event_schemas::transfer::v1::ExecutionStarted;

use crate::caller::Caller;
use crate::rig::fold;
use crate::rig::world::{Held, Tenant, World, code, ether};
use crate::schema::{self, Loaders};

const PAGE: &str = "query($id: ID!, $last: Int!, $before: String) { transfer(id: $id) {
    timeline(last: $last, before: $before) {
        nodes { position sequence subjectId } edges { cursor } pageInfo { hasPreviousPage hasNextPage startCursor } } } }";

/// A transfer whose execution was sent as often as is recorded.
async fn sent_again_and_again(world: &World, me: &Tenant, held: Held) -> TransferId {
    let (history, owner) = (&world.history, Owner::Vault(held.vault));
    let transfer = world.transfer(me, held).await;
    let execution = execution_id(transfer);
    let started = ExecutionStarted { execution };
    history.put(transfer, me.organization, owner, &started).await;
    let queued = Queued {
        account: held.account,
        chain: ether().chain(),
        intent: Intent {
            amount: vaultstream_event_schemas::Amount::from_u128(1),
            asset: ether(),
            destination: "0xaa".into(),
            source: "0xbb".into(),
        },
        transfers: vec![transfer],
    };
    history.put(execution, me.organization, owner, &queued).await;
    let tried = (0..100).map(|n| {
        let tried = BroadcastTried {
            attempt: 1,
            detail: format!("try {n}"),
            node: "node".into(),
            outcome: BroadcastOutcome::Ambiguous,
        };
        encode(&tried).expect("canonical")
    });
    history
        .append(execution, me.organization, owner, tried.collect())
        .await;
    transfer
}

fn positions(page: &Value) -> Vec<u64> {
    let nodes = page["nodes"].as_array().into_iter().flatten();
    nodes.filter_map(|node| node["position"].as_u64()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeline_should_end_with_the_newest_and_page_back_to_the_first() {
    let world = World::start().await;
    let me = world.reader().await;
    let held = world.vault(&me, "Operations").await;
    let transfer = sent_again_and_again(&world, &me, held).await;
    world.settled().await;
    let page = async |last: i32, before: Value| {
        let variables = json!({ "id": transfer, "last": last, "before": before });
        let answer = world.ask(&me, PAGE, variables).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        answer["data"]["transfer"]["timeline"].clone()
    };
    let whole = page(200, Value::Null).await;
    let all = positions(&whole);
    assert_eq!(
        (all.len(), &whole["pageInfo"]["hasPreviousPage"]),
        (103, &json!(false))
    );
    assert!(
        all.windows(2).all(|pair| pair[0] < pair[1]),
        "in the shard's order"
    );
    assert_eq!(
        whole["nodes"][102]["sequence"], 101,
        "the last try of the execution"
    );
    let (mut before, mut walked, mut pages) = (Value::Null, Vec::new(), 0);
    loop {
        let found = page(40, before.clone()).await;
        walked.splice(0..0, positions(&found));
        pages += 1;
        let info = &found["pageInfo"];
        assert_eq!(info["hasNextPage"], json!(!before.is_null()));
        assert_eq!(info["startCursor"], found["edges"][0]["cursor"]);
        before = info["startCursor"].clone();
        if info["hasPreviousPage"] == json!(false) {
            break;
        }
    }
    assert_eq!((walked, pages), (all, 3), "no gap and no repetition");
    assert_eq!(page(1, Value::Null).await["nodes"], json!([whole["nodes"][102]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeline_should_refuse_sizes_and_cursors_of_others_by_name() {
    let world = World::start().await;
    let me = world.reader().await;
    let held = world.vault(&me, "Operations").await;
    let (one, other) = (world.transfer(&me, held).await, world.transfer(&me, held).await);
    world.settled().await;
    let ask = async |id: TransferId, last: i32, before: Value| {
        world
            .ask(&me, PAGE, json!({ "id": id, "last": last, "before": before }))
            .await
    };
    let cursor =
        ask(one, 5, Value::Null).await["data"]["transfer"]["timeline"]["pageInfo"]["startCursor"].clone();
    let beyond = ask(one, 5, cursor.clone()).await;
    assert!(
        positions(&beyond["data"]["transfer"]["timeline"]).is_empty(),
        "{beyond}"
    );
    for (id, last, before, refused, field) in [
        (one, 0, Value::Null, "invalid-field", "last"),
        (one, 201, Value::Null, "invalid-field", "last"),
        (other, 5, cursor, "cursor-invalid", "before"),
        (one, 5, json!("AAAA"), "cursor-invalid", "before"),
    ] {
        let answer = ask(id, last, before).await;
        assert_eq!(code(&answer), refused, "{answer}");
        assert_eq!(answer["errors"][0]["extensions"]["field"], field);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memo_should_be_opened_for_its_tenant_and_gone_once_erased() {
    let world = World::start().await;
    let (me, stranger) = (world.reader().await, world.reader().await);
    let held = world.vault(&me, "Operations").await;
    let (noted, plain) = (world.history.transfer(2), world.transfer(&me, held).await);
    world.request(&me, held, noted, Some("Rent for May")).await;
    world.settled().await;
    let query = "query($id: ID!) { transfer(id: $id) { memo memoErased status } }";
    let memo = async |tenant: &Tenant, id: TransferId| world.ask(tenant, query, json!({ "id": id })).await;
    assert_eq!(memo(&me, noted).await["data"]["transfer"]["memo"], "Rent for May");
    assert_eq!(memo(&me, plain).await["data"]["transfer"]["memo"], Value::Null);
    assert_eq!(code(&memo(&stranger, noted).await), "not-found");
    world
        .services
        .keyring
        .erase(&noted.to_string())
        .await
        .expect("erased");
    let erased = memo(&me, noted).await;
    assert_eq!(
        erased["data"]["transfer"],
        json!({ "memo": null, "memoErased": true, "status": "requested" }),
        "{erased}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfer_should_be_followed_by_its_id_before_any_view_has_it() {
    let (world, projector) = World::unfolded().await;
    let (me, stranger) = (world.reader().await, world.reader().await);
    let held = world.vault(&me, "Operations").await;
    let transfer = world.transfer(&me, held).await;
    let schema = schema::build(world.services.clone());
    let follow = |tenant: &Tenant, id: TransferId| {
        let query = format!(
            "subscription {{ transferUpdates(transferId: \"{id}\") {{ transfer {{ id status }} }} }}"
        );
        let loaders = Loaders::of_subscription(world.services.reads.clone(), tenant.organization);
        let request = async_graphql::Request::new(query);
        schema
            .execute_stream(request.data(Caller::new(tenant.principal())).data(loaders))
            .boxed()
    };
    for (tenant, id) in [(&stranger, transfer), (&me, world.history.transfer(2))] {
        let refused = follow(tenant, id).next().await.expect("an answer");
        assert!(refused.errors[0].message.contains("not"), "{refused:?}");
    }
    let mut mine = follow(&me, transfer);
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), mine.next()).await;
    assert!(early.is_err(), "nothing is known yet: {early:?}");
    fold(projector);
    let item = tokio::time::timeout(std::time::Duration::from_secs(20), mine.next()).await;
    let item = item.expect("in time").expect("an item");
    let data = item.data.into_json().expect("JSON");
    assert_eq!(
        data["transferUpdates"]["transfer"],
        json!({ "id": transfer, "status": "requested" })
    );
}
