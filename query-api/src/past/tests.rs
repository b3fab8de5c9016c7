//! The past is what was seen then: every step of a history is noted as the API shows it, and asked for again at the end,
//! by token and by time.

use serde_json::{Value, json};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::transfer::execution_id;
use vaultstream_event_schemas::chain::{BlockRef, Intent, RawTransaction};
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::erasure::Grounds;
use vaultstream_event_schemas::execution::v1 as x;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::transfer::v1 as t;
use vaultstream_event_schemas::vault::v1 as v;
use vaultstream_event_schemas::{Amount, Timestamp, TransferId};

use crate::places::moment_of;
use crate::rig::world::{Held, Tenant, World, code, ether};

const VAULT: &str = "query($id: ID!, $t: String) { vault(id: $id, asOf: $t) { id name tier status createdAt updatedAt \
    version accounts { id status address label reason version vaultId balances { asset minor observedAt block { height } } } \
    balances { accountId asset minor block { hash height } } totals { asset minor symbol } } }";
const TRANSFER: &str = "query($id: ID!, $t: String) { transfer(id: $id, asOf: $t) { id status terminal amount { minor } \
    approvals approvalsNeeded approvedBy rule reason txid fee { minor } block { height } failure { code } updatedAt version \
    vault { name version } account { status balances { minor } } \
    executions { id status slot txid attempts broadcasts block { hash } succeeded fee { minor } lastOutcome version \
    confirmations } timeline(last: 200) { nodes { id type position } } } }";
const EXECUTION: &str = "query($id: ID!, $t: String) { node(id: $id, asOf: $t) { id ... on Execution { status txid attempts \
    version failure { code } } } }";
const BALANCES: &str =
    "query($id: ID!, $t: String) { balances(vaultId: $id, asOf: $t) { accountId minor observedAt } }";

/// A small generator of numbers, the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// A history that is made step by step.
struct Story {
    world: World,
    me: Tenant,
    held: Held,
    transfers: Vec<(TransferId, u64)>,
    dice: Dice,
    steps: u128,
}

/// What the API showed, and where the log stood.
struct Noted {
    token: String,
    moment: Timestamp,
    shown: Vec<Value>,
}

impl Story {
    async fn begin(seed: u64) -> Self {
        let world = World::start().await;
        let me = world.reader().await;
        let held = world.vault(&me, "Operations").await;
        Self {
            world,
            me,
            held,
            transfers: Vec::new(),
            dice: Dice(seed),
            steps: 0,
        }
    }

    async fn step(&mut self) {
        self.steps += 1;
        let (world, organization) = (&self.world, self.me.organization);
        let (history, owner) = (&world.history, Owner::Vault(self.held.vault));
        match self.dice.roll(8) {
            0 => {
                let renamed = v::VaultRenamed {
                    name: format!("Name {}", self.steps),
                };
                history
                    .put(self.held.vault, organization, Owner::Itself, &renamed)
                    .await;
            }
            1 => {
                let frozen = v::AccountFrozen {
                    reason: format!("reason {}", self.steps),
                };
                history.put(self.held.account, organization, owner, &frozen).await;
            }
            2 => {
                let labelled = v::AccountLabelled {
                    label: format!("label {}", self.steps),
                };
                history
                    .put(self.held.account, organization, owner, &labelled)
                    .await;
            }
            3 => {
                let height = u64::try_from(self.steps).expect("small") + 10;
                world.balance(&self.me, self.held, self.steps * 7, height).await;
            }
            4 if self.transfers.len() < 3 => {
                let transfer = world.transfer(&self.me, self.held).await;
                self.transfers.push((transfer, 0));
            }
            _ => self.move_a_transfer().await,
        }
    }

