//! `atLeast`: reads that are not older than a token says.

use vaultstream_event_schemas::ErrorCode;
use vaultstream_event_schemas::token::Positions;
use vaultstream_gateway::ApiError;
use vaultstream_gateway::error::In;
use vaultstream_gateway::query::Params;
use vaultstream_projectors::ViewName;
use vaultstream_projectors::read::ReadError;

use super::Site;

/// How long a list waits for its views.
const PATIENCE_MS: u64 = 2_000;

impl Site {
    /// The positions of the request's token, when it has one.
    pub(super) fn at_least(&self, params: &Params) -> Result<Option<Positions>, ApiError> {
        let Some(token) = params.get("atLeast") else {
            return Ok(None);
        };
        let positions = self.services.mac.open_token(token).map_err(|error| {
            ApiError::field(ErrorCode::TokenInvalid, In::Request, "atLeast", error.to_string())
        })?;
        Ok(Some(positions))
    }

    /// Waits until the views of a list hold what the request's token stands for.
    pub(super) async fn wait(&self, params: &Params, views: &[ViewName]) -> Result<(), ApiError> {
        match self.at_least(params)? {
            None => Ok(()),
            Some(positions) => Ok(self
                .services
                .reads
                .wait(views, &positions, PATIENCE_MS)
                .await
                .map_err(refused)?),
        }
    }
}

/// What the views refuse, in the door's words.
pub(super) fn refused(error: ReadError) -> ApiError {
    match error {
        error @ (ReadError::Store(_) | ReadError::Log(_)) => ApiError::new(ErrorCode::StorageUnavailable)
            .retry_after(1)
            .caused_by(error),
        error @ ReadError::Damaged { .. } => ApiError::new(ErrorCode::EventUnreadable).caused_by(error),
        error @ ReadError::Cursor => {
            ApiError::field(ErrorCode::CursorInvalid, In::Request, "cursor", error.to_string())
        }
        error @ ReadError::Narrow { .. } => ApiError::new(ErrorCode::LimitReached).detail(error.to_string()),
        ReadError::Behind(behind) => ApiError::new(ErrorCode::ReadModelBehind)
            .detail(behind.to_string())
            .retry_after(1),
        error @ ReadError::OtherLife { .. } => {
            ApiError::field(ErrorCode::TokenInvalid, In::Request, "atLeast", error.to_string())
        }
    }
}
