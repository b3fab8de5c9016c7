//! What contradicts, and where.

use std::fmt;

use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::EventRef;

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The shard.
    pub shard: ShardNumber,
    /// The position; 0 for the shard as a whole.
    pub position: u64,
    /// The event that stands there, when one can be read.
    pub event: Option<EventRef>,
}

impl Place {
    /// A position of a shard.
    pub const fn at(shard: ShardNumber, position: u64) -> Self {
        Self {
            shard,
            position,
            event: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}", self.shard)?;
        if self.position > 0 {
            write!(f, " position {}", self.position)?;
        }
        match self.event {
            Some(event) => write!(f, " ({} sequence {})", event.stream, event.sequence),
            None => Ok(()),
        }
    }
}

/// How a place contradicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Its bytes do not give its hash, or it cannot be read.
    Edited,
    /// It is no event of the shard or stream it stands in.
    Misplaced,
    /// Positions are missing in front of it.
    Missing {
        /// The first missing position.
        from: u64,
        /// The last.
        upto: u64,
    },
    /// It stands behind an event that it does not follow: a position twice or backwards, or an earlier clock.
    Reordered,
    /// It does not continue its stream: an event of the stream is missing, inserted or another one.
    Broken {
        /// The sequence its stream was at, 0 before the first.
        after: u64,
    },
    /// It was put in between sealed events, and all behind it moved up.
    Inserted {
        /// The checkpoint that shows it.
        checkpoint: u64,
    },
    /// It and the event behind it have changed places.
    Swapped {
        /// The checkpoint that shows it.
        checkpoint: u64,
    },
    /// The events between two sealed sizes are not those that were sealed; each is whole by itself.
    Other {
        /// The first of them.
        from: u64,
        /// The last of them.
        upto: u64,
        /// The checkpoint that sealed them.
        checkpoint: u64,
    },
    /// The log ends before what was sealed, and no restore was declared.
    Cut {
        /// The first missing position.
        from: u64,
        /// The last one that was sealed.
        upto: u64,
        /// The checkpoint that sealed it.
        checkpoint: u64,
    },
    /// The shard stands in two places of the file.
    Twice,
}

/// One contradiction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// How.
    pub fault: Fault,
}

impl Fault {
    /// One word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Misplaced => "misplaced",
            Self::Missing { .. } => "deleted",
            Self::Reordered | Self::Swapped { .. } => "reordered",
            Self::Inserted { .. } => "inserted",
            Self::Broken { .. } => "stream-broken",
            Self::Other { .. } => "rewritten",
            Self::Cut { .. } => "cut",
            Self::Twice => "twice",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.fault {
            Fault::Edited => write!(f, "{place}: its bytes are not those that were hashed"),
            Fault::Misplaced => write!(f, "{place}: the event belongs to another shard or stream"),
            Fault::Missing { from, upto } if from == upto => {
                write!(
                    f,
                    "shard {} position {from}: the event is missing; {place} follows",
                    place.shard
                )
            }
            Fault::Missing { from, upto } => {
                write!(
                    f,
                    "shard {} positions {from} to {upto}: the events are missing; {place} follows",
                    place.shard
                )
            }
            Fault::Reordered => write!(
                f,
                "{place}: it does not stand where it was written: its position or clock does not follow"
            ),
            Fault::Broken { after } => {
                write!(
                    f,
                    "{place}: it does not continue its stream, which stands at sequence {after}"
                )
            }
            Fault::Inserted { checkpoint } => {
                write!(
                    f,
                    "{place}: it was inserted among the events that checkpoint {checkpoint} sealed"
                )
            }
            Fault::Swapped { checkpoint } => {
                write!(
                    f,
                    "{place}: it and the next have changed places since checkpoint {checkpoint} sealed them"
                )
            }
            Fault::Other {
                from,
                upto,
                checkpoint,
            } => write!(
                f,
                "shard {} positions {from} to {upto}: not the events that checkpoint {checkpoint} sealed: one was inserted, \
                 replaced, moved or left out",
                place.shard
            ),
            Fault::Cut {
                from,
                upto,
                checkpoint,
            } => write!(
                f,
                "shard {} positions {from} to {upto}: cut off; checkpoint {checkpoint} sealed them and no restore is declared",
                place.shard
            ),
            Fault::Twice => write!(f, "{place}: its events stand in two places of the file"),
        }
    }
}

/// A loss that a restore declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The life that ended.
    pub incarnation: u32,
    /// The last position of it that was kept.
    pub kept: u64,
    /// The last position of it that was sealed; not above `kept` when nothing sealed was lost.
    pub sealed: u64,
    /// The checkpoint that declares it.
    pub checkpoint: u64,
}
