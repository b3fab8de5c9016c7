//! Query parameters: a closed list an operation, each at most once, decoded and named when refused.

use std::collections::BTreeMap;

use http::Uri;
use vaultstream_event_schemas::ErrorCode;

use crate::error::{ApiError, In};
use crate::operation::Operation;

/// How many items a page has unless the request says.
pub const DEFAULT_LIMIT: usize = 50;
/// The most items of a page.
pub const MAX_LIMIT: usize = 200;

/// The parameters of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads the parameters an operation knows.
    pub fn read(operation: &Operation, uri: &Uri) -> Result<Self, ApiError> {
        let mut params = BTreeMap::new();
        for pair in uri.query().unwrap_or("").split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let refused = |code, detail: &str| ApiError::field(code, In::Request, name, detail);
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(refused(
                    ErrorCode::InvalidField,
                    "the query parameter is not valid percent-encoded UTF-8",
                ));
            };
            if !operation.query.contains(&name.as_str()) {
                let known = operation.query.join(", ");
                let known = if known.is_empty() { "none" } else { &known };
                let detail = format!("no such query parameter; this operation takes: {known}");
                return Err(ApiError::field(
                    ErrorCode::UnknownField,
                    In::Request,
                    &name,
                    detail,
                ));
            }
            if params.insert(name, value).is_some() {
                return Err(refused(
                    ErrorCode::InvalidField,
                    "the query parameter is given twice",
                ));
            }
        }
        Ok(Self(params))
    }

    /// A parameter, when it is given and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// A parameter read as something.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError>
    where
        T::Err: std::fmt::Display,
    {
        let read = |text: &str| {
            let refused =
                |e: T::Err| ApiError::field(ErrorCode::InvalidField, In::Request, name, e.to_string());
            text.parse().map_err(refused)
        };
        self.get(name).map(read).transpose()
    }

    /// A switch: `true`, or the bare name.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.0.get(name).map(String::as_str) {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(_) => Err(ApiError::field(
                ErrorCode::InvalidField,
                In::Request,
                name,
                "use true or false",
            )),
        }
    }

    /// How many items a page shall have.
    pub fn limit(&self) -> Result<usize, ApiError> {
        let limit = self.parsed::<usize>("limit")?.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        let detail = format!("a page has 1 to {MAX_LIMIT} items");
        Err(ApiError::field(
            ErrorCode::InvalidField,
            In::Request,
            "limit",
            detail,
        ))
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_digit(rest.next()?)? * 16 + hex_digit(rest.next()?)?,
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations;

    fn read(query: &str) -> Result<Params, ApiError> {
        let uri: Uri = format!("/v1/vaults?{query}").parse().expect("a uri");
        Params::read(operations::find("listVaults").expect("in the table"), &uri)
    }

    #[test]
    fn parameters_should_be_known_single_and_decoded() {
        let params = read("name=Cold+st%C3%A9&limit=7&cursor=").expect("valid");
        assert_eq!(
            (params.get("name"), params.get("cursor")),
            (Some("Cold sté"), None)
        );
        assert_eq!(params.limit().ok(), Some(7));
        let code = |query: &str| {
            read(query)
                .map(|_| ())
                .map_err(|e| (e.code(), e.fields()[0].field.clone()))
        };
        assert_eq!(
            code("colour=red"),
            Err((ErrorCode::UnknownField, "colour".into()))
        );
        assert_eq!(
            code("limit=1&limit=2"),
            Err((ErrorCode::InvalidField, "limit".into()))
        );
        assert_eq!(code("name=%f"), Err((ErrorCode::InvalidField, "name".into())));
        assert_eq!(code("name=%ff"), Err((ErrorCode::InvalidField, "name".into())));
    }

    #[test]
    fn limits_and_flags_should_be_bounded() {
        for bad in ["limit=0", "limit=201", "limit=-1", "limit=x"] {
            assert!(read(bad).expect("known").limit().is_err(), "{bad}");
        }
        assert_eq!(Params::default().limit().ok(), Some(50));
        let flag = |value: &str| {
            Params(BTreeMap::from([("dryRun".into(), value.into())]))
                .flag("dryRun")
                .ok()
        };
        assert_eq!(
            (flag("true"), flag(""), flag("false"), flag("maybe")),
            (Some(true), Some(true), Some(false), None)
        );
    }
}
