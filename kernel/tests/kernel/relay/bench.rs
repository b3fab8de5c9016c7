//! The relay's surroundings in memory: a bus, notes and leases that fail by a chance that a seed repeats.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use vaultstream_domain::ports::leases::LeaseError;
use vaultstream_domain::ports::progress::ProgressError;
use vaultstream_domain::ports::publisher::PublishError;
use vaultstream_domain::ports::{Clock, EventLog, Leases, Progress, Publisher, Rng};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_infra_runtime::SystemClock;
use vaultstream_kernel::{Fact, Mark, Observer, Relay, RelayOptions, RelayPorts};

/// The shard most tests use.
pub(super) const SHARD: ShardNumber = ShardNumber(0);

/// Chance that a seed repeats.
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
    pub(super) fn roll(&self, below: u64) -> u64 {
        let old = self
            .0
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (old ^ (old >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33) % below
    }
}

impl Rng for Dice {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = u8::try_from(self.roll(256)).expect("a byte");
        }
    }
}

/// A bus in memory that takes everything, or as much as chance lets it.
pub(super) struct Recorder {
    pub(super) dice: Arc<Dice>,
    /// Failures in a hundred calls.
    pub(super) faults: u64,
    pub(super) seen: Mutex<BTreeMap<ShardNumber, Vec<(u32, u64)>>>,
    /// The highest position of each shard that was acknowledged to anybody.
    pub(super) acknowledged: Mutex<BTreeMap<ShardNumber, u64>>,
    pub(super) calls: AtomicU64,
}

impl Recorder {
    pub(super) fn new(seed: u64, faults: u64) -> Arc<Self> {
        Arc::new(Self {
            dice: Dice::new(seed),
            faults,
            seen: Mutex::default(),
            acknowledged: Mutex::default(),
            calls: AtomicU64::new(0),
        })
    }
    pub(super) fn record(&self, shard: ShardNumber, life: u32, records: &[StoredEvent]) {
        let mut seen = self.seen.lock().expect("no panic while held");
        let seen = seen.entry(shard).or_default();
        seen.extend(records.iter().map(|record| (life, record.position)));
    }
    pub(super) fn positions(&self, shard: ShardNumber) -> Vec<u64> {
        let seen = self.seen.lock().expect("no panic while held");
        seen.get(&shard)
            .map(|seen| seen.iter().map(|(_, position)| *position).collect())
            .unwrap_or_default()
    }
    pub(super) fn highest(&self, shard: ShardNumber) -> u64 {
        self.positions(shard).into_iter().max().unwrap_or(0)
    }
    /// No position was skipped, and all up to `last` are there.
    #[track_caller]
    pub(super) fn is_whole(&self, shard: ShardNumber, last: u64) {
        let mut highest = 0;
        for position in self.positions(shard) {
            assert!(position <= highest + 1, "{position} after {highest}");
            highest = highest.max(position);
        }
        assert_eq!(highest, last);
    }
}

#[async_trait]
impl Publisher for Recorder {
    async fn publish(
        &self,
        shard: ShardNumber,
        life: u32,
        records: &[StoredEvent],
    ) -> Result<(), PublishError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let lost = |doing| {
            Err(PublishError {
                doing,
                source: "the broker is away".into(),
            })
        };
        if self.dice.roll(100) < self.faults {
            match self.dice.roll(3) {
                0 => return lost("connect"),
                1 => {
                    let some = usize::try_from(self.dice.roll(records.len() as u64)).expect("small");
                    self.record(shard, life, &records[..some]);
                    return lost("finish");
                }
                _ => {
                    self.record(shard, life, records);
                    return lost("hear the acknowledgement");
                }
            }
        }
        for part in records.chunks(3) {
            self.record(shard, life, part);
            tokio::task::yield_now().await;
        }
        if self.dice.roll(4) == 0 {
            tokio::time::sleep(Duration::from_millis(self.dice.roll(5))).await;
        }
        let mut acknowledged = self.acknowledged.lock().expect("no panic while held");
        let highest = acknowledged.entry(shard).or_default();
        *highest = (*highest).max(records.last().map_or(0, |record| record.position));
        Ok(())
    }
}

/// Notes in memory that check each cursor against what was acknowledged, and are lost by chance.
pub(super) struct Notes {
    pub(super) bus: Arc<Recorder>,
    pub(super) faults: u64,
    pub(super) kept: Mutex<BTreeMap<String, Vec<u8>>>,
}

