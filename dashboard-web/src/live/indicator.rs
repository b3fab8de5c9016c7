//! What the indicator says: how far what is shown is behind what has happened. The views' watermarks decide, not the
//! socket alone: an open socket over stalled views is not live.

use super::core::Link;
use crate::moment::{age, fine_age};
use crate::words::{Word, fill, say};

/// Views further behind than this are catching up.
const BEHIND_MS: u64 = 1_500;
/// A report older than this says nothing any more: it comes every second.
const REPORT_MS: u64 = 4_000;
/// Without a connection for this long it is offline, whatever the browser believes.
const OFFLINE_MS: u64 = 20_000;

/// What is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knowledge {
    /// How the connection stands.
    pub link: Link,
    /// Whether the browser believes that there is a network.
    pub network: bool,
    /// How long there has been no connection.
    pub lost_ms: Option<u64>,
    /// The last report: how old it is, and how far the views were behind then.
    pub report: Option<Report>,
}

/// A report of the views' freshness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// How long ago it came.
    pub age_ms: u64,
    /// How far the views were behind.
    pub lag_ms: u64,
    /// Events that some view had still to fold.
    pub behind: u64,
}

/// The indicator's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What is shown is what has happened.
    Live,
    /// It is not yet.
    Behind,
    /// The connection is being made.
    Joining,
    /// There is none.
    Offline,
}

impl Kind {
    /// Its name in the style sheet.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Behind => "behind",
            Self::Joining => "joining",
            Self::Offline => "offline",
        }
    }
}

/// The state and its words.
pub fn judge(known: Knowledge) -> (Kind, String) {
    let lost = known.lost_ms.unwrap_or(0);
    if !known.network || lost >= OFFLINE_MS {
        return (Kind::Offline, fill(Word::LiveOffline, &[("age", &age(lost))]));
    }
    if known.link != Link::Joined {
        let words = match known.lost_ms {
            Some(lost) if lost >= 1_000 => fill(Word::LiveRejoining, &[("age", &age(lost))]),
            _ => say(Word::LiveJoining).to_owned(),
        };
        return (Kind::Joining, words);
    }
    let Some(report) = known.report else {
        return (Kind::Joining, say(Word::LiveJoining).to_owned());
    };
    let late = report.age_ms > REPORT_MS;
    if late || (report.behind > 0 && report.lag_ms > BEHIND_MS) {
        let behind = if late {
            report.age_ms + report.lag_ms
        } else {
            report.lag_ms
        };
        return (
            Kind::Behind,
            fill(Word::LiveBehind, &[("age", &fine_age(behind))]),
        );
    }
    if report.lag_ms < 100 {
        return (Kind::Live, say(Word::LiveNow).to_owned());
    }
    (
        Kind::Live,
        fill(Word::LiveAge, &[("age", &fine_age(report.lag_ms))]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(age_ms: u64, lag_ms: u64, behind: u64) -> Knowledge {
        Knowledge {
            link: Link::Joined,
            network: true,
            lost_ms: None,
            report: Some(Report {
                age_ms,
                lag_ms,
                behind,
            }),
        }
    }

    #[test]
    fn fresh_views_should_be_live() {
        assert_eq!(judge(joined(900, 0, 0)), (Kind::Live, "Live".into()));
        assert_eq!(judge(joined(900, 300, 2)), (Kind::Live, "Live 0.3 s".into()));
    }

    #[test]
    fn views_behind_should_say_by_how_much() {
        assert_eq!(
            judge(joined(10, 6_200, 40)),
            (Kind::Behind, "Catching up, 6.2 s behind".into())
        );
    }

    #[test]
    fn open_socket_without_reports_should_not_be_live() {
        assert_eq!(judge(joined(5_000, 0, 0)).0, Kind::Behind);
        let silent = Knowledge {
            report: None,
            ..joined(0, 0, 0)
        };
        assert_eq!(judge(silent).0, Kind::Joining);
    }

    #[test]
    fn lost_connection_should_count_seconds_and_then_be_offline() {
        let lost = |ms| Knowledge {
            link: Link::Waiting,
            lost_ms: Some(ms),
            ..joined(0, 0, 0)
        };
        assert_eq!(judge(lost(3_000)), (Kind::Joining, "Reconnecting, 3 s".into()));
        assert_eq!(judge(lost(20_000)), (Kind::Offline, "Offline, 20 s".into()));
        let unplugged = Knowledge {
            network: false,
            ..lost(2_000)
        };
        assert_eq!(judge(unplugged).0, Kind::Offline);
    }
}
