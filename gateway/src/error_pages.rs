//! A page for every error code, from `docs/errors`, served at `/docs/errors/<code>`: HTML for people, the same Markdown
//! for programs. The head of each page repeats the table of codes; a test holds them together.

mod html;
mod text;

use std::fmt::Write as _;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, header};
use vaultstream_event_schemas::ErrorCode;

use crate::error::ApiError;

/// Routes of the pages and of their index.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(
            "/docs/errors",
            get(|headers: HeaderMap| async move { answer(&headers, &index()) }),
        )
        .route("/docs/errors/{code}", get(serve))
}

async fn serve(Path(code): Path<String>, headers: HeaderMap) -> Response {
    match page(code.trim_end_matches(".md")) {
        Some(text) => answer(&headers, text),
        None => ApiError::new(ErrorCode::NotFound).into_response(),
    }
}

fn answer(headers: &HeaderMap, markdown: &str) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    let (media_type, body) = if accept.contains("text/html") {
        ("text/html; charset=utf-8", html::document(markdown))
    } else {
        ("text/markdown; charset=utf-8", markdown.to_owned())
    };
    let mut response = body.into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// The Markdown of a code's page.
pub fn page(code: &str) -> Option<&'static str> {
    text::PAGES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, text)| *text)
}

/// The index of all codes, as committed in `docs/errors/README.md`.
pub fn index() -> String {
    let mut text = String::from(
        "# Error codes\n\nEvery refusal carries one of these codes; the page of a code says what it means and what to \
         do.\n\n| code | HTTP | what happened |\n| --- | --- | --- |\n",
    );
    for code in ErrorCode::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| [{code}]({code}.md) | {} | {} |",
            code.http_status(),
            code.title()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    #[test]
    fn every_code_should_have_a_page_that_says_what_the_table_says() {
        assert_eq!(text::PAGES.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            let text = page(code.as_str()).unwrap_or_else(|| panic!("{code} has no page"));
            assert!(
                text.starts_with(&format!("# {code}\n\n{}.\n", code.title())),
                "{code}: title"
            );
            assert!(
                text.contains(&format!("| HTTP status | {} |", code.http_status())),
                "{code}: status"
            );
            assert!(
                text.contains(&format!("({}) |", code.grpc_status())),
                "{code}: gRPC status"
            );
            assert!(
                text.contains(&format!("**What to do.** {}", code.remedy())),
                "{code}: remedy"
            );
            let html = html::document(text);
            assert!(
                html.contains(&format!("<h1>{code}</h1>")) && html.ends_with("</html>\n"),
                "{code}: HTML"
            );
        }
    }

    #[test]
    fn committed_index_should_be_the_generated_one() {
        assert_eq!(include_str!("../../docs/errors/README.md"), index());
    }

    #[tokio::test]
    async fn page_should_be_served_as_the_reader_likes_it() {
        let call = |path: &str, accept: &str| {
            let request = Request::builder()
                .uri(path)
                .header("accept", accept)
                .body(Body::empty());
            router::<()>().oneshot(request.expect("a request"))
        };
        let html = call("/docs/errors/insufficient-funds", "text/html,*/*")
            .await
            .expect("infallible");
        assert_eq!(html.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let markdown = call("/docs/errors/insufficient-funds.md", "*/*")
            .await
            .expect("infallible");
        assert_eq!(
            markdown.headers()[header::CONTENT_TYPE],
            "text/markdown; charset=utf-8"
        );
        let body = axum::body::to_bytes(markdown.into_body(), 1 << 20)
            .await
            .expect("whole");
        assert!(body.starts_with(b"# insufficient-funds\n"));
        assert_eq!(
            call("/docs/errors", "*/*").await.expect("infallible").status(),
            StatusCode::OK
        );
        assert_eq!(
            call("/docs/errors/nonsense", "*/*")
                .await
                .expect("infallible")
                .status(),
            StatusCode::NOT_FOUND
        );
    }
}
