//! Lists, their pages and cursors.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn lists_should_page_without_gaps_or_doubles() {
    let rest = Rest::start().await;
    let tenant = rest.tenant().await;
    let held = rest.world.vault(&tenant, "Operations").await;
    for _ in 0..7 {
        rest.world.transfer(&tenant, held).await;
    }
    rest.world.settled().await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = rest
            .get(&tenant, &format!("/v1/transfers?limit=3&cursor={cursor}"))
            .await;
        let items = page["items"].as_array().expect("items").clone();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|i| i["id"].as_str().expect("an id").to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    seen.dedup();
    assert_eq!(seen.len(), 7, "{seen:?}");
    let vaults = rest.get(&tenant, "/v1/vaults?name=oper&status=active").await;
    assert_eq!(vaults["items"][0]["accounts"][0]["status"], "open");
    assert_eq!(
        rest.get(&tenant, "/v1/vaults?status=archived").await["items"],
        Value::Array(vec![])
    );
    assert_eq!(
        rest.get(&tenant, "/v1/api-keys").await["items"][0]["id"],
        tenant.key.to_string()
    );
    assert_eq!(
        rest.get(&tenant, "/v1/sessions").await["items"][0]["status"],
        "active"
    );
    let own = rest.get(&tenant, "/v1/organizations").await;
    assert_eq!(
        own["items"].as_array().map(Vec::len),
        Some(1),
        "a tenant sees itself"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cursor_should_open_only_its_own_list() {
    let rest = Rest::start().await;
    let (tenant, other) = (rest.tenant().await, rest.tenant().await);
    let held = rest.world.vault(&tenant, "Operations").await;
    for _ in 0..3 {
        rest.world.transfer(&tenant, held).await;
    }
    rest.world.settled().await;
    let page = rest.get(&tenant, "/v1/transfers?limit=1").await;
    let cursor = page["nextCursor"].as_str().expect("more").to_owned();
    let refused = [
        (
            &tenant,
            format!("/v1/transfers?limit=1&status=failed&cursor={cursor}"),
        ),
        (&tenant, format!("/v1/vaults?cursor={cursor}")),
        (&other, format!("/v1/transfers?cursor={cursor}")),
        (&tenant, "/v1/transfers?cursor=AAAA".to_owned()),
    ];
    for (who, path) in refused {
        let body = rest.get(who, &path).await;
        assert_eq!(
            (code(&body), body["errors"][0]["field"].as_str()),
            ("cursor-invalid", Some("cursor")),
            "{path}"
        );
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("status=done", "status"),
        ("vaultId=x", "vaultId"),
    ] {
        let body = rest.get(&tenant, &format!("/v1/transfers?{query}")).await;
        assert_eq!(
            (code(&body), body["errors"][0]["field"].as_str()),
            ("invalid-field", Some(field)),
            "{query}"
        );
    }
    assert_eq!(
        code(&rest.get(&tenant, "/v1/transfers?colour=red").await),
        "unknown-field"
    );
}
