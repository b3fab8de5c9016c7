//! Requests in, answers out: single calls, batches and notifications (JSON-RPC 2.0).

use serde_json::{Value, json};

use super::{Failure, Methods, RpcError};

/// Calls in one batch at most.
const MAX_BATCH: usize = 100;

/// The answer to `body`: `Ok(None)` when there is nothing to say (notifications only), `Err` when nothing may be said.
pub(crate) fn answer(methods: &dyn Methods, body: &[u8]) -> Result<Option<String>, Failure> {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return Ok(Some(
            failed(&Value::Null, &RpcError::parse("parse error")).to_string(),
        ));
    };
    let answer = match request {
        Value::Array(calls) if calls.is_empty() => {
            Some(failed(&Value::Null, &RpcError::request("empty batch")))
        }
        Value::Array(calls) if calls.len() > MAX_BATCH => {
            let message = format!("batch too large: {} calls, at most {MAX_BATCH}", calls.len());
            Some(failed(&Value::Null, &RpcError::request(message)))
        }
        Value::Array(calls) => {
            let answers: Vec<Value> = calls
                .into_iter()
                .filter_map(|call| one(methods, call).transpose())
                .collect::<Result<_, _>>()?;
            (!answers.is_empty()).then_some(Value::Array(answers))
        }
        call => one(methods, call)?,
    };
    Ok(answer.map(|answer| answer.to_string()))
}

fn one(methods: &dyn Methods, call: Value) -> Result<Option<Value>, Failure> {
    let Value::Object(mut call) = call else {
        return Ok(Some(failed(
            &Value::Null,
            &RpcError::request("invalid request: a call is an object"),
        )));
    };
    let id = call.remove("id");
    let known_id = id.clone().unwrap_or_default();
    if !(known_id.is_null() || known_id.is_number() || known_id.is_string()) {
        return Ok(Some(failed(
            &Value::Null,
            &RpcError::request("invalid request: id is a string or a number"),
        )));
    }
    if call.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Ok(Some(failed(
            &known_id,
            &RpcError::request("invalid request: jsonrpc must be \"2.0\""),
        )));
    }
    let Some(Value::String(method)) = call.remove("method") else {
        return Ok(Some(failed(
            &known_id,
            &RpcError::request("invalid request: method is missing"),
        )));
    };
    let params = match call.remove("params") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(params)) => params,
        Some(object @ Value::Object(_)) => vec![object],
        Some(_) => return Ok(Some(failed(&known_id, &RpcError::params("non-array args")))),
    };
    let outcome = methods.call(&method, &params);
    match (id, outcome) {
        (_, Err(Failure::Silence)) => Err(Failure::Silence),
        (None, _) => Ok(None),
        (Some(id), Ok(result)) => Ok(Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))),
        (Some(id), Err(Failure::Error(error))) => Ok(Some(failed(&id, &error))),
    }
}

fn failed(id: &Value, error: &RpcError) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": error.to_json()})
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Methods for Echo {
        fn call(&self, method: &str, params: &[Value]) -> Result<Value, Failure> {
            match method {
                "echo" => Ok(Value::Array(params.to_vec())),
                "silence" => Err(Failure::Silence),
                other => Err(RpcError::method(other).into()),
            }
        }
    }

    fn ask(body: &str) -> Value {
        let text = answer(&Echo, body.as_bytes())
            .expect("not silenced")
            .expect("an answer");
        serde_json::from_str(&text).expect("json")
    }

    #[test]
    fn malformed_requests_should_get_their_code() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let cases = [
            ("", -32700),
            ("{", -32700),
            ("\u{0}\u{1}", -32700),
            (deep.as_str(), -32700),
            ("[]", -32600),
            ("7", -32600),
            ("null", -32600),
            (r#"{"id":1,"method":"echo"}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":{},"method":"echo"}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":7}"#, -32602),
            (r#"{"jsonrpc":"2.0","id":1,"method":"nope"}"#, -32601),
        ];
        for (body, code) in cases {
            assert_eq!(
                ask(body)["error"]["code"],
                code,
                "{}",
                body.chars().take(60).collect::<String>()
            );
        }
    }

    #[test]
    fn batch_should_answer_each_call_and_have_a_limit() {
        let call = r#"{"jsonrpc":"2.0","id":"a","method":"echo","params":[1]}"#;
        let note = r#"{"jsonrpc":"2.0","method":"echo"}"#;
        let answers = ask(&format!("[{call},{note},7]"));
        assert_eq!(answers[0], json!({"jsonrpc": "2.0", "id": "a", "result": [1]}));
        assert_eq!(answers[1]["error"]["code"], -32600);
        assert_eq!(
            answers.as_array().map(Vec::len),
            Some(2),
            "a notification has no answer"
        );
        assert!(
            answer(&Echo, format!("[{note}]").as_bytes())
                .expect("not silenced")
                .is_none()
        );
        let many = vec![call; MAX_BATCH + 1].join(",");
        assert_eq!(ask(&format!("[{many}]"))["error"]["code"], -32600);
        assert_eq!(
            ask(&format!("[{}]", vec![call; MAX_BATCH].join(",")))
                .as_array()
                .map(Vec::len),
            Some(MAX_BATCH)
        );
    }

    #[test]
    fn silence_should_win_over_everything() {
        let body =
            r#"[{"jsonrpc":"2.0","id":1,"method":"echo"},{"jsonrpc":"2.0","id":2,"method":"silence"}]"#;
        assert!(matches!(answer(&Echo, body.as_bytes()), Err(Failure::Silence)));
    }
}
