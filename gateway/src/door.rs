//! The door: routers made from the table of operations, with the check of each operation before its handler.
//!
//! A handler is reached only by a caller who may use its operation, and hears who that is. The order of checks: form of
//! the credential, its truth, its rate, a browser's proof that its own page asks, the scope, the organization's standing.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::on;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use vaultstream_client::BROWSER_HEADER;
use vaultstream_domain::ports::{Clock, RateLimits};
use vaultstream_event_schemas::status::OrganizationStatus;
use vaultstream_event_schemas::{ErrorCode, OrganizationId};

use crate::credentials::{Credentials, Presented, Toll};
use crate::edge::RequestInfo;
use crate::error::{ApiError, In};
use crate::limit::{Caller, Limiter, Quota, Verdict};
use crate::operation::{Access, Effect, Operation, Room, Verb};
use crate::operations;
use crate::principal::Principal;
use crate::session_cookie;

/// What a door is made of.
pub struct DoorParts {
    /// Knows who asks.
    pub credentials: Credentials,
    /// Fills the buckets.
    pub clock: Arc<dyn Clock>,
    /// How much a key or a session may do.
    pub per_credential: Quota,
    /// How much an address without a valid credential may do.
    pub per_address: Quota,
}

impl DoorParts {
    /// The quotas unless configured otherwise: a machine's worth for a credential, a person's for a stranger.
    pub const DEFAULT_QUOTAS: (Quota, Quota) = (
        Quota {
            per_second: 20_000,
            burst: 40_000,
        },
        Quota {
            per_second: 20,
            burst: 200,
        },
    );
}

/// The door.
pub struct Door {
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    per_credential: Limiter,
    per_address: Limiter,
}

/// What is demanded of a request besides who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Who may.
    pub access: Access,
    /// Whether a cookie alone is not enough: the page must add the browser header.
    pub own_page: bool,
    /// What it does to the log.
    pub effect: Effect,
}

impl Demand {
    /// What an operation demands.
    pub const fn of(operation: &Operation) -> Self {
        Self {
            access: operation.access,
            own_page: !matches!(operation.verb, Verb::Get),
            effect: operation.effect,
        }
    }
    /// GraphQL and its like: signed in, from our own page, reading.
    pub const fn signed_in_page() -> Self {
        Self {
            access: Access::SignedIn,
            own_page: true,
            effect: Effect::Reads,
        }
    }
}

impl Door {
    /// A door of these parts.
    pub fn new(parts: DoorParts) -> Arc<Self> {
        Self::with(parts, |limiter| limiter)
    }

    /// A door whose rates are shared with the doors of other processes.
    pub fn sharing(parts: DoorParts, limits: &Arc<dyn RateLimits>) -> Arc<Self> {
        Self::with(parts, |limiter| limiter.shared(Arc::clone(limits)))
    }

    fn with(parts: DoorParts, share: impl Fn(Limiter) -> Limiter) -> Arc<Self> {
        Arc::new(Self {
            credentials: parts.credentials,
            clock: parts.clock,
            per_credential: share(Limiter::new(parts.per_credential)),
            per_address: share(Limiter::new(parts.per_address)),
        })
    }

    /// Who is behind credentials, for long-lived connections.
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Lets a request in: who asks, and what is left of their rate. `None` for strangers at a public operation.
    pub async fn admit(
        &self,
        headers: &HeaderMap,
        info: &RequestInfo,
        demand: Demand,
    ) -> Result<(Option<Principal>, Verdict), ApiError> {
        let stranger = Caller::Address(info.peer);
        if demand.access == Access::Public {
            return Ok((None, self.allow(&self.per_address, stranger).await?));
        }
        let toll = self.toll(info);
        let presented = presented(headers)?;
        let principal = match presented {
            Some(presented) => self.credentials.authenticate(presented, Some(&toll)).await?,
            None => {
                toll.pay().await?;
                return Err(ApiError::new(ErrorCode::Unauthenticated));
            }
        };
        let verdict = self
            .allow(&self.per_credential, Caller::Credential(principal.credential()))
            .await?;
        if demand.own_page && principal.session.is_some() && !headers.contains_key(BROWSER_HEADER) {
            let detail = "a request with the session cookie needs the header X-Vaultstream-Request: 1";
            return Err(ApiError::field(
                ErrorCode::CsrfHeaderMissing,
                In::Request,
                "X-Vaultstream-Request",
                detail,
            ));
        }
        check_access(&principal, demand)?;
        Ok((Some(principal), verdict))
    }

