//! Answers with everything that belongs to them.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vault_should_answer_with_everything_it_owns() {
    let world = World::start().await;
    let me = world.reader().await;
    let held = world.vault(&me, "Operations").await;
    let transfer = world.transfer(&me, held).await;
    world.settled().await;
    let query = "query($id: ID!) { vault(id: $id) { id name tier status version
        accounts { id status address chain { id slug assets { symbol native } } balances { minor } }
        balances { asset minor decimals symbol block { height } }
        totals { minor symbol }
        transfers(first: 5) { nodes { id status amount { minor symbol } account { label } vault { name } } } }
        viewer { organization { name approval } scopes } totals { vaults accounts openTransfers transfers { status count } }
        chains { id head { height } } freshness { lagMs token families { family views { view head } } } }";
    let answer = world.ask(&me, query, json!({ "id": held.vault })).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let vault = &answer["data"]["vault"];
    assert_eq!(vault["name"], "Operations");
    assert_eq!(vault["tier"], "hot");
    assert_eq!(vault["accounts"][0]["status"], "open");
    assert_eq!(vault["accounts"][0]["chain"]["slug"], "eth_sandbox");
    assert_eq!(vault["balances"][0]["asset"], ETHER);
    assert_eq!(
        vault["totals"][0],
        json!({ "minor": "5000000000000000000", "symbol": "ETH" })
    );
    let listed = &vault["transfers"]["nodes"][0];
    assert_eq!(listed["id"], transfer.to_string());
    assert_eq!(listed["amount"]["minor"], "1000000000000000000");
    assert_eq!(listed["vault"]["name"], "Operations");
    let data = &answer["data"];
    assert_eq!(data["totals"]["vaults"], 1);
    assert_eq!(data["totals"]["openTransfers"], 1);
    assert_eq!(
        data["viewer"]["organization"],
        json!({ "name": "Acme", "approval": "none" })
    );
    assert_eq!(data["chains"][0]["head"], Value::Null);
    let token = data["freshness"]["token"].as_str().expect("a token");
    let again = "query($id: ID!, $t: String) { vault(id: $id, atLeast: $t) { name } }";
    let answer = world
        .ask(&me, again, json!({ "id": held.vault, "t": token }))
        .await;
    assert_eq!(answer["data"]["vault"]["name"], "Operations");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeline_should_be_the_stream_in_the_log() {
    let world = World::start().await;
    let me = world.reader().await;
    let held = world.vault(&me, "Operations").await;
    let transfer = world.transfer(&me, held).await;
    let owner = Owner::Vault(held.vault);
    let screened = Screened {
        approvals_needed: 1,
        rule: "everything needs one".into(),
    };
    world
        .history
        .put(transfer, me.organization, owner, &screened)
        .await;
    world
        .history
        .put(transfer, me.organization, owner, &Approved { approvals: 1 })
        .await;
    world.settled().await;
    let query = "query($id: ID!) { transfer(id: $id) { status approvals rule requestedBy
        timeline(last: 10) { nodes { id sequence type actor position hash previousHash approvals approvalsNeeded rule data }
        pageInfo { hasPreviousPage hasNextPage } } } }";
    let answer = world.ask(&me, query, json!({ "id": transfer })).await;
    let shown = &answer["data"]["transfer"];
    assert_eq!(shown["status"], "approved", "{answer}");
    assert_eq!(
        shown["timeline"]["pageInfo"],
        json!({ "hasPreviousPage": false, "hasNextPage": false })
    );
    let timeline = shown["timeline"]["nodes"].as_array().expect("entries");
    let types: Vec<_> = timeline.iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(
        types,
        ["transfer.requested", "transfer.screened", "transfer.approved"]
    );
    assert_eq!(timeline[1]["rule"], "everything needs one");
    assert_eq!(timeline[2]["approvals"], 1);
    for pair in timeline.windows(2) {
        assert_eq!(
            pair[1]["previousHash"], pair[0]["hash"],
            "the chain of hashes is shown"
        );
    }
    assert_eq!(timeline[0]["data"]["amount"], "1000000000000000000");
}
