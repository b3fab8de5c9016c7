//! Documents of GraphQL, before anything is executed; and what is said on a socket.

use async_graphql::{Request, Variables};
use vaultstream_query_api::http::Asked;
use vaultstream_query_api::limits::{self, Door};
use vaultstream_query_api::refusal::finish_error;
use vaultstream_query_api::schema::Fields;
use vaultstream_query_api::sdl;
use vaultstream_query_api::socket::Heard;

use crate::harness::{Target, Verdict, holds};

fn admitted(fields: &Fields, text: &str) -> Verdict {
    for door in [Door::Http, Door::Socket] {
        let mut request = Request::new(text);
        if let Err(mut error) = limits::admit(&mut request, door, false) {
            finish_error(&mut error, "req");
            holds!(
                !error.message.is_empty() && error.message.len() < 1_100,
                "a refusal without words"
            );
            continue;
        }
        let document = request
            .parsed_query()
            .map_err(|e| format!("admitted and not parsed: {e}"))?;
        let _ = fields.touched(document, &Variables::default());
        let normal = limits::normalized(text);
        let again = limits::normalized(&String::from_utf8_lossy(&normal));
        holds!(again == normal, "a normal form has another one");
    }
    Ok(())
}

#[test]
fn documents_should_be_admitted_or_refused() {
    let fields = Fields::of_schema(&sdl());
    Target::new("documents").fuzz(|bytes| admitted(&fields, &String::from_utf8_lossy(bytes)));
}

#[test]
fn messages_should_be_heard_or_refused() {
    let fields = Fields::of_schema(&sdl());
    Target::new("messages").fuzz(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(Heard::ConnectionInit { payload }) = Heard::read(&text) {
            let _ = Heard::key(payload.as_ref());
        }
        if let Ok(asked) = vaultstream_gateway::json::parse::<Asked>(bytes) {
            admitted(&fields, &asked.into_query().query)?;
        }
        Ok(())
    });
}
