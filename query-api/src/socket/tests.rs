//! `graphql-transport-ws` with a real client over a real connection.

mod ends;

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use vaultstream_event_schemas::ErrorCode;
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::payload::encode;
use vaultstream_event_schemas::transfer::v1::{Approved, Screened};

use super::{MAX_OPERATIONS, PROTOCOL};
use crate::admission::MAX_SOCKETS;
use crate::observer::{Fact, SocketLimit};
use crate::rig::world::{Held, Tenant, World};

const SOON: Duration = Duration::from_secs(20);
const EVENTS: &str = "subscription($after: String, $types: [String!], $vault: ID) {
    events(after: $after, types: $types, vaultId: $vault) { cursor event { id type shard position vaultName } } }";

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What came next: a message, or the close code.
#[derive(Debug, PartialEq)]
enum Came {
    Said(Value),
    Closed(u16),
}

impl Client {
    async fn dial(world: &World, headers: &[(&'static str, String)], protocol: &str) -> Result<Self, u16> {
        let mut request = format!("ws://{}/graphql/ws", world.address)
            .into_client_request()
            .expect("an address");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol.parse().expect("a header"));
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, value.parse().expect("a header"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(refused)) => Err(refused.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// A socket whose introduction was taken.
    async fn open(world: &World, tenant: &Tenant) -> Self {
        let headers = [("authorization", tenant.bearer.clone())];
        let mut client = Self::dial(world, &headers, PROTOCOL).await.expect("upgraded");
        client.say(json!({ "type": "connection_init" })).await;
        assert_eq!(
            client.hear().await,
            Came::Said(json!({ "type": "connection_ack" }))
        );
        client
    }

    async fn say(&mut self, message: Value) {
        self.0
            .send(Message::Text(message.to_string().into()))
            .await
            .expect("sent");
    }

    async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.say(json!({ "type": "subscribe", "id": id, "payload": payload }))
            .await;
    }

    async fn hear(&mut self) -> Came {
        loop {
            let message = timeout(SOON, self.0.next()).await.expect("in time");
            match message {
                Some(Ok(Message::Text(text))) => {
                    return Came::Said(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Came::Closed(frame.map_or(1005, |f| f.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Came::Closed(1006),
            }
        }
    }

    /// The data of the next item.
    async fn item(&mut self) -> Value {
        match self.hear().await {
            Came::Said(said) if said["type"] == "next" => said["payload"]["data"].clone(),
            other => panic!("no item: {other:?}"),
        }
    }

    async fn closed(&mut self) -> u16 {
        loop {
            if let Came::Closed(code) = self.hear().await {
                return code;
            }
        }
    }

    async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(300), self.hear()).await.is_err()
    }
}

async fn approve(
    world: &World,
    tenant: &Tenant,
    held: Held,
    transfer: vaultstream_event_schemas::TransferId,
    n: u32,
) {
    let events = (0..n)
        .map(|i| encode(&Approved { approvals: i }).expect("canonical"))
        .collect();
    world
        .history
        .append(transfer, tenant.organization, Owner::Vault(held.vault), events)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_should_resume_across_sockets_without_gap_or_repetition() {
    let world = std::sync::Arc::new(World::start().await);
    let (me, stranger) = (world.reader().await, world.reader().await);
    let held = world.vault(&me, "Operations").await;
    let theirs = world.vault(&stranger, "Theirs").await;
    world.settled().await;
    let mut seen: Vec<(u64, u64)> = Vec::new();
    let mut cursor = Value::Null;
    let expected = 40 * 5;
    let mut first = Client::open(&world, &me).await;
    first
        .subscribe("a", EVENTS, json!({ "types": ["transfer.approved"] }))
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let transfer = world.transfer(&me, held).await;
    let foreign = world.transfer(&stranger, theirs).await;
    let writer = std::sync::Arc::clone(&world);
    let organizations = (me.organization, stranger.organization);
    let writing = tokio::spawn(async move {
        for _ in 0..40 {
            for (to, organization, vault) in [
                (transfer, organizations.0, held.vault),
                (foreign, organizations.1, theirs.vault),
            ] {
                let events = (0..5)
                    .map(|n| encode(&Approved { approvals: n }).expect("canonical"))
                    .collect();
                writer
                    .history
                    .append(to, organization, Owner::Vault(vault), events)
                    .await;
            }
        }
    });
    let mut client = Some(first);
    while seen.len() < expected {
        let mut socket = match client.take() {
            Some(socket) => socket,
            None => {
                let mut socket = Client::open(&world, &me).await;
                let variables = json!({ "types": ["transfer.approved"], "after": cursor });
                socket.subscribe("a", EVENTS, variables).await;
                socket
            }
        };
        for _ in 0..(7 + seen.len() % 23).min(expected - seen.len()) {
            let item = socket.item().await;
            let event = &item["events"]["event"];
            assert_eq!(event["vaultName"], "Operations");
            seen.push((
                event["shard"].as_u64().unwrap_or(0),
                event["position"].as_u64().unwrap_or(0),
            ));
            cursor = item["events"]["cursor"].clone();
        }
        // the connection breaks without a word
        drop(socket);
    }
    writing.await.expect("written");
    let truth: Vec<_> = world
        .services
        .log
        .read_stream(transfer.into(), 1, 10_000)
        .await
        .expect("reads")
        .iter()
        .map(|e| (u64::from(e.envelope.shard.0), e.position))
        .collect();
    assert_eq!(seen, truth);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn item_should_be_readable_by_a_query_the_moment_it_arrives() {
    let world = World::start().await;
    let me = world.reader().await;
    let held = world.vault(&me, "Operations").await;
    world.settled().await;
    let mut client = Client::open(&world, &me).await;
    client
        .subscribe(
            "a",
            EVENTS,
            json!({ "types": ["transfer.requested"], "vault": held.vault }),
        )
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..20 {
        let transfer = world.transfer(&me, held).await;
        let item = client.item().await;
        assert_eq!(item["events"]["event"]["id"], format!("{transfer}/1"));
        let answer = world
            .ask(
                &me,
                "query($id: ID!) { transfer(id: $id) { status } }",
                json!({ "id": transfer }),
            )
            .await;
        assert_eq!(answer["data"]["transfer"]["status"], "requested", "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_should_begin_with_the_present_and_follow_changes() {
    let world = World::start().await;
    let (me, stranger) = (world.reader().await, world.reader().await);
    let held = world.vault(&me, "Operations").await;
    let transfer = world.transfer(&me, held).await;
    world.settled().await;
    let mut client = Client::open(&world, &me).await;
    let query = "subscription($id: ID) { transferUpdates(transferId: $id) { token transfer { id status vault { name } } } }";
    client.subscribe("t", query, json!({ "id": transfer })).await;
    let first = client.item().await;
    assert_eq!(first["transferUpdates"]["transfer"]["status"], "requested");
    assert_eq!(
        first["transferUpdates"]["transfer"]["vault"]["name"],
        "Operations"
    );
    let other = world.transfer(&me, held).await;
    assert!(
        client.is_silent().await,
        "another transfer is none of this one's business: {other}"
    );
    let screened = Screened {
        approvals_needed: 1,
        rule: "one".into(),
    };
    world
        .history
        .put(transfer, me.organization, Owner::Vault(held.vault), &screened)
        .await;
    let second = client.item().await;
    assert_eq!(
        second["transferUpdates"]["transfer"]["status"],
        "awaiting_approval"
    );
    let token = second["transferUpdates"]["token"].clone();
    let again = "query($id: ID!, $t: String) { transfer(id: $id, atLeast: $t) { status } }";
    let answer = world.ask(&me, again, json!({ "id": transfer, "t": token })).await;
    assert_eq!(answer["data"]["transfer"]["status"], "awaiting_approval");

    let balances =
        "subscription($v: ID!) { balanceUpdates(vaultId: $v) { balance { minor block { height } } } }";
    client.say(json!({ "type": "complete", "id": "t" })).await;
    client.subscribe("b", balances, json!({ "v": held.vault })).await;
    assert_eq!(
        client.item().await["balanceUpdates"]["balance"]["minor"],
        "5000000000000000000"
    );
    world.balance(&me, held, 7, 2).await;
    let changed = client.item().await;
    assert_eq!(
        changed["balanceUpdates"]["balance"],
        json!({ "minor": "7", "block": { "height": 2 } })
    );
    client.say(json!({ "type": "complete", "id": "b" })).await;

    let vaults = "subscription($v: ID) { vaultUpdates(vaultId: $v) { vault { name accounts { status } } } }";
    client.subscribe("v", vaults, json!({ "v": held.vault })).await;
    assert_eq!(
        client.item().await["vaultUpdates"]["vault"]["accounts"][0]["status"],
        "open"
    );
    client.say(json!({ "type": "complete", "id": "v" })).await;

    let mut foreign = Client::open(&world, &stranger).await;
    for (query, variables) in [
        (query, json!({ "id": transfer })),
        (balances, json!({ "v": held.vault })),
        (vaults, json!({ "v": held.vault })),
        (EVENTS, json!({ "vault": held.vault })),
    ] {
        foreign.subscribe("x", query, variables).await;
        match foreign.hear().await {
            Came::Said(said) => {
                assert_eq!(said["type"], "error", "{said}");
                assert_eq!(said["payload"][0]["extensions"]["code"], "not-found", "{said}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_freshness_should_move() {
    let world = World::start().await;
    let me = world.reader().await;
    world.settled().await;
    let mut client = Client::open(&world, &me).await;
    client
        .subscribe(
            "h",
            "subscription { chainHeads { slug head { height ageMs } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        client.item().await["chainHeads"],
        json!({ "slug": "eth_sandbox", "head": null })
    );
    let block = |height: u64| vaultstream_event_schemas::chain::BlockRef {
        hash: format!("0x{height:064x}"),
        height,
    };
    let head = vaultstream_event_schemas::chain::ChainHead {
        finalized: block(5),
        safe: block(6),
        tip: vaultstream_event_schemas::chain::Block {
            at: block(7),
            parent: "0x00".into(),
        },
    };
    let seen_at = world.services.clock.now();
    let chain = world.services.chains[0].id.clone();
    world.heads.send_modify(|heads| {
        heads.insert(chain, crate::HeadSeen { head, seen_at });
    });
    assert_eq!(client.item().await["chainHeads"]["head"]["height"], 7);
    client.say(json!({ "type": "complete", "id": "h" })).await;
    client
        .subscribe(
            "f",
            "subscription { freshness { behind lagMs families { family } } }",
            json!({}),
        )
        .await;
    let started = Instant::now();
    for _ in 0..2 {
        assert_eq!(client.item().await["freshness"]["behind"], 0);
    }
    assert!(started.elapsed() >= Duration::from_millis(900), "once a second");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protocol_errors_should_have_their_close_codes() {
    let world = World::start().await;
    let me = world.reader().await;
    let bearer = [("authorization", me.bearer.clone())];
    assert_eq!(
        Client::dial(&world, &bearer, "graphql-ws").await.err(),
        Some(400),
        "the old protocol is not spoken"
    );
    let wrong = [("authorization", "Bearer key_0_wrong".to_owned())];
    assert_eq!(Client::dial(&world, &wrong, PROTOCOL).await.err(), Some(401));
    let cookie_alone = [("cookie", me.cookie.clone())];
    assert_eq!(
        Client::dial(&world, &cookie_alone, PROTOCOL).await.err(),
        Some(403),
        "a cookie needs an Origin"
    );
    let foreign_page = [
        ("cookie", me.cookie.clone()),
        ("origin", "http://evil.example".to_owned()),
    ];
    assert_eq!(
        Client::dial(&world, &foreign_page, PROTOCOL).await.err(),
        Some(403)
    );

    let init = json!({ "type": "connection_init" });
    let ask = |id: &str| json!({ "type": "subscribe", "id": id, "payload": { "query": EVENTS } });
    for (messages, code) in [
        (vec![ask("a")], 4401),
        (vec![init.clone(), init.clone()], 4429),
        (vec![init.clone(), json!({ "type": "start", "id": "a" })], 4400),
        (vec![init.clone(), ask("a"), ask("a")], 4409),
        (vec![init.clone(), ask("")], 4400),
        (
            vec![
                init.clone(),
                json!({ "type": "ping", "payload": "x".repeat(70_000) }),
            ],
            1009,
        ),
    ] {
        let mut client = Client::dial(&world, &bearer, PROTOCOL).await.expect("upgraded");
        for message in &messages {
            // the server may close before the last word was said
            let _ = client.0.send(Message::Text(message.to_string().into())).await;
        }
        let closed = client.closed().await;
        assert!(
            closed == code || (code == 1009 && closed == 1006),
            "{closed} instead of {code}"
        );
    }
    let mut binary = Client::open(&world, &me).await;
    binary
        .0
        .send(Message::Binary(vec![1, 2, 3].into()))
        .await
        .expect("sent");
    assert_eq!(binary.closed().await, 4400);
    let mut stranger = Client::dial(&world, &[], PROTOCOL).await.expect("upgraded");
    stranger.say(init.clone()).await;
    assert_eq!(stranger.closed().await, 4401);
    let mut flood = Client::open(&world, &me).await;
    for _ in 0..150 {
        let _ = flood
            .0
            .send(Message::Text(json!({ "type": "pong" }).to_string().into()))
            .await;
    }
    assert_eq!(flood.closed().await, 4429);
    let mut silent = Client::dial(&world, &bearer, PROTOCOL).await.expect("upgraded");
    let started = Instant::now();
    assert_eq!(silent.closed().await, 4408);
    let limits = [
        (SocketLimit::MessageSize, 1),
        (SocketLimit::Messages, 1),
        (SocketLimit::Introduction, 1),
        (SocketLimit::Sockets, 0),
    ];
    for (limit, times) in limits {
        let told = world.heard.times(Fact::SocketClosed(Some(limit)));
        assert_eq!(told, times, "{limit:?}");
    }
    assert!(started.elapsed() >= Duration::from_millis(2_800));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browser_and_key_in_the_first_message_should_come_in() {
    let world = World::start().await;
    let me = world.reader().await;
    let page = [
        ("cookie", me.cookie.clone()),
        ("origin", format!("http://{}", world.address)),
    ];
    let mut browser = Client::dial(&world, &page, PROTOCOL).await.expect("upgraded");
    browser.say(json!({ "type": "connection_init" })).await;
    assert_eq!(
        browser.hear().await,
        Came::Said(json!({ "type": "connection_ack" }))
    );
    browser.say(json!({ "type": "ping" })).await;
    assert_eq!(browser.hear().await, Came::Said(json!({ "type": "pong" })));
    let mut late = Client::dial(&world, &[], PROTOCOL).await.expect("upgraded");
    late.say(json!({ "type": "connection_init", "payload": { "authorization": me.bearer } }))
        .await;
    assert_eq!(late.hear().await, Came::Said(json!({ "type": "connection_ack" })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_and_sockets_should_be_bounded() {
    let world = World::start().await;
    let me = world.reader().await;
    let quiet = json!({ "types": ["transfer.completed"] });
    let mut client = Client::open(&world, &me).await;
    for i in 0..MAX_OPERATIONS {
        client.subscribe(&format!("s{i}"), EVENTS, quiet.clone()).await;
    }
    client.subscribe("over", EVENTS, quiet).await;
    match client.hear().await {
        Came::Said(said) => {
            assert_eq!(
                (said["type"].as_str(), said["id"].as_str()),
                (Some("error"), Some("over"))
            );
            assert_eq!(said["payload"][0]["extensions"]["code"], "limit-reached");
        }
        other => panic!("{other:?}"),
    }
    client.say(json!({ "type": "complete", "id": "s0" })).await;
    for (id, query, code) in [
        ("q", "query { viewer { actor } }", "query-invalid"),
        (
            "two",
            "subscription { freshness { lagMs } chainHeads { id } }",
            "query-invalid",
        ),
        ("no", "subscription { nothing }", "query-invalid"),
        (
            "cur",
            r#"subscription { events(after: "AAAA") { cursor } }"#,
            "cursor-invalid",
        ),
    ] {
        client.subscribe(id, query, json!({})).await;
        match client.hear().await {
            Came::Said(said) => assert_eq!(said["payload"][0]["extensions"]["code"], code, "{said}"),
            other => panic!("{other:?}"),
        }
    }
    let mut more = Vec::new();
    for _ in 1..MAX_SOCKETS {
        more.push(Client::open(&world, &me).await);
    }
    let bearer = [("authorization", me.bearer.clone())];
    let mut over = Client::dial(&world, &bearer, PROTOCOL).await.expect("upgraded");
    over.say(json!({ "type": "connection_init" })).await;
    assert_eq!(over.closed().await, 4429);
    assert_eq!(world.heard.times(Fact::Refused(ErrorCode::LimitReached)), 1);
    assert_eq!(
        world.heard.times(Fact::SocketClosed(Some(SocketLimit::Sockets))),
        1
    );
    drop(more.pop());
    tokio::time::sleep(Duration::from_millis(200)).await;
    Client::open(&world, &me).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_does_not_read_should_find_the_last_state_not_every_step() {
    let world = World::start().await;
    let me = world.reader().await;
    let held = world.vault(&me, "Operations").await;
    let transfer = world.transfer(&me, held).await;
    world.settled().await;
    let mut client = Client::open(&world, &me).await;
    // a wide answer, so that the buffers between us are soon full
    let fields = (0..28).map(|i| format!("d{i}: destination ")).collect::<String>();
    let query = format!(
        "subscription($id: ID) {{ transferUpdates(transferId: $id) {{ transfer {{ version {fields} }} }} }}"
    );
    client.subscribe("t", &query, json!({ "id": transfer })).await;
    client.item().await;
    let steps = 6_000u32;
    for _ in 0..steps / 20 {
        approve(&world, &me, held, transfer, 20).await;
    }
    world.settled().await;
    let mut items = 0;
    loop {
        let version = client.item().await["transferUpdates"]["transfer"]["version"].as_u64();
        items += 1;
        if version == Some(u64::from(steps) + 1) {
            break;
        }
    }
    assert!(items < steps, "{items} items for {steps} steps");
}
