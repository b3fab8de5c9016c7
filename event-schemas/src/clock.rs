//! Time as data: wall-clock timestamps and the hybrid logical clock of a shard.
//!
//! Both count microseconds since the Unix epoch, UTC. The hlc orders like the position of its shard and stays near
//! wall time, so it can serve as the write timestamp of a view; it advances by at least four per event, which
//! leaves room for ordering inside one event. This module reads no clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A moment, in microseconds since the Unix epoch; its text is RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// The text is no RFC 3339 moment between the years 0 and 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no RFC 3339 time such as 2026-11-21T10:00:00Z")]
pub struct TimestampError(String);

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }
    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
    /// Milliseconds since the epoch, never negative.
    pub fn unix_ms(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }
    /// This moment and `seconds` more, saturating.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000).map_err(|_| fmt::Error)?;
        f.write_str(&moment.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let error = || TimestampError(text.chars().take(64).collect());
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| error())?;
        // An offset may lead out of the years that RFC 3339 can write.
        let in_utc = moment.checked_to_offset(UtcOffset::UTC);
        let moment = in_utc
            .filter(|utc| (0..=9999).contains(&utc.year()))
            .ok_or_else(error)?;
        i64::try_from(moment.unix_timestamp_nanos() / 1000)
            .map(Self)
            .map_err(|_| error())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// The hybrid logical clock of a shard, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hlc(pub u64);

/// How far a shard's clock, or a database's, may run ahead of this process before an append is refused.
pub const MAX_AHEAD_US: u64 = 60_000_000;
/// The last microsecond that RFC 3339 can write.
const LAST_US: u64 = 253_402_300_799_999_999;

impl Hlc {
    /// The stamp of the next event: `max(last + 4, now)`.
    pub const fn next(self, now: Timestamp) -> Self {
        let now = if now.0 < 0 { 0 } else { now.0.unsigned_abs() };
        let after = self.0.saturating_add(4);
        Self(if now > after { now } else { after })
    }

    /// Whether this clock runs more than [`MAX_AHEAD_US`] ahead of `now`.
    pub const fn is_ahead_of(self, now: Timestamp) -> bool {
        let now = if now.0 < 0 { 0 } else { now.0.unsigned_abs() };
        self.0 > now.saturating_add(MAX_AHEAD_US)
    }

    /// Whether this clock can have been shown by a wall: not beyond the year 9999.
    pub const fn is_of_a_wall(self) -> bool {
        self.0 <= LAST_US
    }

    /// The wall time this stamp stands near.
    pub fn timestamp(self) -> Timestamp {
        Timestamp(i64::try_from(self.0).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hlc_should_always_advance_and_follow_the_wall() {
        let t = Timestamp::from_micros(1_000);
        assert_eq!(Hlc(10).next(t), Hlc(1_000));
        assert_eq!(Hlc(1_000).next(t), Hlc(1_004));
        assert_eq!(
            Hlc(5_000).next(t),
            Hlc(5_004),
            "a clock that steps back never reorders"
        );
        assert!(Hlc(MAX_AHEAD_US + 1_001).is_ahead_of(t));
        assert!(!Hlc(MAX_AHEAD_US + 1_000).is_ahead_of(t));
    }

    #[test]
    fn timestamp_should_round_trip_as_rfc_3339() {
        let t = Timestamp::from_micros(1_795_000_000_123_456);
        assert_eq!(t.to_string().parse(), Ok(t));
        assert_eq!(
            "1970-01-01T00:00:01Z".parse(),
            Ok(Timestamp::from_micros(1_000_000))
        );
        assert!("yesterday".parse::<Timestamp>().is_err());
        let last = "9999-12-31T23:59:59.999999Z";
        assert_eq!(
            last.parse::<Timestamp>().map(|t| t.to_string()).as_deref(),
            Ok(last)
        );
        for beyond in ["9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00+00:01"] {
            assert!(
                beyond.parse::<Timestamp>().is_err(),
                "{beyond} cannot be written in UTC"
            );
        }
    }
}
