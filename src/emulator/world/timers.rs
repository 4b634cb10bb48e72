//! What goes on in the world: operations, timers, and how they become facts.

use serde_json::Value;

use super::{Timer, World};
use crate::clock::Millis;
use crate::operation::{Effect, Operation, Start};
use crate::pace::Pace;

/// The next thing that happens by itself: an operation by its key, or a timer by its place.
enum NextEvent {
    Operation(String),
    Timer(usize),
}

impl World {
    /// Begins an operation and returns it as it is at that moment: not done.
    pub fn begin(&mut self, start: Start) -> Operation {
        let now = self.now();
        let operation = Operation {
            key: start.key.clone(),
            id: self.next_id(),
            dialect: start.dialect,
            verb: start.verb,
            target: start.target,
            began: now,
            due: now + start.duration,
            ended: None,
            polled: false,
            effects: start.effects,
            failure: start.failure,
            extra: start.extra,
        };
        self.changed = true;
        self.operations.insert(start.key, operation.clone());
        operation
    }

    /// Answers a poll. At pace 0 the first poll never sees the end and the second always does; at other paces time decides.
    pub fn poll(&mut self, key: &str) -> Option<Operation> {
        self.tick();
        let seen = self.operations.get_mut(key)?;
        if self.pace != Pace::Zero {
            return Some(seen.clone());
        }
        if !seen.polled {
            seen.polled = true;
            self.changed = true;
            return Some(seen.clone().unfinished());
        }
        self.finish(key)
    }

    /// Ends an operation now, if it is not over yet: `operations.wait` at pace 0.
    pub fn finish(&mut self, key: &str) -> Option<Operation> {
        let now = self.now();
        let operation = self.operations.get_mut(key)?;
        operation.polled = true;
        if operation.ended.is_none() {
            operation.ended = Some(now);
            let effects = std::mem::take(&mut operation.effects);
            if operation.failure.is_none() {
                self.apply(effects);
            }
        }
        self.changed = true;
        self.operations.get(key).cloned()
    }

    /// An operation as it is, without this being a poll.
    pub fn operation(&self, key: &str) -> Option<&Operation> {
        self.operations.get(key)
    }

