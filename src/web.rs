//! Serves the built dashboard: hashed files for ever, the page itself never cached, brotli where it lies beside.
//!
//! Only files that were there at start are served, by exact name, so no path can leave the folder. Any other path that
//! a page could have is answered with the page, which routes by itself.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The most bytes a dashboard may have.
const MAX_TOTAL: u64 = 32 * 1024 * 1024;

/// The dashboard's files in memory.
#[derive(Clone, Default)]
pub struct Dashboard(Arc<HashMap<String, File>>);

#[derive(Clone)]
struct File {
    kind: &'static str,
    plain: Bytes,
    brotli: Option<Bytes>,
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

impl Dashboard {
    /// Reads the folder; an empty path gives a dashboard that serves nothing.
    pub fn read(folder: &Path) -> Result<Self> {
        if folder.as_os_str().is_empty() {
            return Ok(Self::default());
        }
        let mut files = HashMap::new();
        let mut total = 0;
        let listing = std::fs::read_dir(folder)
            .with_context(|| format!("dashboard folder {} cannot be read", folder.display()))?;
        for entry in listing {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.file_type()?.is_file() || name.ends_with(".br") || name.ends_with(".gz") {
                continue;
            }
            total += entry.metadata()?.len();
            anyhow::ensure!(
                total <= MAX_TOTAL,
                "dashboard folder {} holds more than 32 MiB",
                folder.display()
            );
            let plain = Bytes::from(std::fs::read(entry.path())?);
            let brotli = std::fs::read(folder.join(format!("{name}.br")))
                .ok()
                .map(Bytes::from);
            files.insert(
                name.clone(),
                File {
                    kind: kind_of(&name),
                    plain,
                    brotli,
                },
            );
        }
        anyhow::ensure!(
            files.contains_key("index.html"),
            "{} holds no index.html; build the dashboard with `cargo xtask start`",
            folder.display()
        );
        Ok(Self(Arc::new(files)))
    }

    /// Whether there is a dashboard to serve.
    pub fn is_present(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Answers with a file of the dashboard, or with its page.
pub async fn serve(State(dashboard): State<Dashboard>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let name = request.uri().path().trim_start_matches('/');
    let file = dashboard.0.get(name).map(|f| (f, !name.ends_with(".html")));
    let looks_like_file = name.rsplit('/').next().is_some_and(|last| last.contains('.'));
    match file {
        Some((file, immutable)) => answer(file, immutable, request.headers()),
        None if looks_like_file => StatusCode::NOT_FOUND.into_response(),
        None => dashboard.0.get("index.html").map_or_else(
            || StatusCode::NOT_FOUND.into_response(),
            |page| answer(page, false, request.headers()),
        ),
    }
}

fn answer(file: &File, immutable: bool, asked: &HeaderMap) -> Response {
    let takes_brotli = asked
        .get(header::ACCEPT_ENCODING)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| {
            v.split(',')
                .any(|e| e.split(';').next().is_some_and(|e| e.trim() == "br"))
        });
    let (body, encoding) = match &file.brotli {
        Some(brotli) if takes_brotli => (brotli.clone(), Some("br")),
        _ => (file.plain.clone(), None),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let cache = if immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}