    /// Lets a WebSocket upgrade in. A cookie counts only with an Origin, which the edge has compared; without any
    /// credential the answer is `None` and the connection must present a key in its first message, through
    /// [`Self::admit_key`].
    pub async fn admit_upgrade(
        &self,
        headers: &HeaderMap,
        info: &RequestInfo,
    ) -> Result<Option<Principal>, ApiError> {
        let toll = self.toll(info);
        let Some(presented) = presented(headers)? else {
            toll.pay().await?;
            return Ok(None);
        };
        if matches!(presented, Presented::Cookie(_)) && !headers.contains_key(header::ORIGIN) {
            let detail = "a socket with the session cookie needs an Origin";
            return Err(ApiError::field(
                ErrorCode::OriginNotAllowed,
                In::Request,
                "Origin",
                detail,
            ));
        }
        let principal = self.credentials.authenticate(presented, Some(&toll)).await?;
        self.allow(&self.per_credential, Caller::Credential(principal.credential()))
            .await?;
        Ok(Some(principal))
    }

    /// Lets in who presents a key in a message: `Bearer <key>` or the bare key.
    pub async fn admit_key(&self, text: &str, info: &RequestInfo) -> Result<Principal, ApiError> {
        let toll = self.toll(info);
        let key = text.strip_prefix("Bearer ").unwrap_or(text).trim();
        self.credentials
            .authenticate(Presented::Key(key), Some(&toll))
            .await
    }

    /// What a stranger pays for having an unknown credential looked up.
    const fn toll(&self, info: &RequestInfo) -> StrangersToll<'_> {
        StrangersToll {
            door: self,
            caller: Caller::Address(info.peer),
        }
    }

    async fn allow(&self, limiter: &Limiter, caller: Caller) -> Result<Verdict, ApiError> {
        let verdict = limiter.take(caller, self.clock.now()).await;
        if verdict.allowed {
            return Ok(verdict);
        }
        let mut error = ApiError::new(ErrorCode::RateLimited).retry_after(verdict.reset_seconds);
        for (name, value) in rate_headers(limiter.quota(), verdict) {
            error = error.header(name, value);
        }
        Err(error)
    }
}

struct StrangersToll<'a> {
    door: &'a Door,
    caller: Caller,
}

#[async_trait]
impl Toll for StrangersToll<'_> {
    async fn pay(&self) -> Result<(), ApiError> {
        self.door
            .allow(&self.door.per_address, self.caller)
            .await
            .map(drop)
    }
}

/// The credential of a request. A key counts before a cookie; a scheme that is not Bearer is refused, not ignored.
fn presented(headers: &HeaderMap) -> Result<Option<Presented<'_>>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(session_cookie::read(headers).map(Presented::Cookie));
    };
    let text = value.to_str().unwrap_or("");
    match text.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(Presented::Key(key.trim()))),
        _ => {
            let detail = "the Authorization header is not `Bearer <key>`";
            Err(ApiError::field(
                ErrorCode::Unauthenticated,
                In::Request,
                "Authorization",
                detail,
            ))
        }
    }
}

fn check_access(principal: &Principal, demand: Demand) -> Result<(), ApiError> {
    if let Access::Scope(scope) = demand.access {
        require(principal, scope)?;
    }
    if demand.effect == Effect::Commands && principal.organization_status != OrganizationStatus::Active {
        let detail = format!(
            "the organization is {}: it can read, and change nothing",
            principal.organization_status
        );
        return Err(ApiError::new(ErrorCode::OrganizationNotActive).detail(detail));
    }
    Ok(())
}

