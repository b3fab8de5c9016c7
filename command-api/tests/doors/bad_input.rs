//! Every bad input of the issue: its code, its field, its remedy, and a log that has not moved.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{CHAIN, DESTINATION, ETHER, Held, World, one_ether};

/// A field put in place of the good one, and what is to be answered.
fn bad_transfers() -> Vec<(&'static str, Value, u16, &'static str, &'static str)> {
    let over = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    let wrong = DESTINATION.replace("BeAed", "BeAeD");
    let zero = format!("0x{}", "0".repeat(40));
    vec![
        (
            "asset",
            json!("eip155:999/slip44:60"),
            422,
            "unknown-chain",
            "asset",
        ),
        (
            "asset",
            json!("eip155:31337/erc20:0x01"),
            422,
            "unknown-asset",
            "asset",
        ),
        ("asset", json!("ether"), 422, "unknown-asset", "asset"),
        (
            "asset",
            json!("eip155:2/slip44:60"),
            422,
            "no-account-on-chain",
            "vaultId",
        ),
        ("asset", json!(7), 400, "invalid-field", "asset"),
        (
            "destination",
            json!(wrong),
            422,
            "invalid-checksum",
            "destination",
        ),
        (
            "destination",
            json!("0x00"),
            422,
            "invalid-address",
            "destination",
        ),
        ("destination", json!(zero), 422, "invalid-address", "destination"),
        ("amount", json!("0"), 422, "invalid-amount", "amount"),
        ("amount", json!("-1"), 422, "invalid-amount", "amount"),
        ("amount", json!("1.5"), 422, "invalid-amount", "amount"),
        ("amount", json!(over), 422, "invalid-amount", "amount"),
        ("amount", json!(1), 400, "invalid-field", "amount"),
        (
            "amount",
            json!("10000000000000000001"),
            422,
            "insufficient-funds",
            "amount",
        ),
        ("feeMax", json!("x"), 422, "invalid-amount", "feeMax"),
        ("expiresIn", json!(5), 400, "invalid-field", "expiresIn"),
        ("expiresIn", json!(9_999_999), 400, "invalid-field", "expiresIn"),
        ("externalId", json!("a b"), 400, "invalid-field", "externalId"),
        ("memo", json!("\u{7}"), 400, "invalid-field", "memo"),
        ("colour", json!("red"), 400, "unknown-field", "colour"),
        ("vaultId", json!("nonsense"), 404, "not-found", "vaultId"),
        ("accountId", json!("nonsense"), 404, "not-found", "accountId"),
    ]
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_transfer_should_be_refused_by_field_and_change_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let before = world.heads().await;
    for (i, (field, value, status, code, named)) in bad_transfers().into_iter().enumerate() {
        let body = with(one_ether(held), field, value);
        for path in ["/v1/transfers", "/v1/transfers?dryRun=true"] {
            let answer = world
                .post_with(&tenant, path, &[("idempotency-key", &format!("k{i}"))], &body)
                .await;
            let expected = (status, (code.to_owned(), named.to_owned()));
            assert_eq!(
                (answer.status.as_u16(), answer.refusal()),
                expected,
                "{path} {body}"
            );
        }
    }
    assert_eq!(
        world.heads().await,
        before,
        "a refused request left something in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_bad_fields_should_all_be_named() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let body = with(with(one_ether(held), "amount", json!("0")), "memo", json!(""));
    let answer = world.transfer(&tenant, "k", &body).await.json();
    let fields: Vec<_> = answer["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|e| e["pointer"].clone())
        .collect();
    assert_eq!(fields, [json!("/memo"), json!("/amount")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_fields_and_payers_should_be_named() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let held = world.held(&tenant).await;
    let before = world.heads().await;
    for (absent, code, field) in [
        ("amount", "missing-field", "amount"),
        ("destination", "missing-field", "destination"),
        ("vaultId", "missing-field", "vaultId"),
    ] {
        let mut body = one_ether(held);
        body.as_object_mut().expect("an object").remove(absent);
        assert_eq!(
            world.transfer(&tenant, "k", &body).await.refusal(),
            (code.into(), field.into())
        );
    }
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_tenants_things_should_not_exist() {
    let world = World::start().await;
    let (tenant, other) = (world.tenant("Acme").await, world.tenant("Other").await);
    let held = world.held(&tenant).await;
    let accepted = world.transfer(&tenant, "k", &one_ether(held)).await.json();
    let transfer = accepted["id"].as_str().expect("an id").to_owned();
    let before = world.heads().await;
    let Held { vault, account } = held;
    let by_account = json!({ "accountId": account.to_string(), "asset": ETHER, "amount": "1", "destination": DESTINATION });
    for body in [one_ether(held), by_account] {
        assert_eq!(
            world.transfer(&other, "k", &body).await.status,
            StatusCode::NOT_FOUND
        );
    }
    let tag = [("if-match", "\"1\"")];
    for (path, body) in [
        (format!("/v1/vaults/{vault}/accounts"), json!({ "chain": CHAIN })),
        (format!("/v1/accounts/{account}/freeze"), json!({})),
        (format!("/v1/transfers/{transfer}/approve"), json!({})),
        (format!("/v1/transfers/{transfer}/cancel"), json!({})),
        (
            format!("/v1/organizations/{}/suspend", tenant.organization),
            json!({}),
        ),
    ] {
        let answer = world.post_with(&other, &path, &tag, &body).await;
        let expected = if path.ends_with("suspend") {
            "scope-missing"
        } else {
            "not-found"
        };
        assert_eq!(answer.code(), expected, "{path}");
    }
    let bearer = other.bearer();
    let bearer = [("authorization", bearer.as_str())];
    for (method, path, body) in [
        (
            Method::PATCH,
            format!("/v1/vaults/{vault}"),
            "{\"name\":\"Mine\"}",
        ),
        (
            Method::PATCH,
            format!("/v1/organizations/{}", tenant.organization),
            "{\"name\":\"Mine\"}",
        ),
        (Method::DELETE, format!("/v1/api-keys/{}", tenant.key), ""),
        (Method::GET, accepted_command(&world, &tenant, held).await, ""),
    ] {
        let answer = world.call(method, &path, &bearer, body.as_bytes().to_vec()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::NOT_FOUND, "not-found"),
            "{path}"
        );
    }
    assert_eq!(world.heads().await, before, "a stranger moved the log");
}

/// Where the command of the transfer of `k` is asked after.
async fn accepted_command(world: &World, tenant: &crate::world::Tenant, held: Held) -> String {
    let answer = world.transfer(tenant, "k", &one_ether(held)).await;
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    answer.header("location").expect("a location").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_vaults_should_be_refused_by_field_and_change_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let before = world.heads().await;
    let many: Vec<_> = (0..17).map(|_| CHAIN).collect();
    for (body, code, field) in [
        (json!({ "name": "" }), "invalid-field", "name"),
        (json!({ "name": "x".repeat(81) }), "invalid-field", "name"),
        (
            json!({ "name": "A", "chains": [CHAIN, "eip155:5"] }),
            "unknown-chain",
            "chains/1",
        ),
        (
            json!({ "name": "A", "chains": [CHAIN, CHAIN] }),
            "invalid-field",
            "chains/1",
        ),
        (json!({ "name": "A", "chains": many }), "limit-reached", "chains"),
        (json!({ "name": "A", "tier": "tepid" }), "invalid-field", "tier"),
        (json!({ "name": "A", "owner": "me" }), "unknown-field", "owner"),
    ] {
        for key in [None, Some("k")] {
            let headers: Vec<_> = key.map(|k| ("idempotency-key", k)).into_iter().collect();
            let answer = world.post_with(&tenant, "/v1/vaults", &headers, &body).await;
            assert_eq!(answer.refusal(), (code.into(), field.into()), "{body}");
        }
    }
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bodies_should_be_refused_and_change_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let before = world.heads().await;
    let bearer = tenant.bearer();
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, status, code) in [
        (vec![b'x'; 10 * 1024 * 1024], 413, "body-too-large"),
        (deep.into_bytes(), 400, "invalid-json"),
        (b"{\"name\":\"\xc3\x28\"}".to_vec(), 400, "invalid-json"),
        (b"{\"".to_vec(), 400, "invalid-json"),
        (b"[]".to_vec(), 400, "invalid-json"),
    ] {
        for path in ["/v1/vaults", "/v1/transfers"] {
            let answer = world.call(Method::POST, path, &headers, body.clone()).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (status, code),
                "{path}"
            );
        }
    }
    assert_eq!(world.heads().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn faucet_should_know_its_chains_and_limits() {
    let world = World::start().await;
    let tenant = world.tenant("Acme").await;
    let ask = |address: &str, amount: &str| json!({ "address": address, "amount": amount });
    let path = "/v1/sandbox/eth_sandbox/faucet";
    let most = "100000000000000000001";
    assert_eq!(
        world.post(&tenant, path, &ask(DESTINATION, most)).await.refusal(),
        ("faucet-limit".into(), "amount".into())
    );
    assert_eq!(
        world.post(&tenant, path, &ask("0x1", "1")).await.refusal(),
        ("invalid-address".into(), "address".into())
    );
    for slug in ["eth_other", "nowhere"] {
        let answer = world
            .post(
                &tenant,
                &format!("/v1/sandbox/{slug}/faucet"),
                &ask(DESTINATION, "1"),
            )
            .await;
        assert_eq!(answer.code(), "not-found", "{slug} has no faucet");
    }
    assert!(world.faucet.0.lock().expect("not poisoned").is_empty());
    let answer = world
        .post(&tenant, path, &ask(&DESTINATION.to_lowercase(), "5"))
        .await;
    assert_eq!(
        (answer.status, answer.json()["address"].as_str()),
        (StatusCode::ACCEPTED, Some(DESTINATION))
    );
    assert_eq!(world.faucet.0.lock().expect("not poisoned").len(), 1);
}
