//! Moments as the API writes them, and ages as people read them. Knows no clock and no time zone: the browser has both.

use crate::words::{Word, fill, say};
use serde::{Deserialize, Deserializer};

/// A moment in milliseconds since the epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub i64);

impl Moment {
    /// Reads RFC 3339 in UTC, as the API always writes it; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once('T')?;
        let time = rest.strip_suffix('Z')?;
        let mut date = date.splitn(3, '-').map(str::parse::<i64>);
        let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut clock = clock.splitn(3, ':').map(str::parse::<i64>);
        let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
        let sound = (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..=60).contains(&second)
            && fraction.bytes().all(|b| b.is_ascii_digit());
        if !sound {
            return None;
        }
        let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some(Self(seconds * 1_000 + millis))
    }

    /// How long ago this was at `now`, never negative.
    pub fn age_ms(self, now: Self) -> u64 {
        u64::try_from(now.0.saturating_sub(self.0)).unwrap_or(0)
    }
}

/// Days from the epoch to a date of the Gregorian calendar (years counted from March, so leap days come last).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no RFC 3339 time in UTC"))
    }
}

/// An age in one unit: `now`, `12 s`, `3 min`, `5 h`, `2 d`.
pub fn age(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (word, n) = match seconds {
        0 => return say(Word::AgeNow).to_owned(),
        1..60 => (Word::AgeSeconds, seconds),
        60..3_600 => (Word::AgeMinutes, seconds / 60),
        3_600..86_400 => (Word::AgeHours, seconds / 3_600),
        _ => (Word::AgeDays, seconds / 86_400),
    };
    fill(word, &[("n", &n.to_string())])
}

/// An age as a place in time: `now`, `12 s ago`.
pub fn ago(ms: u64) -> String {
    if ms < 1_000 {
        return say(Word::AgeNow).to_owned();
    }
    fill(Word::AgeAgo, &[("age", &age(ms))])
}

/// An age below ten seconds with one decimal place, as the live indicator shows it.
pub fn fine_age(ms: u64) -> String {
    if ms >= 10_000 {
        return age(ms);
    }
    fill(
        Word::AgeSeconds,
        &[("n", &format!("{}.{}", ms / 1_000, ms % 1_000 / 100))],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_times_should_be_read_exactly() {
        assert_eq!(Moment::parse("1970-01-01T00:00:00Z"), Some(Moment(0)));
        assert_eq!(
            Moment::parse("2000-02-29T23:59:59.5Z"),
            Some(Moment(951_868_799_500))
        );
        assert_eq!(
            Moment::parse("2026-11-21T10:00:00.123456Z"),
            Some(Moment(1_795_255_200_123))
        );
        assert_eq!(Moment::parse("1969-12-31T23:59:59Z"), Some(Moment(-1_000)));
    }

    #[test]
    fn other_texts_should_be_refused() {
        for bad in [
            "",
            "yesterday",
            "2026-11-21",
            "2026-11-21T10:00:00",
            "2026-11-21T10:00:00+01:00",
            "2026-13-01T00:00:00Z",
            "2026-11-21T25:00:00Z",
            "2026-11-21T10:00:00.x23Z",
        ] {
            assert_eq!(Moment::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ages_should_use_one_unit() {
        for (ms, text) in [
            (999, "now"),
            (1_000, "1 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (3_600_000, "1 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(age(ms), text);
        }
        assert_eq!(ago(2_000), "2 s ago");
        assert_eq!(ago(0), "now");
        assert_eq!(fine_age(340), "0.3 s");
        assert_eq!(fine_age(12_000), "12 s");
        assert_eq!(
            Moment(5).age_ms(Moment(2)),
            0,
            "a clock that is behind shows no negative age"
        );
    }
}
