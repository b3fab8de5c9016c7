//! A look at mark and log: whether the log holds what its newest mark says.
//!
//! | what is found | what it is |
//! | --- | --- |
//! | no mark, nothing was ever bound | a first start: the first mark is written |
//! | no mark, something was bound | the mark is missing: quarantine (or the first mark, where [`MarkOptions::begins`]) |
//! | a mark that these keys did not sign | another installation's, or changed: quarantine, and no release over it |
//! | a shard ends before its marked position | the log was cut or put back: quarantine |
//! | a shard lives an earlier life than was marked | the log was put back: quarantine |
//! | another event at the marked position | the log went on without what was marked: quarantine |
//! | the marked event, in this life or a later one | the log holds it; a restore that kept it took nothing that was signed |
//! | all that, but a checkpoint newer than the mark has sealed more than there is | the log was cut: quarantine |

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use vaultstream_domain::error::Causes;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::event_log::{Head, LogError};
use vaultstream_event_schemas::mark::{Mark, MarkRef, MarkedShard};
use vaultstream_event_schemas::note::Note;
use vaultstream_event_schemas::{Checkpoint, Family, ShardNumber};

use super::{MarkError, MarkPorts, Marker, Newest, Seen, Standing};
use crate::observer::Fact;

#[cfg(doc)]
use super::MarkOptions;

/// Events read at a time when a log without a mark is searched for a bind.
const PAGE: usize = 2_000;
/// The event that says that something was bound.
const BOUND: &str = "slots.bound";

/// What a log does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// There is no mark, and slot values were bound.
    Missing,
    /// The newest mark was not signed by this installation.
    Foreign(String),
    /// The log has no such shard.
    NoShard(ShardNumber),
    /// The shard ends before what was marked.
    Short {
        /// The shard.
        shard: ShardNumber,
        /// The marked position.
        marked: u64,
        /// The last one there is.
        position: u64,
    },
    /// The shard lives a life before the marked one.
    EarlierLife {
        /// The shard.
        shard: ShardNumber,
        /// The marked life.
        marked: u32,
        /// The one it lives.
        incarnation: u32,
    },
    /// The shard has another event at the marked position.
    Differs {
        /// The shard.
        shard: ShardNumber,
        /// The position.
        marked: u64,
    },
    /// The shard ends before what a checkpoint sealed that is newer than the mark.
    Unsealed {
        /// The shard.
        shard: ShardNumber,
        /// The checkpoint.
        checkpoint: u64,
        /// Its last sealed position.
        sealed: u64,
        /// The last one there is.
        position: u64,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("slot values were bound, and there is no mark"),
            Self::Foreign(why) => write!(
                f,
                "the newest mark was not signed by this installation ({why}); put its own marks back, or move these away"
            ),
            Self::NoShard(shard) => write!(f, "shard {shard} was marked, and the log has none"),
            Self::Short {
                shard,
                marked,
                position,
            } => write!(
                f,
                "shard {shard} ends at position {position}, and {marked} was marked"
            ),
            Self::EarlierLife {
                shard,
                marked,
                incarnation,
            } => write!(
                f,
                "shard {shard} is in incarnation {incarnation}, and {marked} was marked"
            ),
            Self::Differs { shard, marked } => {
                write!(
                    f,
                    "shard {shard} has another event at the marked position {marked}"
                )
            }
            Self::Unsealed {
                shard,
                checkpoint,
                sealed,
                position,
            } => write!(
                f,
                "shard {shard} ends at position {position}, and checkpoint {checkpoint} sealed {sealed}"
            ),
        }
    }
}

/// A log that is behind its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewound {
    /// The mark; none when it is missing.
    pub mark: Option<MarkRef>,
    /// What the log does not hold; never empty.
    pub why: Vec<Why>,
}

impl fmt::Display for Rewound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, why) in self.why.iter().enumerate() {
            let between = if i == 0 { "" } else { "; " };
            write!(f, "{between}{why}")?;
        }
        Ok(())
    }
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The newest mark, when it is one of ours.
    pub mark: Option<(MarkRef, Mark)>,
    /// The newest checkpoint, when it is one of ours.
    pub checkpoint: Option<u64>,
    /// What the log does not hold, when there is something.
    pub rewound: Option<Rewound>,
    /// Whether something was bound; looked for only where there is no mark.
    pub has_binds: bool,
}

