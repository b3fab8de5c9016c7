//! Why personal data is destroyed: a closed list, so that an erasure itself never carries personal data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// On what grounds a subject's key is destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Grounds {
    /// The person it is about asked for it.
    Request,
    /// It was kept for as long as it was needed.
    Retention,
    /// It should never have been written.
    Mistake,
}

/// The text is none of the grounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the grounds of an erasure are request, retention or mistake")]
pub struct GroundsError;

impl Grounds {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Request, Self::Retention, Self::Mistake];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Retention => "retention",
            Self::Mistake => "mistake",
        }
    }
}

impl fmt::Display for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Grounds {
    type Err = GroundsError;
    fn from_str(text: &str) -> Result<Self, GroundsError> {
        Self::ALL
            .iter()
            .copied()
            .find(|grounds| grounds.as_str() == text)
            .ok_or(GroundsError)
    }
}
