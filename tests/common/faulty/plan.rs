//! Which requests suffer what: one, some in a row, or each with a chance.

use super::super::dice::Dice;
use super::super::middle::request::Asked;
use super::fault::Fault;

/// What is going to happen.
#[derive(Debug, Clone, Default)]
pub enum Plan {
    /// Nothing.
    #[default]
    Calm,
    /// `fault` befalls requests of one kind, `times` of them from the `nth` (from 0) on.
    At {
        /// The kind of request.
        kind: String,
        /// Which of them is the first.
        nth: usize,
        /// How many.
        times: usize,
        /// What.
        fault: Fault,
        /// How many more requests to the API the caller's permission lasts, once it has happened; none: to the end.
        permitted: Option<usize>,
        /// How many of the kind have passed.
        passed: usize,
        /// The API to which it has happened, if something follows from that.
        api: Option<String>,
    },
    /// Each request suffers one of `faults` with a chance.
    Mixed {
        /// The chance.
        percent: usize,
        /// What may happen.
        faults: Vec<Fault>,
        /// Who decides.
        dice: Dice,
    },
}

impl Plan {
    /// `fault` befalls `times` requests of one kind, from the `nth` on.
    pub fn at(kind: &str, nth: usize, times: usize, fault: Fault) -> Plan {
        Plan::At {
            kind: kind.to_owned(),
            nth,
            times,
            fault,
            permitted: None,
            passed: 0,
            api: None,
        }
    }

    /// `fault` befalls the `nth` request of one kind, and after so many more requests to the API the permission for it is lost.
    pub fn lost_after(kind: &str, nth: usize, fault: Fault, more: usize) -> Plan {
        Plan::At {
            kind: kind.to_owned(),
            nth,
            times: 1,
            fault,
            permitted: Some(more),
            passed: 0,
            api: None,
        }
    }

    /// What befalls this request.
    pub fn decide(&mut self, asked: &Asked) -> Option<Fault> {
        match self {
            Plan::Calm => None,
            Plan::At {
                kind,
                nth,
                times,
                fault,
                permitted,
                passed,
                api,
            } => {
                if api.as_deref() == Some(asked.api()) {
                    return match permitted {
                        None => Some(*fault),
                        Some(0) => Some(Fault::PermissionLost),
                        Some(more) => {
                            *more -= 1;
                            None
                        }
                    };
                }
                if asked.kind() != *kind || !fault.befalls(asked) {
                    return None;
                }
                *passed += 1;
                let hit = *passed > *nth && *passed <= *nth + *times;
                if hit && (fault.lasts() || permitted.is_some()) {
                    *api = Some(asked.api().to_owned());
                }
                hit.then_some(*fault)
            }
            Plan::Mixed {
                percent,
                faults,
                dice,
            } => {
                if dice.below(100) >= *percent {
                    return None;
                }
                let fitting: Vec<Fault> = faults
                    .iter()
                    .copied()
                    .filter(|fault| fault.befalls(asked))
                    .collect();
                fitting.get(dice.below(fitting.len())).copied()
            }
        }
    }
}