    /// One more step of a transfer's life.
    async fn move_a_transfer(&mut self) {
        let count = u64::try_from(self.transfers.len()).expect("small");
        if count == 0 {
            return;
        }
        let which = usize::try_from(self.dice.roll(count)).expect("small");
        let (transfer, step) = self.transfers[which];
        self.transfers[which].1 += 1;
        let (history, organization) = (&self.world.history, self.me.organization);
        let (owner, execution) = (Owner::Vault(self.held.vault), execution_id(transfer));
        let block = BlockRef {
            hash: format!("0x{step:x}"),
            height: 100 + step,
        };
        match step {
            0 => {
                let screened = t::Screened {
                    approvals_needed: 1,
                    rule: "approval: one".into(),
                };
                history.put(transfer, organization, owner, &screened).await;
            }
            1 => {
                history
                    .put(transfer, organization, owner, &t::Approved { approvals: 1 })
                    .await;
            }
            2 => {
                let intent = Intent {
                    amount: Amount::from_u128(1),
                    asset: ether(),
                    destination: "0xaa".into(),
                    source: "0xbb".into(),
                };
                let queued = x::Queued {
                    account: self.held.account,
                    chain: ether().chain(),
                    intent,
                    transfers: vec![transfer],
                };
                history.put(execution, organization, owner, &queued).await;
                let started = t::ExecutionStarted { execution };
                history.put(transfer, organization, owner, &started).await;
            }
            3 => {
                let transaction = RawTransaction {
                    raw: "0x02".into(),
                    txid: "0xfeed".into(),
                };
                let signed = x::Signed {
                    attempt: 1,
                    transaction,
                };
                history.put(execution, organization, owner, &signed).await;
            }
            4 | 6 => {
                let included = x::Included {
                    block,
                    fee: Amount::from_u128(21_000),
                    succeeded: true,
                    txid: "0xfeed".into(),
                };
                history.put(execution, organization, owner, &included).await;
            }
            5 => {
                let detached = x::Detached {
                    block,
                    txid: "0xfeed".into(),
                };
                history.put(execution, organization, owner, &detached).await;
            }
            7 => {
                let completed = t::Completed {
                    block,
                    fee: Amount::from_u128(21_000),
                    txid: "0xfeed".into(),
                };
                history.put(transfer, organization, owner, &completed).await;
            }
            _ => {}
        }
    }

    async fn shown(&self, as_of: Option<&str>) -> Vec<Value> {
        let (vault, account) = (self.held.vault.to_string(), self.held.account.to_string());
        let mut questions = vec![(VAULT, vault.clone()), (BALANCES, vault)];
        let account_node = "query($id: ID!, $t: String) { node(id: $id, asOf: $t) { ... on Account { id status label version \
            vault { name } } } }";
        questions.push((account_node, account));
        for (transfer, _) in &self.transfers {
            questions.push((TRANSFER, transfer.to_string()));
            questions.push((EXECUTION, execution_id(*transfer).to_string()));
        }
        let mut shown = Vec::new();
        for (query, id) in questions {
            let answer = self
                .world
                .ask(&self.me, query, json!({ "id": id, "t": as_of }))
                .await;
            shown.push(match code(&answer) {
                "no code" => answer["data"].clone(),
                "not-found" => Value::Null,
                other => panic!("{other}: {answer}"),
            });
        }
        shown
    }

