//! Kept answers are the answers: over random histories, between tenants, through a Redis that dies, after a rebuild.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use proptest::prelude::*;
use serde_json::{Value, json};
use vaultstream_domain::ports::Cache;
use vaultstream_engines::Redis;
use vaultstream_event_schemas::chain::{Block, BlockRef, ChainHead};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::transfer::v1::Screened;
use vaultstream_event_schemas::{Family, TransferId};
use vaultstream_gateway::kept::{CountLookups, Lookup};
use vaultstream_infra_redis::{Link, RedisCache, RedisOptions};
use vaultstream_infra_runtime::{DEFAULT_CACHE_BYTES, MemoryCache, SystemClock};
use vaultstream_projectors::ViewName;

use crate::rig::world::{Held, Tenant, World, code, sent};
use crate::services::HeadSeen;

/// Counts look-ups by their outcome.
#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    failed: AtomicU64,
}

impl CountLookups for Counts {
    fn looked_up(&self, _: &'static str, lookup: Lookup) {
        let count = match lookup {
            Lookup::Hit => &self.hits,
            Lookup::Miss => &self.misses,
            Lookup::Failed => &self.failed,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counts {
    fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }
}

fn memory(bytes: usize) -> Arc<dyn Cache> {
    Arc::new(MemoryCache::new(Arc::new(SystemClock), bytes))
}

async fn ask(world: &World, router: &Router, tenant: &Tenant, query: &str, variables: &Value) -> Value {
    let body = json!({ "query": query, "variables": variables }).to_string();
    sent(router, world.post(tenant, body.into_bytes())).await.1
}

/// Questions over every view, with heads, with the actor, and some that are never kept.
const QUESTIONS: [&str; 12] = [
    "{ vaults(first: 50) { nodes { id name accounts { address balances { minor } } } pageInfo { endCursor } } }",
    "query($asset: String) { vaults(first: 50, sort: balance, sortAsset: $asset) { nodes { name totals { minor } } } }",
    "{ vaults(first: 50, sort: activity) { nodes { name } } }",
    "query($vault: ID!) { vault(id: $vault) { name status transfers(first: 5) { nodes { status } } } }",
    "query($vault: ID!) { balances(vaultId: $vault) { minor block { height } } }",
    "{ transfers(first: 50) { nodes { id status approvalsNeeded vault { name } account { address } executions { confirmations } } } }",
    "query($transfer: ID!) { transfer(id: $transfer) { status rule chain { head { height hash } } } }",
    "query($transfer: ID!) { node(id: $transfer) { id ... on Transfer { status } } }",
    "{ totals { vaults accounts openTransfers assets { minor } transfers { status count } } }",
    "{ feed(first: 50) { nodes { type vaultName position data } } }",
    "{ search(text: \"vault 1\", first: 5) { kind label } }",
    "{ viewer { actor scopes organization { name approval version } } vaults(first: 1) { nodes { id } } }",
];

/// A world with two tenants, and what one of them has.
struct Scene {
    world: World,
    me: Tenant,
    other: Tenant,
    held: Vec<Held>,
    transfers: Vec<TransferId>,
}

impl Scene {
    async fn start() -> Self {
        let world = World::start().await;
        let (me, other) = (world.reader().await, world.reader().await);
        let held = vec![world.vault(&me, "vault 0").await];
        let transfers = vec![world.transfer(&me, held[0]).await];
        world.settled().await;
        Self {
            world,
            me,
            other,
            held,
            transfers,
        }
    }

    fn variables(&self) -> Value {
        let newest = |n: usize| n - 1;
        json!({
            "asset": crate::rig::world::ETHER,
            "vault": self.held[newest(self.held.len())].vault,
            "transfer": self.transfers[newest(self.transfers.len())],
        })
    }

    async fn write(&mut self, what: Write) {
        let (world, me) = (&self.world, &self.me);
        let held = self.held[self.held.len() - 1];
        match what {
            Write::Vault => self
                .held
                .push(world.vault(me, &format!("vault {}", self.held.len())).await),
            Write::Transfer => self.transfers.push(world.transfer(me, held).await),
            Write::Balance(wei) => world.balance(me, held, wei.into(), 2).await,
            Write::Screen => {
                let transfer = self.transfers[self.transfers.len() - 1];
                let screened = Screened {
                    approvals_needed: 1,
                    rule: format!("rule of {}", self.transfers.len()),
                };
                let owner = Owner::Vault(held.vault);
                world
                    .history
                    .put(transfer, me.organization, owner, &screened)
                    .await;
            }
            Write::Head(height) => stand_at(world, height.into()),
            Write::Stranger => {
                world.vault(&self.other, "vault 1").await;
            }
        }
    }
}

fn stand_at(world: &World, height: u64) {
    let at = BlockRef {
        hash: format!("0x{height:064x}"),
        height,
    };
    let head = ChainHead {
        tip: Block {
            at: at.clone(),
            parent: format!("0x{:064x}", height.wrapping_sub(1)),
        },
        safe: at.clone(),
        finalized: at,
    };
    let chain = world.services.chains[0].id.clone();
    let seen_at = world.services.clock.now();
    world.heads.send_modify(|heads| {
        heads.insert(chain, HeadSeen { head, seen_at });
    });
}

#[derive(Debug, Clone, Copy)]
enum Write {
    Vault,
    Transfer,
    Balance(u32),
    Screen,
    Head(u8),
    Stranger,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Appended, and not waited for.
    Write(Write),
    /// Asked while views may be moving: what is kept now must do no harm later.
    Race(usize),
    /// With everything folded, every question of everybody has the answer that the views have.
    Compare,
}

fn step() -> impl Strategy<Value = Step> {
    let write = prop_oneof![
        Just(Write::Vault),
        Just(Write::Transfer),
        (1u32..4).prop_map(Write::Balance),
        Just(Write::Screen),
        (1u8..4).prop_map(Write::Head),
        Just(Write::Stranger),
    ];
    prop_oneof![
        3 => write.prop_map(Step::Write),
        4 => (0..QUESTIONS.len()).prop_map(Step::Race),
        1 => Just(Step::Compare),
    ]
}

async fn play(steps: &[Step]) -> u64 {
    let mut scene = Scene::start().await;
    let counts = Arc::new(Counts::default());
    let keeping = scene.world.keeping(memory(DEFAULT_CACHE_BYTES), counts.clone());
    let forgetting = scene.world.keeping(memory(0), Arc::new(()));
    for step in steps.iter().chain([&Step::Compare, &Step::Compare]) {
        match *step {
            Step::Write(what) => scene.write(what).await,
            Step::Race(question) => {
                ask(
                    &scene.world,
                    &keeping,
                    &scene.me,
                    QUESTIONS[question],
                    &scene.variables(),
                )
                .await;
            }
            Step::Compare => {
                scene.world.settled().await;
                for (tenant, question) in [&scene.me, &scene.other]
                    .into_iter()
                    .flat_map(|tenant| QUESTIONS.iter().map(move |question| (tenant, question)))
                {
                    let variables = scene.variables();
                    let kept = ask(&scene.world, &keeping, tenant, question, &variables).await;
                    let mut read = ask(&scene.world, &forgetting, tenant, question, &variables).await;
                    if let Some(errors) = read.get_mut("errors").and_then(Value::as_array_mut) {
                        // a request's own id differs
                        for error in errors {
                            error["extensions"]["requestId"] =
                                kept["errors"][0]["extensions"]["requestId"].clone();
                        }
                    }
                    assert_eq!(kept, read, "{question}");
                }
            }
        }
    }
    counts.hits()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 64, ..ProptestConfig::default() })]
    #[test]
    fn kept_answer_should_be_the_answer(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let hits = runtime.expect("a runtime").block_on(play(&steps));
        // the last comparison finds what the one before it kept
        prop_assert!(hits >= QUESTIONS.len() as u64, "{hits} hits");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_should_be_those_the_table_says() {
    let scene = Scene::start().await;
    let fields = crate::schema::Fields::of_schema(&crate::sdl());
    let forgetting = scene.world.keeping(memory(0), Arc::new(()));
    let mut seen = std::collections::BTreeSet::new();
    for question in QUESTIONS {
        let document = async_graphql::parser::parse_query(question).expect("parses");
        let said = fields
            .touched(&document, &async_graphql::Variables::default())
            .expect("may be kept");
        let said: Vec<_> = said.views.iter().map(|view| view.as_str()).collect();
        scene.world.recorder.take();
        let answer = ask(&scene.world, &forgetting, &scene.me, question, &scene.variables()).await;
        assert_eq!(answer["errors"], Value::Null, "{question}: {answer}");
        let read = scene.world.recorder.take();
        assert!(!read.is_empty(), "{question} reads views");
        for view in &read {
            assert!(
                said.contains(view),
                "{question} reads {view}, and the table says {said:?}"
            );
        }
        seen.extend(read);
    }
    let all: Vec<_> = ViewName::ALL.iter().map(|view| view.as_str()).collect();
    assert!(
        all.iter().all(|view| seen.contains(view)),
        "{seen:?}: a view that no question reads"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_answer_should_read_nothing_until_something_moves() {
    let mut scene = Scene::start().await;
    let counts = Arc::new(Counts::default());
    let keeping = scene.world.keeping(memory(DEFAULT_CACHE_BYTES), counts.clone());
    let first = ask(&scene.world, &keeping, &scene.me, QUESTIONS[0], &json!({})).await;
    scene.world.recorder.take();
    // layout is no other question
    let spaced = QUESTIONS[0].replace(' ', "\n  ");
    assert_eq!(
        ask(&scene.world, &keeping, &scene.me, &spaced, &json!({})).await,
        first
    );
    assert_eq!(scene.world.recorder.take().len(), 0, "answered without a read");
    assert_eq!(counts.hits(), 1);
    scene.write(Write::Vault).await;
    scene.world.settled().await;
    let second = ask(&scene.world, &keeping, &scene.me, QUESTIONS[0], &json!({})).await;
    assert_ne!(second, first, "another state is another key");
    assert_eq!(counts.hits(), 1);
    // a rebuilt view is read from another generation: nothing of the old one counts
    let kept = ask(&scene.world, &keeping, &scene.me, QUESTIONS[0], &json!({})).await;
    assert_eq!((kept, counts.hits()), (second, 2));
    let generations = scene.world.services.reads.generations();
    drop(generations.switch(ViewName::Vaults, &Family::Core, 2));
    ask(&scene.world, &keeping, &scene.me, QUESTIONS[0], &json!({})).await;
    assert_eq!(counts.hits(), 2, "another generation is another key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_scopes_and_actors_should_never_share() {
    let scene = Scene::start().await;
    let (world, counts) = (&scene.world, Arc::new(Counts::default()));
    let keeping = world.keeping(memory(DEFAULT_CACHE_BYTES), counts.clone());
    let limited = world.tenant(&["events:read"]).await;
    world.settled().await;
    let mine = ask(world, &keeping, &scene.me, QUESTIONS[0], &json!({})).await;
    let theirs = ask(world, &keeping, &scene.other, QUESTIONS[0], &json!({})).await;
    assert_ne!(mine, theirs);
    assert_eq!(theirs["data"]["vaults"]["nodes"], json!([]));
    let refused = ask(world, &keeping, &limited, QUESTIONS[0], &json!({})).await;
    assert_eq!(code(&refused), "scope-missing");
    assert_eq!(counts.hits(), 0);
    // an error is asked for again
    ask(world, &keeping, &limited, QUESTIONS[0], &json!({})).await;
    assert_eq!(counts.hits(), 0);
    // the same organization by its session: what names the actor is another answer, what does not is the same
    let by_session = |query: &str| {
        let body = json!({ "query": query }).to_string();
        axum::http::Request::post("/graphql")
            .header("host", "127.0.0.1")
            .header("cookie", &scene.me.cookie)
            .header(vaultstream_client::BROWSER_HEADER, "1")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body))
            .expect("a request")
    };
    ask(world, &keeping, &scene.me, QUESTIONS[11], &json!({})).await;
    let answer = sent(&keeping, by_session(QUESTIONS[11])).await.1;
    let actor = answer["data"]["viewer"]["actor"].as_str().unwrap_or_default();
    assert!(actor.starts_with("session:"), "{answer}");
    assert_eq!(counts.hits(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_should_be_waited_for_before_anything_kept_is_given() {
    let mut scene = Scene::start().await;
    let keeping = scene.world.keeping(memory(DEFAULT_CACHE_BYTES), Arc::new(()));
    let query = "query($t: String) { vaults(first: 50, atLeast: $t) { nodes { name } } }";
    ask(&scene.world, &keeping, &scene.me, query, &json!({ "t": null })).await;
    for n in 1..10 {
        scene.write(Write::Vault).await;
        let heads = scene.world.history.port().heads().await.expect("heads");
        let places = heads.into_iter().map(|(shard, head)| {
            let place = vaultstream_event_schemas::token::Place {
                incarnation: head.incarnation,
                position: head.position,
            };
            (shard, place)
        });
        let token = vaultstream_event_schemas::token::Positions(places.collect());
        let token = scene.world.services.mac.seal_token(&token);
        for _ in 0..2 {
            let answer = ask(&scene.world, &keeping, &scene.me, query, &json!({ "t": token })).await;
            let nodes = answer["data"]["vaults"]["nodes"].as_array().map(Vec::len);
            assert_eq!(nodes, Some(n + 1), "{answer}");
        }
    }
    let forged = ask(
        &scene.world,
        &keeping,
        &scene.me,
        query,
        &json!({ "t": "forged" }),
    )
    .await;
    assert_eq!(code(&forged), "token-invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_or_frozen_redis_should_change_no_answer() {
    let redis = tokio::task::spawn_blocking(Redis::start)
        .await
        .expect("starts")
        .expect("redis starts");
    let scene = Scene::start().await;
    let (world, counts) = (&scene.world, Arc::new(Counts::default()));
    let options = RedisOptions {
        timeout: Duration::from_millis(20),
        ..RedisOptions::new(redis.url(), "answers:")
    };
    let link = Arc::new(Link::try_new(&options).expect("the settings are good"));
    let keeping = world.keeping(Arc::new(RedisCache::new(link)), counts.clone());
    let read = ask(world, &keeping, &scene.me, QUESTIONS[0], &json!({})).await;
    let asked = async || {
        let begun = Instant::now();
        assert_eq!(
            ask(world, &keeping, &scene.me, QUESTIONS[0], &json!({})).await,
            read
        );
        begun.elapsed()
    };
    let until_hit = async || {
        let (before, begun) = (counts.hits(), Instant::now());
        while counts.hits() == before {
            asked().await;
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "kept answers come back"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let without = async |what: &str| {
        let (before, mut slow) = (counts.hits(), 0);
        for _ in 0..200 {
            let took = asked().await;
            assert!(
                took < Duration::from_millis(500),
                "{what}: {took:?} for one answer"
            );
            slow += u32::from(took > Duration::from_millis(60));
        }
        assert_eq!(counts.hits(), before, "{what}: nothing is kept there");
        assert!(slow <= 10, "{what}: {slow} of 200 answers waited");
        assert!(counts.failed.load(Ordering::SeqCst) > 100, "{what} is counted");
        counts.failed.store(0, Ordering::SeqCst);
    };
    until_hit().await;
    redis.pause().expect("paused");
    without("frozen").await;
    redis.resume().expect("resumed");
    until_hit().await;
    redis.kill().expect("killed");
    without("dead").await;
    redis.restart().expect("restarted");
    until_hit().await;
}