    /// All operations whose key begins with `prefix`.
    pub fn operations(&self, prefix: &str) -> Vec<&Operation> {
        let from = self.operations.range(prefix.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, operation)| operation)
            .collect()
    }

    /// Forgets all operations whose key begins with `prefix`: those of a thing that is gone.
    pub fn forget(&mut self, prefix: &str) {
        self.changed = true;
        self.operations.retain(|key, _| !key.starts_with(prefix));
    }

    /// The operation that is being done to `target` right now.
    pub fn in_flight(&self, target: &str) -> Option<&Operation> {
        self.operations
            .values()
            .find(|operation| operation.target == target && !operation.is_done())
    }

    /// Whether operations.wait has to hold the line: at pace 0 nothing is worth waiting for.
    pub fn holds(&self) -> bool {
        self.pace != Pace::Zero
    }

    /// Remembers that `request_id` in `project` led to an operation.
    pub fn remember(&mut self, project: &str, request_id: &str, operation: &str) {
        self.changed = true;
        self.requests
            .insert(format!("{project}/{request_id}"), operation.to_owned());
    }

    /// The operation that this request id led to before: it is answered again, and nothing is created twice.
    pub fn remembered(&self, project: &str, request_id: &str) -> Option<&Operation> {
        self.requests
            .get(&format!("{project}/{request_id}"))
            .and_then(|key| self.operations.get(key))
    }

    /// Lets `effects` happen after `delay`.
    pub fn after(&mut self, delay: Millis, effects: Vec<Effect>) {
        let due = self.now() + delay;
        self.changed = true;
        self.timers.push(Timer { due, effects });
    }

    /// Catches up with time: ends operations and runs timers that are due, in the order in which they were.
    pub fn tick(&mut self) {
        let now = self.now();
        while let Some((due, next)) = self.next_due().filter(|(due, _)| *due <= now) {
            match next {
                NextEvent::Operation(key) => self.end_unattended(&key, due),
                NextEvent::Timer(at) => {
                    let timer = self.timers.swap_remove(at);
                    self.apply(timer.effects);
                }
            }
        }
    }

    /// What happens next by itself, and when.
    fn next_due(&self) -> Option<(Millis, NextEvent)> {
        let running = self
            .operations
            .values()
            .filter(|operation| !operation.is_done());
        let operations = running.map(|one| (one.due, NextEvent::Operation(one.key.clone())));
        let timers = self
            .timers
            .iter()
            .enumerate()
            .map(|(at, one)| (one.due, NextEvent::Timer(at)));
        operations.chain(timers).min_by_key(|(due, _)| *due)
    }

    /// Ends an operation that was not polled; at pace 0 its first poll will still answer "not done".
    fn end_unattended(&mut self, key: &str, due: Millis) {
        let polled = self
            .operations
            .get(key)
            .is_some_and(|operation| operation.polled);
        self.finish(key);
        if let Some(operation) = self.operations.get_mut(key) {
            (operation.polled, operation.ended) = (polled, Some(due));
        }
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        self.changed = true;
        for effect in effects {
            match effect {
                Effect::Put { key, value } => {
                    self.objects.insert(key, value);
                }
                Effect::Merge { key, fields } => {
                    if let Some(Value::Object(object)) = self.objects.get_mut(&key) {
                        json::replace_fields(object, &fields);
                    }
                }
                Effect::Remove { key } => {
                    self.objects.remove(&key);
                }
                Effect::Enable { project, service } => {
                    let now = self.now();
                    self.services
                        .entry(format!("{project}/{service}"))
                        .or_insert(now);
                }
                Effect::Disable { project, service } => {
                    self.services.remove(&format!("{project}/{service}"));
                }
                Effect::After { delay, effects } => self.after(delay, effects),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::operation::{Dialect, Failure};

    const NETWORK: &str = "//compute.googleapis.com/projects/p/global/networks/n";
    const OPERATION: &str = "//compute.googleapis.com/projects/p/global/operations/o";

    fn put(key: &str, value: Value) -> Effect {
        Effect::Put {
            key: key.to_owned(),
            value,
        }
    }

    fn begin(
        world: &mut World,
        key: &str,
        duration: Millis,
        effects: Vec<Effect>,
        failure: Option<Failure>,
    ) {
        world.begin(Start {
            key: key.to_owned(),
            dialect: Dialect::Compute,
            verb: "insert".to_owned(),
            target: NETWORK.to_owned(),
            duration,
            effects,
            failure,
            extra: Value::Null,
        });
    }

    #[test]
    fn at_pace_zero_the_second_poll_is_the_end_and_at_others_time_is() {
        // Pace, the instants of the polls, what each sees.
        let cases: &[(Pace, &[(Millis, bool)])] = &[
            (Pace::Zero, &[(0, false), (0, true), (0, true)]),
            (Pace::Zero, &[(999, false), (999, true)]),
            // It has ended without a poll, and its first poll still does not show that.
            (Pace::Zero, &[(5_000, false), (5_000, true)]),
            (Pace::Real(1), &[(0, false), (999, false), (1_000, true)]),
            (Pace::Real(1), &[(1_000, true)]),
        ];
        for (pace, polls) in cases {
            let mut world = World::new(Clock::At(0), *pace);
            begin(
                &mut world,
                OPERATION,
                1_000,
                vec![put(NETWORK, json!({}))],
                None,
            );
            for (instant, expected) in *polls {
                world.set_clock(Clock::At(*instant));
                let seen = world.poll(OPERATION).unwrap();
                assert_eq!(seen.is_done(), *expected, "{pace} {polls:?} at {instant}");
            }
            assert!(world.get(NETWORK).is_some());
        }
    }

    #[test]
    fn a_failed_operation_changes_nothing() {
        let mut world = World::new(Clock::At(0), Pace::Zero);
        let failure = Failure {
            code: "X".to_owned(),
            http: 400,
            message: "no".to_owned(),
        };
        begin(
            &mut world,
            OPERATION,
            0,
            vec![put(NETWORK, json!({}))],
            Some(failure),
        );
        assert!(world.in_flight(NETWORK).is_some());
        assert!(world.finish(OPERATION).unwrap().is_done());
        assert!(world.get(NETWORK).is_none() && world.in_flight(NETWORK).is_none());
    }

    #[test]
    fn what_is_due_happens_in_the_order_in_which_it_was_due() {
        let mut world = World::new(Clock::At(0), Pace::Real(1));
        let later = Effect::After {
            delay: 300,
            effects: vec![put(NETWORK, json!({"v": 3}))],
        };
        begin(
            &mut world,
            OPERATION,
            100,
            vec![put(NETWORK, json!({"v": 1})), later],
            None,
        );
        world.after(200, vec![put(NETWORK, json!({"v": 2}))]);
        for (instant, expected) in [(99, None), (150, Some(1)), (250, Some(2))] {
            world.set_clock(Clock::At(instant));
            world.tick();
            assert_eq!(
                world.get(NETWORK).map(|value| value["v"].as_i64().unwrap()),
                expected,
                "at {instant}"
            );
        }
        // What an operation starts counts from when it was seen to end, which may be late but never early.
        world.set_clock(Clock::At(450));
        world.tick();
        assert_eq!(world.get(NETWORK).unwrap()["v"], 3);
    }

    #[test]
    fn a_merge_sets_and_removes_fields_of_what_is_there() {
        let mut world = World::new(Clock::At(0), Pace::Zero);
        let fields = |value: Value| value.as_object().unwrap().clone();
        let merge = |key: &str, value: Value| Effect::Merge {
            key: key.to_owned(),
            fields: fields(value),
        };
        world.put(NETWORK, json!({"a": 1, "b": 2}));
        world.after(
            0,
            vec![
                merge(NETWORK, json!({"a": null, "c": 3})),
                merge("//x/none", json!({"a": 1})),
            ],
        );
        world.tick();
        assert_eq!(world.get(NETWORK), Some(&json!({"b": 2, "c": 3})));
        assert!(world.get("//x/none").is_none());
    }
}