/// Looks at mark and log. The events at the positions of the mark named `checked` were compared before.
pub async fn look(ports: &MarkPorts, checked: Option<MarkRef>) -> Result<Looked, MarkError> {
    let heads = ports.log.heads().await?;
    let mut why = Vec::new();
    let mark = match newest(ports).await? {
        Found::None => None,
        Found::Ours(found) => Some(*found),
        Found::Foreign(reason) => {
            why.push(Why::Foreign(reason));
            None
        }
    };
    if let Some((name, mark)) = &mark {
        why.extend(behind(&heads, &mark.shards));
        if why.is_empty() && checked != Some(*name) {
            why.extend(differing(ports.log.as_ref(), &mark.shards).await?);
        }
    }
    let marked = mark.as_ref().and_then(|(_, mark)| mark.checkpoint);
    let (checkpoint, unsealed) = unsealed(ports, &heads, marked).await?;
    why.extend(unsealed);
    let has_binds = mark.is_none() && why.is_empty() && has_binds(ports.log.as_ref()).await?;
    let name = mark.as_ref().map(|(name, _)| *name);
    Ok(Looked {
        mark,
        checkpoint,
        rewound: (!why.is_empty()).then_some(Rewound { mark: name, why }),
        has_binds,
    })
}

enum Found {
    None,
    Ours(Box<(MarkRef, Mark)>),
    Foreign(String),
}

async fn newest(ports: &MarkPorts) -> Result<Found, MarkError> {
    let Some(kept) = ports.marks.newest().await? else {
        return Ok(Found::None);
    };
    let keys = ports.seal.public_keys().await?;
    let note = match Note::parse(&kept.note) {
        Ok(note) => note,
        Err(error) => return Ok(Found::Foreign(error.to_string())),
    };
    if let Err(error) = keys.believe(&note) {
        return Ok(Found::Foreign(error.to_string()));
    }
    Ok(match note.text().parse::<Mark>() {
        Ok(mark) if mark.number == kept.number => {
            let name = MarkRef {
                number: mark.number,
                hash: note.hash(),
            };
            Found::Ours(Box::new((name, mark)))
        }
        Ok(_) => Found::Foreign("it says another number".to_owned()),
        Err(error) => Found::Foreign(error.to_string()),
    })
}

/// What heads alone say.
pub(super) fn behind(heads: &BTreeMap<ShardNumber, Head>, marked: &[MarkedShard]) -> Vec<Why> {
    let look = |marked: &MarkedShard| {
        let shard = marked.shard;
        match heads.get(&shard) {
            None => Some(Why::NoShard(shard)),
            Some(head) if head.incarnation < marked.incarnation => Some(Why::EarlierLife {
                shard,
                marked: marked.incarnation,
                incarnation: head.incarnation,
            }),
            Some(head) if head.position < marked.position => Some(Why::Short {
                shard,
                marked: marked.position,
                position: head.position,
            }),
            Some(_) => None,
        }
    };
    marked.iter().filter_map(look).collect()
}

/// The hash of the event at a position; zeros at 0, none when there is no such event.
pub(super) async fn hash_at(
    log: &dyn EventLog,
    shard: ShardNumber,
    position: u64,
) -> Result<Option<[u8; 32]>, LogError> {
    let Some(before) = position.checked_sub(1) else {
        return Ok(Some([0; 32]));
    };
    let leaves = log.read_leaves(shard, before, 1).await?;
    let leaf = leaves.first().filter(|leaf| leaf.position == position);
    Ok(leaf.map(|leaf| leaf.hash))
}

async fn differing(log: &dyn EventLog, marked: &[MarkedShard]) -> Result<Vec<Why>, LogError> {
    let mut why = Vec::new();
    for MarkedShard {
        shard,
        position,
        hash,
        ..
    } in marked
    {
        if hash_at(log, *shard, *position).await? != Some(*hash) {
            why.push(Why::Differs {
                shard: *shard,
                marked: *position,
            });
        }
    }
    Ok(why)
}

