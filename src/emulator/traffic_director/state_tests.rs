//! Tables of what happens when.

use super::*;

const USUAL: Delays = Delays {
    appear: 10,
    withdraw: Some(100),
    release: 20,
};
const NEVER: Delays = Delays {
    withdraw: None,
    ..USUAL
};

/// Goes through looks at a cluster: the time, the Services that ask, and the steps in short (`+rule`, `+a/b`, `-a/b`, `.a/b`
/// for the health check and the groups, `-rule`).
fn looks(delays: &Delays, rows: &[(Millis, &[&str], &[&str])]) -> State {
    let mut state = State::default();
    for (now, asking, expected) in rows {
        let wanted = asking.iter().map(|name| (*name).to_owned()).collect();
        let steps = state.advance(&wanted, (0, true), *now, delays);
        let short: Vec<String> = steps
            .into_iter()
            .map(|step| match step {
                Step::MakeRule => "+rule".to_owned(),
                Step::Make(service) => format!("+{service}"),
                Step::Withdraw(service) => format!("-{service}"),
                Step::Release(service) => format!(".{service}"),
                Step::RemoveRule => "-rule".to_owned(),
            })
            .collect();
        assert_eq!(short, *expected, "at {now}");
    }
    state
}

#[test]
fn a_service_gets_its_resources_and_loses_them_step_by_step() {
    looks(
        &USUAL,
        &[
            (0, &["a/b"], &[]),
            (9, &["a/b"], &[]),
            (10, &["a/b"], &["+rule", "+a/b"]),
            (50, &["a/b"], &[]),
            (60, &[], &[]),
            (159, &[], &[]),
            (160, &[], &["-a/b"]),
            (179, &[], &[]),
            (180, &[], &[".a/b"]),
            (199, &[], &[]),
            (200, &[], &["-rule"]),
            (900, &[], &[]),
        ],
    );
}

#[test]
fn the_rule_stays_as_long_as_one_service_is_left() {
    looks(
        &USUAL,
        &[
            (0, &["a/a", "a/b"], &[]),
            (10, &["a/a", "a/b"], &["+rule", "+a/a", "+a/b"]),
            (20, &["a/a"], &[]),
            (140, &["a/a"], &["-a/b", ".a/b"]),
            (500, &["a/a"], &[]),
        ],
    );
}

#[test]
fn who_looks_late_sees_all_that_was_due() {
    looks(
        &USUAL,
        &[
            (0, &["a/b"], &[]),
            (10, &["a/b"], &["+rule", "+a/b"]),
            (20, &[], &[]),
            (900, &[], &["-a/b", ".a/b"]),
            (920, &[], &["-rule"]),
        ],
    );
}

#[test]
fn a_service_that_is_asked_for_again_keeps_or_gets_everything() {
    looks(
        &USUAL,
        &[
            (0, &["a/b"], &[]),
            (5, &[], &[]),
            (50, &[], &[]),
            (51, &["a/b"], &[]),
            (61, &["a/b"], &["+rule", "+a/b"]),
            (70, &[], &[]),
            (80, &["a/b"], &[]),
            (300, &["a/b"], &[]),
            (310, &[], &[]),
            (410, &[], &["-a/b"]),
            (420, &["a/b"], &[]),
            (430, &["a/b"], &[".a/b"]),
            (440, &["a/b"], &["+a/b"]),
        ],
    );
}

#[test]
fn what_is_never_withdrawn_stays_and_goes_when_that_is_changed() {
    let mut state = looks(
        &NEVER,
        &[
            (0, &["a/b"], &[]),
            (10, &["a/b"], &["+rule", "+a/b"]),
            (20, &[], &[]),
            (90_000, &[], &[]),
        ],
    );
    assert!(state.is_idle(0, true, 90_000, &NEVER));
    assert!(!state.is_idle(0, true, 90_000, &USUAL));
    let steps = state.advance(&BTreeSet::new(), (0, true), 90_000, &USUAL);
    assert_eq!(
        steps,
        [
            Step::Withdraw("a/b".to_owned()),
            Step::Release("a/b".to_owned())
        ]
    );
}

#[test]
fn it_is_idle_until_something_changes_or_is_due() {
    let state = looks(&USUAL, &[(0, &["a/b"], &[])]);
    assert!(state.is_idle(0, true, 9, &USUAL));
    for (revision, is_active, now) in [(1, true, 9), (0, false, 9), (0, true, 10)] {
        assert!(!state.is_idle(revision, is_active, now, &USUAL));
    }
    let kept: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    assert!(
        !kept.is_idle(0, true, 9, &USUAL),
        "after a restart it looks once"
    );
}
