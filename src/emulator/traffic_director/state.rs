//! How far Traffic Director is with each Service of a cluster: a pure function of what is asked for, and of time.
//!
//! It knows no resource: what a step does to the project is in [`super::resources`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// How far it is with a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Stage {
    /// Seen at this time; nothing is made yet.
    Seen(Millis),
    /// Everything is there.
    Made,
    /// No longer asked for since this time; everything is there.
    Unwanted(Millis),
    /// The backend service was withdrawn at this time; its health check and groups are there.
    Withdrawn(Millis),
}

/// The firewall rule for health checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RuleStage {
    /// There is none.
    #[default]
    Absent,
    /// It is there.
    There,
    /// No Service needs it since this time.
    Unwanted(Millis),
}

/// How long each step takes.
#[derive(Debug, Clone, Copy)]
pub struct Delays {
    /// From a Service to its backend service.
    pub appear: Millis,
    /// From a Service's end to that of its backend service; none if it is never withdrawn.
    pub withdraw: Option<Millis>,
    /// From there to the end of the health check and the groups, and from the last of these to the end of the rule.
    pub release: Millis,
}

/// What is to be done in the project now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the firewall rule.
    MakeRule,
    /// Make everything for this Service.
    Make(String),
    /// Remove the backend service of this Service.
    Withdraw(String),
    /// Remove the health check and the groups of this Service.
    Release(String),
    /// Remove the firewall rule.
    RemoveRule,
}

/// How far Traffic Director is in one cluster. It ends with the cluster, so that what is made then stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    services: BTreeMap<String, Stage>,
    #[serde(default)]
    rule: RuleStage,
    /// The revision of the cluster's objects, and whether the mesh was active, when this was last computed.
    #[serde(skip)]
    seen: Option<(u64, bool)>,
}

impl State {
    /// Whether nothing is to be done, without looking at the cluster's objects.
    pub fn is_idle(&self, revision: u64, is_active: bool, now: Millis, delays: &Delays) -> bool {
        self.seen == Some((revision, is_active)) && self.due(delays).is_none_or(|due| due > now)
    }

    /// Whether `later` is another state, and not only a later look at the same.
    pub fn has_moved_to(&self, later: &State) -> bool {
        self.services != later.services || self.rule != later.rule
    }

    /// Whether the firewall rule has to be there.
    pub fn needs_rule(&self) -> bool {
        self.rule == RuleStage::There
    }

    /// When the next step is due.
    fn due(&self, delays: &Delays) -> Option<Millis> {
        let of_services = self.services.values().filter_map(|stage| match stage {
            Stage::Made => None,
            Stage::Seen(since) => Some(since + delays.appear),
            Stage::Unwanted(since) => delays.withdraw.map(|delay| since + delay),
            Stage::Withdrawn(since) => Some(since + delays.release),
        });
        let of_rule = match self.rule {
            RuleStage::Unwanted(since) => Some(since + delays.release),
            RuleStage::Absent | RuleStage::There => None,
        };
        of_services.chain(of_rule).min()
    }

    /// Goes on to `now`, when these Services ask for something (none if the mesh is not active). Returns what is to be done, in
    /// order.
    pub fn advance(
        &mut self,
        wanted: &BTreeSet<String>,
        (revision, is_active): (u64, bool),
        now: Millis,
        delays: &Delays,
    ) -> Vec<Step> {
        self.seen = Some((revision, is_active));
        for service in wanted {
            let stage = self
                .services
                .entry(service.clone())
                .or_insert(Stage::Seen(now));
            if matches!(stage, Stage::Unwanted(_)) {
                *stage = Stage::Made;
            }
        }
        let mut steps = Vec::new();
        self.services.retain(|service, stage| {
            let is_wanted = wanted.contains(service);
            let stays = follow(service, stage, is_wanted, now, delays, &mut steps);
            // One that is asked for again begins again.
            if !stays && is_wanted {
                *stage = Stage::Seen(now);
            }
            stays || is_wanted
        });
        self.follow_rule(now, delays, &mut steps);
        steps
    }

    fn follow_rule(&mut self, now: Millis, delays: &Delays, steps: &mut Vec<Step>) {
        let is_needed = self
            .services
            .values()
            .any(|stage| !matches!(stage, Stage::Seen(_)));
        self.rule = match (self.rule, is_needed) {
            (RuleStage::Absent, true) => {
                steps.insert(0, Step::MakeRule);
                RuleStage::There
            }
            (RuleStage::Unwanted(_), true) => RuleStage::There,
            (RuleStage::There, false) => RuleStage::Unwanted(now),
            (other, _) => other,
        };
        if let RuleStage::Unwanted(since) = self.rule
            && since + delays.release <= now
        {
            steps.push(Step::RemoveRule);
            self.rule = RuleStage::Absent;
        }
    }
}

/// Goes on with a Service; whether anything of it is left.
fn follow(
    service: &str,
    stage: &mut Stage,
    is_wanted: bool,
    now: Millis,
    delays: &Delays,
    steps: &mut Vec<Step>,
) -> bool {
    match *stage {
        Stage::Seen(_) if !is_wanted => return false,
        Stage::Seen(since) if since + delays.appear <= now => {
            steps.push(Step::Make(service.to_owned()));
            *stage = Stage::Made;
        }
        Stage::Made if !is_wanted => *stage = Stage::Unwanted(now),
        Stage::Seen(_) | Stage::Made | Stage::Unwanted(_) | Stage::Withdrawn(_) => {}
    }
    if let (Stage::Unwanted(since), Some(delay)) = (*stage, delays.withdraw)
        && since + delay <= now
    {
        steps.push(Step::Withdraw(service.to_owned()));
        *stage = Stage::Withdrawn(since + delay);
    }
    if let Stage::Withdrawn(since) = *stage
        && since + delays.release <= now
    {
        steps.push(Step::Release(service.to_owned()));
        return false;
    }
    true
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
