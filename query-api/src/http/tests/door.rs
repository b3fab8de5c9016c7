//! What is refused before anything is read.

use super::*;

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
