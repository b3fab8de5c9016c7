//! `POST /graphql` over a real log and real views.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::transfer::v1::{Approved, Screened};
use vaultstream_event_schemas::{ErrorCode, ShardNumber};

use crate::observer::Fact;
use crate::rig::world::{ETHER, World, code};

const VAULTS: &str = "query($first: Int!, $after: String, $filter: VaultFilter, $sort: VaultSort! = newest) {
    vaults(first: $first, after: $after, filter: $filter, sort: $sort) {
        nodes { id name } edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage endCursor } } }";

fn names(answer: &Value) -> Vec<&str> {
    let nodes = answer["data"]["vaults"]["nodes"].as_array();
    nodes
        .into_iter()
        .flatten()
        .filter_map(|n| n["name"].as_str())
        .collect()
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_should_go_on_where_they_stopped_and_refuse_other_cursors() {
    let world = World::start().await;
    let me = world.reader().await;
    let stranger = world.reader().await;
    for name in ["Alpha", "Beta", "Gamma"] {
        world.vault(&me, name).await;
    }
    world.settled().await;
    let first = world
        .ask(&me, VAULTS, json!({ "first": 2, "sort": "name" }))
        .await;
    assert_eq!(names(&first), ["Alpha", "Beta"]);
    let info = &first["data"]["vaults"]["pageInfo"];
    assert_eq!(
        (&info["hasNextPage"], &info["hasPreviousPage"]),
        (&json!(true), &json!(false))
    );
    let after = info["endCursor"].clone();
    let second = world
        .ask(&me, VAULTS, json!({ "first": 2, "sort": "name", "after": after }))
        .await;
    assert_eq!(names(&second), ["Gamma"]);
    assert_eq!(second["data"]["vaults"]["pageInfo"]["hasNextPage"], false);
    let other_sort = world
        .ask(
            &me,
            VAULTS,
            json!({ "first": 2, "sort": "newest", "after": after }),
        )
        .await;
    assert_eq!(code(&other_sort), "cursor-invalid");
    let stolen = world
        .ask(
            &stranger,
            VAULTS,
            json!({ "first": 2, "sort": "name", "after": after }),
        )
        .await;
    assert_eq!(code(&stolen), "cursor-invalid", "a cursor belongs to its tenant");
    let prefix = json!({ "first": 5, "sort": "name", "filter": { "namePrefix": "be" } });
    assert_eq!(names(&world.ask(&me, VAULTS, prefix).await), ["Beta"]);
    for bad in [0, -1, 201] {
        let refused = world.ask(&me, VAULTS, json!({ "first": bad })).await;
        assert_eq!(
            (code(&refused), &refused["errors"][0]["extensions"]["field"]),
            ("invalid-field", &json!("first"))
        );
    }
    let no_asset = world
        .ask(&me, VAULTS, json!({ "first": 5, "sort": "balance" }))
        .await;
    assert_eq!(no_asset["errors"][0]["extensions"]["field"], "sortAsset");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_ids_should_look_like_ids_that_never_were() {
    let world = World::start().await;
    let (me, stranger) = (world.reader().await, world.reader().await);
    let held = world.vault(&me, "Mine").await;
    let transfer = world.transfer(&me, held).await;
    world.settled().await;
    let never = world.history.vault();
    for (query, id) in [
        (
            "query($id: ID!) { vault(id: $id) { name } }",
            held.vault.to_string(),
        ),
        ("query($id: ID!) { vault(id: $id) { name } }", never.to_string()),
        ("query($id: ID!) { node(id: $id) { id } }", held.vault.to_string()),
        (
            "query($id: ID!) { node(id: $id) { id } }",
            held.account.to_string(),
        ),
        ("query($id: ID!) { node(id: $id) { id } }", transfer.to_string()),
        (
            "query($id: ID!) { node(id: $id) { id } }",
            me.organization.to_string(),
        ),
        ("query($id: ID!) { node(id: $id) { id } }", me.key.to_string()),
        (
            "query($id: ID!) { transfer(id: $id) { status } }",
            transfer.to_string(),
        ),
        (
            "query($id: ID!) { balances(vaultId: $id) { minor } }",
            held.vault.to_string(),
        ),
    ] {
        let answer = world.ask(&stranger, query, json!({ "id": id })).await;
        assert_eq!(code(&answer), "not-found", "{query} {id}: {answer}");
        let shown = answer["data"]
            .as_object()
            .and_then(|d| d.values().next())
            .cloned();
        assert!(shown.is_none_or(|v| v.is_null()), "{answer}");
    }
    for query in [
        "{ feed(first: 50) { nodes { id } } }",
        "{ transfers(first: 50) { nodes { id } } }",
    ] {
        let answer = world.ask(&stranger, query, json!({})).await;
        assert!(!answer.to_string().contains(&held.vault.to_string()), "{answer}");
    }
    let found = world
        .ask(&stranger, r#"{ search(text: "Mi", first: 5) { id } }"#, json!({}))
        .await;
    assert_eq!(found["data"]["search"], json!([]));
    let own = world
        .ask(
            &me,
            r#"{ search(text: "Mi", first: 5) { id kind label } }"#,
            json!({}),
        )
        .await;
    assert_eq!(own["data"]["search"][0]["id"], held.vault.to_string());
    let bad = world
        .ask(&me, r#"{ vault(id: "vlt_nope") { id } }"#, json!({}))
        .await;
    assert_eq!(code(&bad), "invalid-field");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_scope_should_be_named() {
    let world = World::start().await;
    let narrow = world.tenant(&["vaults:read"]).await;
    for (query, scope) in [
        ("{ transfers(first: 1) { nodes { id } } }", "transfers:read"),
        ("{ feed(first: 1) { nodes { id } } }", "events:read"),
        ("{ totals { vaults } }", "transfers:read"),
    ] {
        let answer = world.ask(&narrow, query, json!({})).await;
        assert_eq!(code(&answer), "scope-missing");
        assert!(
            answer["errors"][0]["message"]
                .as_str()
                .is_some_and(|m| m.contains(scope)),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_least_should_wait_and_then_say_how_far_behind() {
    let world = World::start().await;
    let me = world.reader().await;
    world.settled().await;
    let heads = world.services.log.heads().await.expect("heads");
    let incarnation = heads[&ShardNumber(0)].incarnation;
    let ahead = Place {
        incarnation,
        position: heads[&ShardNumber(0)].position + 1,
    };
    let token = world
        .services
        .mac
        .seal_token(&Positions::one(ShardNumber(0), ahead));
    let query = "query($t: String) { vaults(first: 1, atLeast: $t) { nodes { name } } }";
    let started = Instant::now();
    let answer = world.ask(&me, query, json!({ "t": token })).await;
    assert_eq!(code(&answer), "read-model-behind", "{answer}");
    assert!(started.elapsed() >= Duration::from_millis(1_900) && started.elapsed() < Duration::from_secs(4));
    let (asking, _) = tokio::join!(world.ask(&me, query, json!({ "t": token })), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.vault(&me, "Late").await
    });
    assert_eq!(
        asking["data"]["vaults"]["nodes"][0]["name"], "Late",
        "the write is read: {asking}"
    );
    let forged = world.ask(&me, query, json!({ "t": "AAAA" })).await;
    assert_eq!(
        (code(&forged), &forged["errors"][0]["extensions"]["field"]),
        ("token-invalid", &json!("atLeast"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn door_should_refuse_before_reading() {
    let world = World::start().await;
    let me = world.reader().await;
    let query = json!({ "query": "{ viewer { actor } }" }).to_string();
    let request = |name: &str, value: &str, content: &str, body: String| {
        let builder = Request::post("/graphql")
            .header("host", "127.0.0.1")
            .header("content-type", content);
        builder
            .header(name, value)
            .body(Body::from(body))
            .expect("a request")
    };
    let json_type = "application/json";
    for (request, status, code) in [
        (
            request("x-nothing", "1", json_type, query.clone()),
            401,
            "unauthenticated",
        ),
        (
            request("authorization", "Bearer key_wrong", json_type, query.clone()),
            401,
            "unauthenticated",
        ),
        (
            request("cookie", &me.cookie, json_type, query.clone()),
            403,
            "csrf-header-missing",
        ),
        (
            request("authorization", &me.bearer, "text/plain", query.clone()),
            415,
            "unsupported-media-type",
        ),
        (
            request("authorization", &me.bearer, json_type, " ".repeat(65 * 1024)),
            413,
            "body-too-large",
        ),
        (
            request("authorization", &me.bearer, json_type, format!("[{query}]")),
            400,
            "invalid-json",
        ),
        (
            request(
                "authorization",
                &me.bearer,
                json_type,
                "{\"query\":\"{a}\",\"x\":1}".into(),
            ),
            400,
            "unknown-field",
        ),
    ] {
        let (answered, problem) = world.send(request).await;
        assert_eq!(
            (answered.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{problem}"
        );
    }
    let get = Request::get("/graphql")
        .header("host", "127.0.0.1")
        .body(Body::empty())
        .expect("a request");
    assert_eq!(world.send(get).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let own_page = Request::post("/graphql")
        .header("host", "127.0.0.1")
        .header("cookie", &me.cookie)
        .header(vaultstream_client::BROWSER_HEADER, "1")
        .header("content-type", json_type)
        .body(Body::from(query))
        .expect("a request");
    let (_, answer) = world.send(own_page).await;
    assert!(
        answer["data"]["viewer"]["actor"]
            .as_str()
            .is_some_and(|a| a.starts_with("session:")),
        "{answer}"
    );
}

fn hostile() -> Vec<(&'static str, String, &'static str)> {
    let deep = format!("{}{}", "{ vaults(first: 1) { nodes ".repeat(8), "}}".repeat(8));
    let nested = format!("{{ a(x: {}{}) }}", "[".repeat(20_000), "]".repeat(20_000));
    let wide = format!("{{ {} }}", "chains { id } ".repeat(2_500));
    let leaves = format!("{{ chains {{ {} }} }}", "id ".repeat(2_500));
    let aliases: String = (0..31).map(|i| format!("a{i}: viewer {{ actor }} ")).collect();
    let mut bomb = String::from("{ ...f0 }");
    for i in 0..60 {
        bomb.push_str(&format!(" fragment f{i} on Query {{ ...f{0} ...f{0} }}", i + 1));
    }
    bomb.push_str(" fragment f60 on Query { viewer { actor } }");
    let pages = "{ vaults(first: 200) { nodes { transfers(first: 200) { nodes { id timeline(last: 200) { nodes { id } } } } } } }";
    let complex = "query-too-complex";
    vec![
        ("deep", deep, complex),
        ("brackets", nested, complex),
        ("unclosed", "{".repeat(60_000), complex),
        ("wide", wide, complex),
        ("leaves", leaves, complex),
        ("aliases", format!("{{ {aliases} }}"), complex),
        ("fragment bomb", bomb, complex),
        ("pages of pages", pages.to_owned(), complex),
        (
            "root fields",
            format!("{{ {} }}", "viewer { actor } ".repeat(16)),
            complex,
        ),
        (
            "directives",
            format!("{{ viewer {{ actor {} }} }}", "@skip(if: false) ".repeat(400)),
            complex,
        ),
        (
            "cycle",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".into(),
            "query-invalid",
        ),
        (
            "self",
            "{ ...a } fragment a on Query { ...a }".into(),
            "query-invalid",
        ),
        (
            "huge integer",
            "{ vaults(first: 99999999999999999999999999999999) { nodes { id } } }".into(),
            "query-invalid",
        ),
        (
            "big integer",
            "{ vaults(first: 4294967297) { nodes { id } } }".into(),
            "query-invalid",
        ),
        (
            "unknown field",
            "{ vaults(first: 1) { secrets } }".into(),
            "query-invalid",
        ),
        (
            "unknown argument",
            "{ vaults(first: 1, last: 2) { nodes { id } } }".into(),
            "query-invalid",
        ),
        ("no first", "{ vaults { nodes { id } } }".into(), "query-invalid"),
        ("mutation", "mutation { a }".into(), "query-invalid"),
        (
            "subscription",
            "subscription { freshness { lagMs } }".into(),
            "query-invalid",
        ),
        ("empty", String::new(), "query-invalid"),
        ("garbage", "\u{0}\u{1}💥".into(), "query-invalid"),
    ]
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS"));
    line.and_then(|l| l.split_whitespace().nth(1))
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_queries_should_be_refused_quickly_and_leave_nothing_behind() {
    let world = World::start().await;
    let me = world.reader().await;
    world.ask(&me, "{ viewer { actor } }", json!({})).await;
    // the parser alone may take most of this in an unoptimised build; what matters is that nothing explodes
    let patience = Duration::from_millis(400);
    let mut resident = Vec::new();
    for _ in 0..6 {
        for (name, query, expected) in hostile() {
            let started = Instant::now();
            let answer = world.ask(&me, &query, json!({})).await;
            let took = started.elapsed();
            assert_eq!(
                code(&answer),
                expected,
                "{name}: {}",
                &answer.to_string()[..answer.to_string().len().min(400)]
            );
            assert!(answer["errors"][0]["extensions"]["remedy"].is_string(), "{name}");
            assert!(took < patience, "{name} took {took:?}");
        }
        resident.push(resident_kb());
    }
    let told = world.heard.times(Fact::Refused(ErrorCode::QueryTooComplex));
    let complex = hostile()
        .iter()
        .filter(|(_, _, code)| *code == "query-too-complex")
        .count();
    assert_eq!(told, 6 * complex, "each is told of");
    let (warm, last) = (resident[1], resident[5]);
    assert!(last < warm + 20_000, "resident memory grew: {resident:?} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schema_should_be_shown_to_keys_only() {
    let world = World::start().await;
    let me = world.reader().await;
    let query =
        "{ __schema { queryType { name } types { fields { type { ofType { ofType { name } } } } } } }";
    let answer = world.ask(&me, query, json!({})).await;
    assert_eq!(answer["data"]["__schema"]["queryType"]["name"], "Query");
    let body = json!({ "query": query }).to_string();
    let page = Request::post("/graphql")
        .header("host", "127.0.0.1")
        .header("cookie", &me.cookie)
        .header(vaultstream_client::BROWSER_HEADER, "1")
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json")
        .body(Body::from(body))
        .expect("a request");
    let (status, answer) = world.send(page).await;
    assert_eq!(
        (status, code(&answer)),
        (StatusCode::BAD_REQUEST, "query-invalid")
    );
}
