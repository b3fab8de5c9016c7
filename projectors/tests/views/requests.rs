//! Rebuilds that are asked for in the log: done by whoever keeps the view, once, and begun again after a crash.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::platform::{
    AskOfView, ViewGenerationState, Wish, platform_organization, view_generation_id,
};
use vaultstream_domain::ports::view_store::{Flush, RowWrite};
use vaultstream_domain::ports::{Ids, ViewStore};
use vaultstream_domain::{CommandContext, DomainError, Transact};
use vaultstream_event_schemas::{Actor, CommandId, Family, Hlc};
use vaultstream_infra_runtime::{SystemClock, SystemIds, TokioSpawn};
use vaultstream_kernel::{ExecuteError, Executor, Options, Ports, TracingObserver};
use vaultstream_projectors::tables::{self, key, t};
use vaultstream_projectors::views::{tables_of, view};
use vaultstream_projectors::{ExecutorSwitch, SwitchGenerations, ViewName, generation_states};

use crate::history::History;
use crate::setup::{Node, slug};

/// A node whose switches are in its log.
pub struct Operated {
    pub node: Node,
    executor: Executor,
    switch: Arc<ExecutorSwitch>,
    stop: CancellationToken,
}

impl Drop for Operated {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Operated {
    async fn new(events: usize) -> Self {
        let node = Node::new();
        let mut history = History::new(node.registry.clone(), 31);
        history.live(node.log.as_ref(), events).await;
        Self::over(node)
    }

    /// The same over a node that has a history already.
    pub fn over(mut node: Node) -> Self {
        let stop = CancellationToken::new();
        let ports = Ports {
            log: node.log.clone(),
            clock: Arc::new(SystemClock),
            spawn: Arc::new(TokioSpawn::new(Handle::current())),
            observer: Arc::new(TracingObserver),
        };
        let executor = Executor::start(Options::default(), ports, stop.clone());
        let switch = ExecutorSwitch::new(executor.clone(), Arc::new(SystemIds), node.registry.clone());
        let switch = Arc::new(switch);
        node.switching(switch.clone());
        Self {
            node,
            executor,
            switch,
            stop,
        }
    }

    async fn ask(&self, name: ViewName, families: &[Family]) -> Result<(), ExecuteError> {
        let registry = &self.node.registry;
        let stores = families
            .iter()
            .map(|f| (view_generation_id(registry, f, name.as_str()), f.clone()));
        let use_case = AskOfView {
            organization: platform_organization(registry),
            wish: Wish::Rebuild,
            view: name.as_str().to_owned(),
            stores: stores.collect(),
            reason: "asked by a test".to_owned(),
        };
        self.execute(use_case).await
    }

    /// Runs a use case as an operator.
    pub async fn execute(&self, use_case: impl Transact + 'static) -> Result<(), ExecuteError> {
        let context = CommandContext {
            actor: Actor::system("test"),
            command: CommandId::from_uuid(SystemIds.next()),
            causation: None,
            trace: None,
        };
        self.executor.execute(context, Arc::new(use_case)).await.map(drop)
    }

    pub async fn state(&self, name: ViewName, family: &Family) -> ViewGenerationState {
        let states = generation_states(self.node.log.as_ref(), &self.node.registry).await;
        let mut states = states.expect("readable");
        states
            .remove(&(name, family.clone()))
            .expect("the view has a store there")
    }

    /// Waits until the log says what is wanted of a view.
    pub async fn until(
        &self,
        name: ViewName,
        family: &Family,
        wanted: impl Fn(&ViewGenerationState) -> bool,
    ) -> ViewGenerationState {
        for _ in 0..1_000 {
            let state = self.state(name, family).await;
            if wanted(&state) {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{name} in {family}: {:?}", self.state(name, family).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuild_that_is_asked_for_should_be_done_in_each_family() {
    let mut operated = Operated::new(400).await;
    operated.node.start();
    operated.node.caught_up().await;
    let families = ViewName::Feed.families(&operated.node.registry);
    operated.ask(ViewName::Feed, &families).await.expect("taken");
    for family in &families {
        let state = operated.until(ViewName::Feed, family, |s| s.active == 2).await;
        assert_eq!(
            (state.requested, state.building, state.given_up),
            (None, None, None),
            "{family}"
        );
        assert_eq!(operated.node.generations.current(ViewName::Feed, family), 2);
    }
    let untouched = operated.state(ViewName::Vaults, &Family::Core).await;
    assert_eq!(untouched, ViewGenerationState::default());
    operated.node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuild_should_wait_in_the_log_for_whoever_keeps_the_view() {
    let mut operated = Operated::new(200).await;
    let family = Family::Chain(slug(0));
    operated
        .ask(ViewName::Transfers, std::slice::from_ref(&family))
        .await
        .expect("taken");
    operated
        .ask(ViewName::Transfers, std::slice::from_ref(&family))
        .await
        .expect("the same request");
    let asked = operated.state(ViewName::Transfers, &family).await;
    assert_eq!(asked.requested.as_deref(), Some("asked by a test"));
    operated.node.start();
    let done = operated
        .until(ViewName::Transfers, &family, |s| s.active == 2)
        .await;
    assert_eq!(done.highest, 2, "asked for twice, done once");
    operated.node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuild_that_a_dead_process_began_should_be_begun_again() {
    let mut operated = Operated::new(200).await;
    let family = Family::Core;
    let begun = operated
        .switch
        .start(&family, ViewName::Vaults, "before the crash")
        .await;
    assert_eq!(begun.expect("begun"), 2);
    let left_behind = ViewName::Vaults.at(family.clone(), 2);
    let tables = tables_of(view(ViewName::Vaults).as_ref());
    operated
        .node
        .store
        .create(&left_behind, &tables)
        .await
        .expect("created");
    let refused = operated
        .ask(ViewName::Vaults, std::slice::from_ref(&family))
        .await
        .expect_err("one is being built");
    assert!(
        matches!(&refused, ExecuteError::Refused(DomainError::ViewGeneration(e)) if e.to_string().contains("generation 2 of view vaults in family core")),
        "{refused}"
    );
    operated.node.start();
    let done = operated.until(ViewName::Vaults, &family, |s| s.active == 3).await;
    assert_eq!((done.building, done.given_up), (None, None));
    let key = key(&tables::ABOUT, [t("version")], []);
    assert!(
        operated.node.store.get(&left_behind, &[key]).await.is_err(),
        "what was left behind is dropped"
    );
    operated.node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuild_that_differs_should_be_given_up_and_said_so() {
    let mut operated = Operated::new(200).await;
    operated.node.start();
    operated.node.caught_up().await;
    let family = Family::Chain(slug(0));
    let stray = RowWrite {
        key: key(&tables::LOOKUP_SUBJECT, [t("nobody")], []),
        value: b"{}".to_vec(),
        hlc: Hlc(1),
    };
    let stray = Flush {
        rows: vec![stray],
        ..Flush::default()
    };
    let at = ViewName::Lookup.at(family.clone(), 1);
    operated.node.store.flush(&at, stray).await.expect("written");
    operated
        .ask(ViewName::Lookup, std::slice::from_ref(&family))
        .await
        .expect("taken");
    let state = operated
        .until(ViewName::Lookup, &family, |s| s.given_up.is_some())
        .await;
    assert_eq!((state.active, state.building, state.requested), (1, None, None));
    let (generation, why) = state.given_up.expect("given up");
    assert!(generation == 2 && why.contains("digest"), "{why}");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let later = operated.state(ViewName::Lookup, &family).await;
    assert_eq!(later.highest, 2, "it is not tried for ever");
    operated.node.stop().await;
}