    async fn note(&self) -> Noted {
        self.world.settled().await;
        let heads = self.world.history.log.heads().await.expect("heads");
        let newest = heads.values().map(|head| head.hlc).max().expect("shards");
        let places = heads.into_iter().map(|(shard, head)| {
            let (incarnation, position) = (head.incarnation, head.position);
            (
                shard,
                Place {
                    incarnation,
                    position,
                },
            )
        });
        Noted {
            token: self.world.services.mac.seal_token(&Positions(places.collect())),
            moment: moment_of(newest),
            shown: self.shown(None).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_should_be_what_was_seen_then() {
    for seed in [1, 77] {
        let mut story = Story::begin(seed).await;
        let mut noted = vec![story.note().await];
        for _ in 0..40 {
            story.step().await;
            noted.push(story.note().await);
        }
        assert!(
            story.transfers.iter().any(|(_, step)| *step > 3),
            "seed {seed} tells too little"
        );
        for (n, then) in noted.iter().enumerate() {
            let moment = then.moment.to_string();
            for as_of in [then.token.as_str(), moment.as_str()] {
                let shown = story.shown(Some(as_of)).await;
                // what was requested later is not there yet
                assert_eq!(
                    shown[..then.shown.len()],
                    then.shown[..],
                    "seed {seed}, step {n}, {as_of}"
                );
                assert!(
                    shown[then.shown.len()..].iter().all(Value::is_null),
                    "seed {seed}, step {n}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_should_be_refused_where_there_is_none() {
    let world = World::start().await;
    let (me, you) = (world.reader().await, world.reader().await);
    let held = world.vault(&me, "Operations").await;
    world.settled().await;
    let now = world.services.clock.now();
    let ask = async |tenant: &Tenant, query: &str, as_of: &str| {
        let variables = json!({ "id": held.vault.to_string(), "t": as_of });
        let answer = world.ask(tenant, query, variables).await;
        let field = answer["errors"][0]["extensions"]["field"]
            .as_str()
            .unwrap_or("")
            .to_owned();
        (code(&answer).to_owned(), field)
    };
    let named = |code: &str, field: &str| (code.to_owned(), field.to_owned());
    let seen = now.to_string();
    assert_eq!(ask(&me, VAULT, &seen).await.0, "no code");
    assert_eq!(
        ask(&you, VAULT, &seen).await,
        named("not-found", "id"),
        "a stranger's past is none"
    );
    assert_eq!(ask(&you, BALANCES, &seen).await.0, "not-found");
    assert_eq!(
        ask(&me, VAULT, "1999-01-01T00:00:00Z").await,
        named("not-found", "id")
    );
    let later = now.plus_seconds(3_600).to_string();
    assert_eq!(ask(&me, VAULT, &later).await, named("invalid-field", "asOf"));
    assert_eq!(
        ask(&me, VAULT, "yesterday at 10:00").await,
        named("invalid-field", "asOf")
    );
    assert_eq!(
        ask(&me, VAULT, "dGhlIG1vb24").await,
        named("token-invalid", "asOf")
    );
    let other_life = Positions::one(
        held.vault.shard(),
        Place {
            incarnation: 9,
            position: 1,
        },
    );
    let other_life = world.services.mac.seal_token(&other_life);
    assert_eq!(ask(&me, VAULT, &other_life).await, named("token-invalid", "asOf"));
    let list =
        "query($id: ID!, $t: String) { vault(id: $id, asOf: $t) { transfers(first: 1) { nodes { id } } } }";
    assert_eq!(ask(&me, list, &seen).await, named("invalid-field", "asOf"));
    let both = "query($id: ID!, $t: String) { vault(id: $id, asOf: $t, atLeast: $t) { id } }";
    assert_eq!(ask(&me, both, &seen).await, named("invalid-field", "asOf"));
    let many: Vec<_> = (0..9)
        .map(|n| {
            format!(
                "a{n}: vault(id: $id, asOf: \"2026-01-0{}T00:00:00Z\") {{ id }}",
                n + 1
            )
        })
        .collect();
    let many = format!("query($id: ID!) {{ {} }}", many.join(" "));
    let answer = world
        .ask(&me, &many, json!({ "id": held.vault.to_string() }))
        .await;
    let errors = answer["errors"].as_array().expect("errors");
    assert!(
        errors.iter().any(|e| e["extensions"]["code"] == "invalid-field"),
        "nine moments are too many: {answer}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erased_notes_should_stay_erased_in_the_past() {
    let world = World::start().await;
    let me = world.reader().await;
    let held = world.vault(&me, "Operations").await;
    let transfer = world.history.transfer(2);
    world
        .request(&me, held, transfer, Some("the fifth of March"))
        .await;
    world.settled().await;
    let query = "query($id: ID!, $t: String) { transfer(id: $id, asOf: $t) { memo memoErased } }";
    let then = world.services.clock.now().to_string();
    let shown = async || {
        let variables = json!({ "id": transfer.to_string(), "t": then });
        world.ask(&me, query, variables).await["data"]["transfer"].clone()
    };
    assert_eq!(
        shown().await,
        json!({ "memo": "the fifth of March", "memoErased": false })
    );
    let erased = t::MemoErased {
        grounds: Grounds::Request,
    };
    world
        .history
        .put(transfer, me.organization, Owner::Vault(held.vault), &erased)
        .await;
    assert_eq!(shown().await, json!({ "memo": null, "memoErased": true }));
}
