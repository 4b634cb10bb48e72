//! PodDisruptionBudget.

use crate::at::At;
use crate::builtin::{selector, share};
use crate::fault::Faults;

pub fn disruption_budget(object: &At<'_>, faults: &mut Faults) {
    let spec = object.get("spec");
    let (least, most) = (spec.get("minAvailable"), spec.get("maxUnavailable"));
    if least.is_set() && most.is_set() {
        faults.invalid(&spec, "minAvailable and maxUnavailable cannot be both set");
    }
    for limit in [least, most] {
        share::positive(&limit, faults);
        share::at_most_all(&limit, faults);
    }
    selector::check(&spec.get("selector"), faults);
    let known = ["AlwaysAllow", "IfHealthyBudget"];
    share::one_of(&spec.get("unhealthyPodEvictionPolicy"), &known, faults);
}