/// The newest checkpoint, and what it sealed beyond the log. Only one that is newer than the mark tells more than the mark;
/// a shard in a later life was restored, which is declared.
async fn unsealed(
    ports: &MarkPorts,
    heads: &BTreeMap<ShardNumber, Head>,
    marked: Option<u64>,
) -> Result<(Option<u64>, Vec<Why>), MarkError> {
    let newest = ports.checkpoints.newest().await;
    let newest = newest.map_err(|error| MarkError::Checkpoints(error.into()))?;
    let Some(kept) = newest else {
        return Ok((None, Vec::new()));
    };
    let number = kept.number;
    if marked.is_some_and(|marked| number <= marked) {
        return Ok((Some(number), Vec::new()));
    }
    let keys = ports.seal.public_keys().await?;
    let ours = Note::parse(&kept.note).ok();
    let ours = ours.filter(|note| keys.believe(note).is_ok());
    // One that is not ours is the sealer's to tell of.
    let Some(checkpoint) = ours.and_then(|note| note.text().parse::<Checkpoint>().ok()) else {
        return Ok((None, Vec::new()));
    };
    let look = |sealed: &vaultstream_event_schemas::checkpoint::ShardRoot| {
        let head = heads.get(&sealed.shard)?;
        let is_cut = head.incarnation == sealed.incarnation && head.position < sealed.size;
        is_cut.then_some(Why::Unsealed {
            shard: sealed.shard,
            checkpoint: number,
            sealed: sealed.size,
            position: head.position,
        })
    };
    Ok((Some(number), checkpoint.shards.iter().filter_map(look).collect()))
}

async fn has_binds(log: &dyn EventLog) -> Result<bool, LogError> {
    for entry in log.registry().entries() {
        if !matches!(entry.family, Family::Chain(_)) {
            continue;
        }
        let mut after = 0;
        loop {
            let page = log.read_shard(entry.number, after, PAGE).await?;
            if page.iter().any(|event| event.envelope.event_type == BOUND) {
                return Ok(true);
            }
            match page.last() {
                Some(last) => after = last.position,
                None => break,
            }
        }
    }
    Ok(false)
}

impl Marker {
    /// Looks, and shows what was found; begins the marks of a log that has none.
    pub(super) async fn look(&mut self) {
        if let Err(error) = self.look_or_begin().await {
            let why = Causes(&error).to_string();
            self.ports.observer.observe(&Fact::MarkUnread { why: &why });
            // A quarantine ends with a look that finds the log whole, and not with one that finds nothing.
            let is_quarantined = matches!(self.show.borrow().standing, Standing::Quarantined(_));
            if !is_quarantined {
                self.stand(Standing::Unknown(why));
            }
        }
    }

    async fn look_or_begin(&mut self) -> Result<(), MarkError> {
        if let Some(has_binds) = self.take_up().await? {
            if has_binds {
                self.ports.observer.observe(&Fact::MarksBegun);
            }
            self.append(&[], None).await?;
            self.stand(Standing::Holds);
        }
        Ok(())
    }

    /// Looks, and shows what was found. Answers, where marks are to be begun, whether something was bound before.
    pub(super) async fn take_up(&mut self) -> Result<Option<bool>, MarkError> {
        let is_open = self.show.borrow().standing == Standing::Holds;
        let checked = self.newest.as_ref().map(|newest| newest.name);
        let found = look(&self.ports, checked.filter(|_| is_open)).await?;
        self.checkpoint = found.checkpoint;
        self.newest = found.mark.map(|(name, mark)| Newest {
            name,
            shards: mark.shards,
        });
        let name = self.newest.as_ref().map(|newest| newest.name);
        self.show.send_modify(|seen| seen.mark = name);
        let rewound = match found.rewound {
            None if found.has_binds && !self.options.begins => Some(Rewound {
                mark: None,
                why: vec![Why::Missing],
            }),
            rewound => rewound,
        };
        match rewound {
            Some(rewound) => self.stand(Standing::Quarantined(Arc::new(rewound))),
            None if self.newest.is_none() => return Ok(Some(found.has_binds)),
            None => self.stand(Standing::Holds),
        }
        Ok(None)
    }

    /// Shows a standing, and says so when it is another one than before.
    pub(super) fn stand(&self, standing: Standing) {
        let is_new = self.show.borrow().standing != standing;
        if is_new {
            let observer = &self.ports.observer;
            match &standing {
                Standing::Quarantined(rewound) => {
                    let why = rewound.to_string();
                    observer.observe(&Fact::Rewound { why: Some(&why) });
                }
                Standing::Holds => observer.observe(&Fact::Rewound { why: None }),
                Standing::Unknown(_) => {}
            }
        }
        self.show.send_modify(|seen: &mut Seen| seen.standing = standing);
    }
}