#[async_trait]
impl Progress for Notes {
    async fn load(&self, name: &str) -> Result<Option<Vec<u8>>, ProgressError> {
        Ok(self.kept.lock().expect("no panic while held").get(name).cloned())
    }
    async fn save(&self, name: &str, note: &[u8]) -> Result<(), ProgressError> {
        let mark: Mark = serde_json::from_slice(note).expect("a mark");
        let acknowledged = self.bus.acknowledged.lock().expect("no panic while held");
        let safe = acknowledged.get(&mark.shard).copied().unwrap_or(0);
        assert!(mark.position <= safe, "the cursor passed {safe}: {mark:?}");
        if self.bus.dice.roll(100) < self.faults {
            return Err(ProgressError {
                doing: "kept",
                source: "the disk is away".into(),
            });
        }
        let mut kept = self.kept.lock().expect("no panic while held");
        kept.insert(name.to_owned(), note.to_vec());
        Ok(())
    }
}

/// Leases in memory, of a store that may not keep its promise.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) held: Mutex<BTreeMap<String, (String, i64)>>,
    pub(super) gives_all: AtomicBool,
}

#[async_trait]
impl Leases for Desk {
    async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool, LeaseError> {
        if self.gives_all.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let now = SystemClock.now().as_micros();
        let mut held = self.held.lock().expect("no panic while held");
        let free = held
            .get(name)
            .is_none_or(|(by, until)| by == holder || *until <= now);
        if free {
            let until = now + i64::try_from(ttl.as_micros()).expect("short");
            held.insert(name.to_owned(), (holder.to_owned(), until));
        }
        Ok(free)
    }
    async fn release(&self, name: &str, holder: &str) -> Result<(), LeaseError> {
        let mut held = self.held.lock().expect("no panic while held");
        if held.get(name).is_some_and(|(by, _)| by == holder) {
            held.remove(name);
        }
        Ok(())
    }
    async fn held(&self, prefix: &str) -> Result<Vec<String>, LeaseError> {
        let held = self.held.lock().expect("no panic while held");
        Ok(held
            .keys()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect())
    }
}

/// What was said, in words.
#[derive(Default)]
pub(super) struct Diary {
    pub(super) stalls: Mutex<Vec<String>>,
    pub(super) published: AtomicU64,
}

impl Observer for Diary {
    fn observe(&self, fact: &Fact<'_>) {
        match fact {
            Fact::Stalled { error, .. } => {
                let mut text = error.to_string();
                if let Some(source) = error.source() {
                    text = format!("{text}: {source}");
                }
                self.stalls.lock().expect("no panic while held").push(text);
            }
            Fact::Published { events, .. } => {
                self.published.fetch_add(*events as u64, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

/// A relay's surroundings.
pub(super) struct Bench {
    pub(super) bus: Arc<Recorder>,
    pub(super) notes: Arc<Notes>,
    pub(super) desk: Arc<Desk>,
    pub(super) diary: Arc<Diary>,
    pub(super) log: Arc<dyn EventLog>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Bench {
    pub(super) fn new(log: Arc<dyn EventLog>, seed: u64, faults: u64) -> Self {
        let bus = Recorder::new(seed, faults);
        Self {
            notes: Arc::new(Notes {
                bus: bus.clone(),
                faults,
                kept: Mutex::default(),
            }),
            bus,
            desk: Arc::default(),
            diary: Arc::default(),
            log,
            clock: Arc::new(SystemClock),
        }
    }
    pub(super) fn relay(&self, holder: &str) -> Relay {
        let options = RelayOptions {
            batch: 16,
            retry_ms: 1,
            retry_ms_max: 4,
            lease_ms: 40,
            save_ms: 1,
        };
        let ports = RelayPorts {
            log: self.log.clone(),
            publisher: self.bus.clone(),
            progress: self.notes.clone(),
            leases: self.desk.clone(),
            clock: self.clock.clone(),
            rng: self.bus.dice.clone(),
            observer: self.diary.clone(),
        };
        Relay::new(ports, options, holder)
    }
    pub(super) async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..20_000 {
            if done(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!(
            "{what} never came; {:?}",
            self.diary.stalls.lock().expect("no panic while held")
        );
    }
    pub(super) fn note(&self) -> Option<Mark> {
        self.note_of(SHARD)
    }
    pub(super) fn note_of(&self, shard: ShardNumber) -> Option<Mark> {
        let kept = self.notes.kept.lock().expect("no panic while held");
        kept.get(&format!("relay/{shard}"))
            .map(|note| serde_json::from_slice(note).expect("a mark"))
    }
}
