//! Properties of all analyzers: the order of objects does not matter, and no object makes them panic.

use proptest::prelude::*;
use serde_json::json;

use super::tests::{CASES, clean};
use super::*;

proptest! {
    #[test]
    fn the_order_of_objects_does_not_matter(at in 0..CASES.len(), order in any::<u64>()) {
        let mut objects = clean();
        CASES[at].3(&mut objects);
        let found = analyze(&objects, None);
        let turn = usize::try_from(order % objects.len() as u64).unwrap();
        objects.rotate_left(turn);
        objects[1..].reverse();
        prop_assert_eq!(analyze(&objects, None), found);
    }

    #[test]
    fn nothing_panics(at in 0..13_usize, field in "spec|metadata", value in prop::sample::select(vec![json!(null), json!(1), json!([1]), json!("x"), json!({"hosts": 1, "http": [1], "servers": [{}], "rules": [[]], "ports": {}})])) {
        let mut objects = clean();
        let count = objects.len();
        objects[at % count][field] = value;
        analyze(&objects, None);
    }
}
