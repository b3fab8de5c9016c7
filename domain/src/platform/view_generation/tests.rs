//! Given events, when a command, then events: the ViewGeneration aggregate.

use super::*;
use crate::given::given;

fn start() -> ViewGenerationCommand {
    ViewGenerationCommand::Start {
        reason: "new fold".into(),
        view: "transfers".into(),
    }
}

fn started(generation: u32) -> ViewGenerationEvent {
    v1::GenerationStarted {
        generation,
        reason: "new fold".into(),
        view: "transfers".into(),
    }
    .into()
}

fn abandoned(generation: u32, reason: &str) -> ViewGenerationEvent {
    v1::GenerationAbandoned {
        generation,
        reason: reason.into(),
        view: "transfers".into(),
    }
    .into()
}

fn requested() -> v1::RebuildRequested {
    v1::RebuildRequested {
        family: "eth_main".into(),
        reason: "rows were damaged".into(),
        view: "transfers".into(),
    }
}

#[test]
fn generations_should_be_built_one_at_a_time_and_never_reuse_a_number() {
    given::<ViewGeneration>(&[]).when(&start()).then(&[started(2)]);
    let left_behind = "left behind by an earlier process";
    given::<ViewGeneration>(&[started(2)])
        .when(&start())
        .then(&[abandoned(2, left_behind), started(3)]);
    let history = [started(2), abandoned(2, "digest")];
    let given = given::<ViewGeneration>(&history);
    assert_eq!((given.state().active, given.state().highest), (1, 2));
    given.when(&start()).then(&[started(3)]);
}

#[test]
fn generation_that_is_no_longer_built_should_end_no_other() {
    let history = [started(2), abandoned(2, "left behind"), started(3)];
    let late = |generation| ViewGenerationCommand::Abandon {
        generation,
        reason: "late".into(),
    };
    let switch = ViewGenerationCommand::Switch(v1::GenerationSwitched {
        digest: String::new(),
        generation: 2,
        view: "transfers".into(),
    });
    let given = given::<ViewGeneration>(&history);
    given.when(&late(2)).then(&[]);
    given.when(&switch).refuses(&ViewGenerationError::NotBuilding(2));
    given.when(&late(3)).then(&[abandoned(3, "late")]);
}

#[test]
fn rebuild_should_be_asked_for_once_and_not_beside_a_running_one() {
    let ask = ViewGenerationCommand::Request(requested());
    let asked: ViewGenerationEvent = requested().into();
    given::<ViewGeneration>(&[])
        .when(&ask)
        .then(std::slice::from_ref(&asked));
    given::<ViewGeneration>(std::slice::from_ref(&asked))
        .when(&ask)
        .then(&[]);
    let begun = [asked.clone(), started(2)];
    let given_begun = given::<ViewGeneration>(&begun);
    assert_eq!(given_begun.state().requested, None, "somebody does it");
    given_begun.when(&ask).refuses(&ViewGenerationError::Building {
        generation: 2,
        view: "transfers".into(),
        family: "eth_main".into(),
    });
    let ended = [asked.clone(), started(2), abandoned(2, "digest")];
    let given_ended = given::<ViewGeneration>(&ended);
    assert_eq!(given_ended.state().given_up, Some((2, "digest".to_owned())));
    given_ended.when(&ask).then(&[asked]);
}

fn retry() -> v1::RetryRequested {
    v1::RetryRequested {
        family: "eth_main".into(),
        reason: "the fold is mended".into(),
        view: "transfers".into(),
    }
}

#[test]
fn retry_should_be_asked_for_once_until_it_is_done() {
    let (ask, asked) = (
        ViewGenerationCommand::Retry(retry()),
        ViewGenerationEvent::from(retry()),
    );
    let done = v1::ParkedRetried {
        generation: 1,
        healed: 3,
        parked: 1,
        view: "transfers".into(),
    };
    let end = ViewGenerationCommand::EndRetry(done.clone());
    given::<ViewGeneration>(&[]).when(&end).then(&[]);
    given::<ViewGeneration>(&[])
        .when(&ask)
        .then(std::slice::from_ref(&asked));
    let begun = [asked.clone(), started(2)];
    let given_begun = given::<ViewGeneration>(&begun);
    assert!(
        given_begun.state().retry.is_some(),
        "a rebuild beside it is another matter"
    );
    given_begun.when(&ask).then(&[]);
    given_begun.when(&end).then(&[done.clone().into()]);
    let ended = [asked.clone(), done.into()];
    let given_ended = given::<ViewGeneration>(&ended);
    let state = given_ended.state();
    assert_eq!((state.retry.as_ref(), state.retried), (None, Some((3, 1))));
    given_ended.when(&ask).then(&[asked]);
}