/// Refuses who lacks a scope, and names it.
pub fn require(principal: &Principal, scope: &str) -> Result<(), ApiError> {
    if principal.scopes.contains(scope) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::ScopeMissing).detail(format!("the credential lacks the scope `{scope}`")))
}

fn rate_headers(quota: Quota, verdict: Verdict) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let policy = format!("\"default\";q={};w=1", quota.per_second);
    let now = format!("\"default\";r={};t={}", verdict.remaining, verdict.reset_seconds);
    [("ratelimit-policy", policy), ("ratelimit", now)]
        .into_iter()
        .filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
        })
}

async fn guard(
    State((door, operation)): State<(Arc<Door>, &'static Operation)>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let info = request.extensions().get::<RequestInfo>().cloned();
    let info = info.ok_or_else(|| ApiError::new(ErrorCode::Internal).detail("the edge is not in place"))?;
    let (principal, verdict) = door
        .admit(request.headers(), &info, Demand::of(operation))
        .await?;
    let limiter = if principal.is_some() {
        &door.per_credential
    } else {
        &door.per_address
    };
    if let Some(principal) = principal {
        request.extensions_mut().insert(Arc::new(principal));
    }
    request.extensions_mut().insert(operation);
    let mut response = next.run(request).await;
    for (name, value) in rate_headers(limiter.quota(), verdict) {
        response.headers_mut().insert(name, value);
    }
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The routes of one room, made from the table.
pub struct Routes<S> {
    door: Arc<Door>,
    room: Room,
    router: Router<S>,
    served: BTreeSet<&'static str>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes yet.
    pub fn new(door: Arc<Door>, room: Room) -> Self {
        Self {
            door,
            room,
            router: Router::new(),
            served: BTreeSet::new(),
        }
    }

    /// Serves an operation.
    ///
    /// # Panics
    /// When the table has no such operation in this room: a mistake that the first start shows.
    #[must_use]
    pub fn on<H, T>(mut self, id: &'static str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let operation = operations::find(id)
            .filter(|o| o.room == self.room)
            .expect("the table has the operation");
        let guarded = on(operation.verb.filter(), handler)
            .route_layer(from_fn_with_state((Arc::clone(&self.door), operation), guard));
        self.router = self.router.route(operation.path, guarded);
        self.served.insert(id);
        self
    }

    /// The router.
    ///
    /// # Panics
    /// When an operation of the room has no handler: a mistake that the first start shows.
    pub fn finish(self) -> Router<S> {
        let room = operations::ALL.iter().filter(|o| o.room == self.room);
        let missing: Vec<_> = room
            .filter(|o| !self.served.contains(o.id))
            .map(|o| o.id)
            .collect();
        assert!(missing.is_empty(), "operations without a handler: {missing:?}");
        self.router
    }
}

/// Who asks and for which operation, in a handler behind the door.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The operation.
    pub operation: &'static Operation,
    /// Who asks; `None` at a public operation.
    pub principal: Option<Arc<Principal>>,
    /// The request.
    pub info: RequestInfo,
}

impl Asked {
    /// Who asks, where the operation is not public.
    pub fn principal(&self) -> Result<&Principal, ApiError> {
        self.principal
            .as_deref()
            .ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated))
    }

    /// Refuses keys of any other organization than the platform's.
    pub fn platform_only(&self, platform: OrganizationId) -> Result<(), ApiError> {
        if self.principal()?.organization == platform {
            return Ok(());
        }
        let scope = match self.operation.access {
            Access::Scope(scope) => format!(", with the scope `{scope}`"),
            Access::Public | Access::SignedIn => String::new(),
        };
        let detail = format!("only keys of the platform organization may do this{scope}");
        Err(ApiError::new(ErrorCode::ScopeMissing).detail(detail))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let missing = || ApiError::new(ErrorCode::Internal).detail("the handler is not behind the door");
        Ok(Self {
            operation: parts
                .extensions
                .get::<&'static Operation>()
                .copied()
                .ok_or_else(missing)?,
            principal: parts.extensions.get::<Arc<Principal>>().cloned(),
            info: parts
                .extensions
                .get::<RequestInfo>()
                .cloned()
                .ok_or_else(missing)?,
        })
    }
}
