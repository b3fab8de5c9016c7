//! HTTP in front of the methods: `POST /` with a JSON body, on loopback, within limits.
//!
//! Refused before any method runs: a Host that is not this machine (DNS rebinding), a content type other than JSON (a
//! web page could send those without asking), bodies over [`MAX_BODY`].

mod listener;

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::sync::{Semaphore, watch};

use self::listener::OnLine;
pub(crate) use self::listener::PortListener;
use crate::{
    faults::Faults,
    rpc::{self, Methods},
};

/// Bytes of a request.
const MAX_BODY: usize = 1024 * 1024;
/// Requests that work at the same time on one port; more wait, and connections are limited too.
const MAX_WORKING: usize = 32;
/// How long a silenced request is kept if cutting its connection had no effect.
const SILENCE: Duration = Duration::from_secs(30);

/// One port: its methods and, on the public port, the faults it plays.
#[derive(Clone)]
struct Port {
    methods: Arc<dyn Methods>,
    faults: Option<Arc<Faults>>,
    working: Arc<Semaphore>,
}

/// Serves until `stop` changes.
pub(crate) async fn serve(
    listener: PortListener,
    methods: Arc<dyn Methods>,
    faults: Option<Arc<Faults>>,
    mut stop: watch::Receiver<bool>,
) {
    let port = Port {
        methods,
        faults,
        working: Arc::new(Semaphore::new(MAX_WORKING)),
    };
    let router = Router::new()
        .route("/", post(handle))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(port);
    let service = router.into_make_service_with_connect_info::<OnLine>();
    let stopped = async move {
        // an error means that the owner is gone, which is a stop as well
        let _ = stop.changed().await;
    };
    if let Err(error) = axum::serve(listener, service)
        .with_graceful_shutdown(stopped)
        .await
    {
        tracing::error!(%error, "the listener failed");
    }
}

async fn handle(
    State(port): State<Port>,
    ConnectInfo(OnLine(line)): ConnectInfo<OnLine>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = check(&headers) {
        return refusal.into_response();
    }
    let Ok(_working) = port.working.clone().acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let methods = port.methods.clone();
    // execution and disk are blocking work
    let outcome = tokio::task::spawn_blocking(move || rpc::answer(methods.as_ref(), &body)).await;
    let Ok(outcome) = outcome else {
        return (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the method failed; see the sandbox's log",
        )
            .into_response();
    };
    if let Some(faults) = &port.faults {
        tokio::time::sleep(faults.latency()).await;
    }
    match outcome {
        Ok(answer) => (
            [(header::CONTENT_TYPE, "application/json")],
            answer.unwrap_or_default(),
        )
            .into_response(),
        Err(_) => {
            line.cut();
            tokio::time::sleep(SILENCE).await;
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn check(headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if !is_this_machine(text(header::HOST)) {
        return Err((
            StatusCode::FORBIDDEN,
            "invalid host specified: use localhost, 127.0.0.1 or [::1]",
        ));
    }
    let media = text(header::CONTENT_TYPE)
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !media.eq_ignore_ascii_case("application/json") {
        return Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid content type, only application/json is supported",
        ));
    }
    Ok(())
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_should_be_this_machine() {
        for good in [
            "127.0.0.1:8545",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8545",
            "127.9.9.9",
        ] {
            assert!(is_this_machine(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "evil.example:8545",
            "192.168.0.1",
            "127.0.0.1.evil.example",
            "[fe80::1]:1",
        ] {
            assert!(!is_this_machine(bad), "{bad}");
        }
    }
}
