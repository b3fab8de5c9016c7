//! Given a connection, when something happens, then this is done.

use super::*;

const ACK: Input<'_> = Input::Message(r#"{"type":"connection_ack"}"#);

fn subscription(operation: &'static str, resumable: bool) -> Subscription {
    Subscription {
        query: "subscription",
        operation,
        variables: "{}".into(),
        resumable,
    }
}

fn sent(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn joined(core: &mut Core, now: i64) -> Vec<Effect> {
    assert_eq!(core.step(&Input::Redial, now, 0), [Effect::Dial]);
    assert_eq!(
        core.step(&Input::Opened, now, 0),
        [Effect::Send(r#"{"type":"connection_init"}"#.into())]
    );
    core.step(&ACK, now, 0)
}

#[test]
fn subscriptions_should_begin_once_the_server_is_ready() {
    let mut core = Core::new(None);
    let (id, effects) = core.subscribe(subscription("A", false)).expect("room");
    assert!(effects.is_empty(), "nothing is sent before the connection stands");
    let effects = joined(&mut core, 0);
    assert_eq!(sent(&effects).len(), 1);
    assert!(
        !effects.contains(&Effect::Reread),
        "the first connection has missed nothing"
    );
    let (_, effects) = core.subscribe(subscription("B", false)).expect("room");
    assert!(sent(&effects)[0].contains("\"B\""));
    assert_eq!(
        core.unsubscribe(id),
        [Effect::Send(r#"{"type":"complete","id":"1"}"#.into())]
    );
    assert!(core.unsubscribe(id).is_empty(), "twice is once");
}

#[test]
fn lost_connection_should_come_back_where_it_was() {
    let mut core = Core::new(Some("c1".into()));
    core.subscribe(subscription("Events", true)).expect("room");
    let effects = joined(&mut core, 0);
    assert!(sent(&effects)[0].contains(r#""variables":{"after":"c1"}"#));
    core.advance("c2".into());
    let effects = core.step(&Input::Closed(1006), 5, u32::MAX);
    assert_eq!(effects, [Effect::RedialIn(400)]);
    assert_eq!(core.link(), Link::Waiting);
    assert!(
        core.step(&Input::Closed(1006), 5, 0).is_empty(),
        "one pause at a time"
    );
    let effects = joined(&mut core, 10);
    assert!(sent(&effects)[0].contains(r#""after":"c2""#), "{effects:?}");
    assert!(effects.contains(&Effect::Reread), "states may have been missed");
}

#[test]
fn pauses_should_grow_until_it_stands_again() {
    let mut core = Core::new(None);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        core.step(&Input::Redial, 0, 0);
        if let [Effect::RedialIn(ms)] = core.step(&Input::Closed(1006), 0, u32::MAX)[..] {
            pauses.push(ms);
        }
    }
    assert_eq!(pauses, [400, 800, 1_600, 3_200]);
    joined(&mut core, 0);
    assert_eq!(
        core.step(&Input::Closed(1001), 0, u32::MAX),
        [Effect::RedialIn(400)]
    );
}

#[test]
fn ended_session_should_never_be_retried() {
    let mut core = Core::new(None);
    joined(&mut core, 0);
    assert_eq!(core.step(&Input::Closed(UNAUTHORIZED), 0, 0), [Effect::SignedOut]);
    assert!(core.step(&Input::Tick, 99_999, 0).is_empty());
    assert_eq!(core.link(), Link::Idle);
}

#[test]
fn silent_connection_should_be_given_up() {
    let mut core = Core::new(None);
    joined(&mut core, 0);
    assert_eq!(sent(&core.step(&Input::Tick, 5_000, 0)), [r#"{"type":"ping"}"#]);
    assert!(
        core.step(&Input::Tick, 6_000, 0).is_empty(),
        "pings keep their distance"
    );
    core.step(&Input::Message(r#"{"type":"pong"}"#), 7_000, 0);
    assert!(
        !core
            .step(&Input::Tick, 7_000 + SILENCE_MS, 0)
            .contains(&Effect::Hang)
    );
    let effects = core.step(&Input::Tick, 7_001 + SILENCE_MS, 0);
    assert_eq!(effects, [Effect::Hang, Effect::RedialIn(100)]);
    assert!(
        core.step(&Input::Closed(1006), 7_002 + SILENCE_MS, 0).is_empty(),
        "already waiting"
    );
}

#[test]
fn dial_without_an_answer_should_be_given_up() {
    let mut core = Core::new(None);
    core.step(&Input::Redial, 0, 0);
    assert!(core.step(&Input::Tick, SILENCE_MS, 0).is_empty());
    assert!(core.step(&Input::Tick, SILENCE_MS + 1, 0).contains(&Effect::Hang));
}

#[test]
fn pings_should_be_answered() {
    let mut core = Core::new(None);
    joined(&mut core, 0);
    let effects = core.step(&Input::Message(r#"{"type":"ping"}"#), 0, 0);
    assert_eq!(effects, [Effect::Send(r#"{"type":"pong"}"#.into())]);
}

#[test]
fn slow_event_stream_should_resume_where_the_server_says() {
    let mut core = Core::new(Some("old".into()));
    core.subscribe(subscription("Events", true)).expect("room");
    joined(&mut core, 0);
    let error = r#"{"type":"error","id":"1","payload":[{"message":"m","extensions":{"code":"overloaded","after":"c9"}}]}"#;
    let effects = core.step(&Input::Message(error), 0, 0);
    assert!(sent(&effects)[0].contains(r#""after":"c9""#));
    assert!(!effects.contains(&Effect::Reread));
}

#[test]
fn useless_cursor_should_be_forgotten_once() {
    let mut core = Core::new(Some("foreign".into()));
    core.subscribe(subscription("Events", true)).expect("room");
    joined(&mut core, 0);
    let error =
        r#"{"type":"error","id":"1","payload":[{"message":"m","extensions":{"code":"cursor-invalid"}}]}"#;
    let effects = core.step(&Input::Message(error), 0, 0);
    assert!(sent(&effects)[0].contains(r#""variables":{}"#));
    assert!(effects.contains(&Effect::Reread));
    assert!(
        core.step(&Input::Message(error), 0, 0).is_empty(),
        "no loop without a pause"
    );
}

#[test]
fn refused_subscription_should_be_asked_for_again_at_the_next_tick() {
    let mut core = Core::new(None);
    let (id, _) = core.subscribe(subscription("Vault", false)).expect("room");
    joined(&mut core, 0);
    let error = r#"{"type":"error","id":"1","payload":[{"message":"m","extensions":{"code":"not-found"}}]}"#;
    assert!(core.step(&Input::Message(error), 0, 0).is_empty(), "not at once");
    let again = core.step(&Input::Tick, 1_000, 0);
    assert!(sent(&again)[0].contains("\"Vault\""), "{again:?}");
    assert!(core.step(&Input::Tick, 2_000, 0).is_empty(), "once an error");
    core.step(&Input::Message(error), 2_000, 0);
    core.unsubscribe(id);
    assert!(
        core.step(&Input::Tick, 3_000, 0).is_empty(),
        "nobody wants it any more"
    );
}

#[test]
fn items_should_reach_their_subscriber_only() {
    let mut core = Core::new(None);
    let (id, _) = core.subscribe(subscription("A", false)).expect("room");
    joined(&mut core, 0);
    let item = |id: u32| format!(r#"{{"type":"next","id":"{id}","payload":{{"data":1}}}}"#);
    let effects = core.step(&Input::Message(&item(id)), 0, 0);
    assert_eq!(effects, [Effect::Deliver(id, r#"{"data":1}"#.into())]);
    assert!(core.step(&Input::Message(&item(id + 1)), 0, 0).is_empty());
}

#[test]
fn subscriptions_should_be_limited() {
    let mut core = Core::new(None);
    for _ in 0..SUBSCRIPTIONS_MAX {
        assert!(core.subscribe(subscription("A", false)).is_some());
    }
    assert!(core.subscribe(subscription("A", false)).is_none());
}
