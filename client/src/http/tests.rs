//! The client against a real socket: what it sends, and what it makes of answers.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, post};
use vaultstream_event_schemas::{ErrorCode, TransferId, id};

use super::*;

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

fn request() -> RequestTransfer {
    RequestTransfer {
        vault_id: Some("vlt_1".into()),
        account_id: None,
        asset: "eip155:31337/slip44:60".into(),
        amount: "1".into(),
        destination: "0x0".into(),
        external_id: None,
        memo: None,
        fee_max: None,
        expires_in: None,
        dry_run: None,
    }
}

#[tokio::test]
async fn request_should_carry_key_and_headers_and_leave_out_what_is_absent() {
    let transfer = TransferId::from_uuid(id::random(1, 2));
    let echo = move |headers: HeaderMap, body: String| async move {
        assert_eq!(headers["authorization"], "Bearer key_1_secret");
        assert_eq!(headers["idempotency-key"], "k-1");
        assert_eq!(headers["content-type"], "application/json");
        let expected =
            r#"{"vaultId":"vlt_1","asset":"eip155:31337/slip44:60","amount":"1","destination":"0x0"}"#;
        assert_eq!(body, expected);
        let answer = format!(
            r#"{{"id":"{transfer}","status":"requested","vaultId":"vlt_{rest}","accountId":"acc_{rest}","token":"t","newer":1}}"#,
            rest = &transfer.to_string()[4..],
        );
        (
            StatusCode::ACCEPTED,
            [("vaultstream-token", "t"), ("idempotency-replayed", "true")],
            answer,
        )
    };
    let base = serve(Router::new().route("/v1/transfers", post(echo))).await;
    let client = Client::try_new(&base, Some("key_1_secret")).expect("valid");
    let answer = client
        .request_transfer(&request(), "k-1")
        .await
        .expect("accepted");
    assert_eq!(answer.body.id, transfer);
    assert_eq!((answer.token.as_deref(), answer.replayed), (Some("t"), true));
    assert!(!format!("{client:?}").contains("secret"));
}

#[tokio::test]
async fn problem_should_become_a_refusal_and_noise_should_not() {
    let problem = r#"{"type":"/docs/errors/not-found","title":"t","status":404,"code":"not-found","detail":"d",
        "remedy":"r","requestId":"q","retryable":false}"#;
    let router = Router::new()
        .route(
            "/v1/transfers/a",
            get(move || async move { (StatusCode::NOT_FOUND, problem) }),
        )
        .route(
            "/v1/transfers/b",
            get(|| async { (StatusCode::BAD_GATEWAY, "<html>") }),
        )
        .route("/v1/transfers/c", get(|uri: Uri| async move { uri.to_string() }));
    let base = serve(router).await;
    let client = Client::try_new(&base, None).expect("valid");
    match client.transfer("a").await {
        Err(ClientError::Refused(problem)) => assert_eq!(problem.code, ErrorCode::NotFound),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        client.transfer("b").await,
        Err(ClientError::Unreadable { status: 502, .. })
    ));
    assert!(matches!(
        client.transfer("c").await,
        Err(ClientError::Unreadable { status: 200, .. })
    ));
    let nobody = Client::try_new("http://127.0.0.1:9", None).expect("valid");
    assert!(matches!(
        nobody.transfer("a").await,
        Err(ClientError::Unreachable(_))
    ));
}

#[tokio::test]
async fn answer_that_was_cut_should_not_look_like_a_server_that_was_not_reached() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let cutting = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut some = [0; 512];
        let read = tokio::io::AsyncReadExt::read(&mut socket, &mut some).await;
        assert!(read.expect("readable") > 0, "the request was sent");
    });
    let client = Client::try_new(&base, None).expect("valid");
    let cut = client.request_transfer(&request(), "k-2").await;
    assert!(matches!(cut, Err(ClientError::Connection(_))), "{cut:?}");
    cutting.await.expect("read and cut");
}
