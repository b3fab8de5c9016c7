//! The models keep the contracts that the real engines keep: a model that promises more or less would prove nothing.

use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::ports::Clock;
use vaultstream_domain::ports::conformance::{
    bus, event_log, leases, note_list, progress, publisher, sample, view_store,
};
use vaultstream_domain::ports::note_list::NoteKind;
use vaultstream_event_schemas::Registry;
use vaultstream_infra_runtime::SystemClock;
use vaultstream_kernel::LogBus;
use vaultstream_sim::bus::SimBus;
use vaultstream_sim::log::SimLog;
use vaultstream_sim::marks::SimMarks;
use vaultstream_sim::notes::SimNotes;
use vaultstream_sim::views::SimViews;

struct Models;

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[async_trait]
impl event_log::Harness for Models {
    type Log = SimLog;
    async fn fresh(&self) -> SimLog {
        SimLog::new(&sample::families(), clock())
    }
    async fn reopen(&self, log: SimLog) -> SimLog {
        log
    }
}

#[async_trait]
impl view_store::Harness for Models {
    type Store = SimViews;
    async fn fresh(&self) -> SimViews {
        SimViews::default()
    }
    async fn reopen(&self, store: SimViews) -> SimViews {
        store
    }
}

#[async_trait]
impl publisher::Harness for Models {
    type Publisher = SimBus;
    type Bus = SimBus;
    async fn fresh(&self) -> (SimBus, SimBus, SimBus) {
        let registry = Registry::try_new(&sample::families()).expect("valid");
        let bus = SimBus::new(&registry, clock());
        (bus.clone(), bus.clone(), bus)
    }
}

#[async_trait]
impl progress::Harness for Models {
    type Progress = SimNotes;
    async fn fresh(&self) -> SimNotes {
        SimNotes::new(clock())
    }
    async fn reopen(&self, progress: SimNotes) -> SimNotes {
        progress
    }
}

#[async_trait]
impl leases::Harness for Models {
    type Leases = SimNotes;
    async fn fresh(&self) -> SimNotes {
        SimNotes::new(clock())
    }
    async fn reopen(&self, leases: SimNotes) -> SimNotes {
        leases
    }
}

#[async_trait]
impl note_list::Harness for Models {
    type List = SimMarks;
    fn kind(&self) -> NoteKind {
        NoteKind::Mark
    }
    async fn fresh(&self) -> SimMarks {
        SimMarks::new(clock())
    }
    async fn reopen(&self, list: SimMarks) -> SimMarks {
        list
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_should_keep_the_contract() {
    note_list::suite(&Models).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_should_keep_the_contract() {
    event_log::suite(&Models).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_should_keep_the_contract() {
    view_store::suite(&Models).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bus_should_keep_the_contracts_of_both_its_sides() {
    publisher::suite(&Models).await;
    let log = event_log::Harness::fresh(&Models).await;
    bus::suite(&log, &LogBus::new(Arc::new(log.clone()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_should_keep_the_contract() {
    progress::suite(&Models).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_should_keep_the_contract() {
    leases::suite(&Models).await;
}
