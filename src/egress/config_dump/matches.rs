//! Whether a condition holds, where part of it may not be understood: logic with three values.

use serde_json::Value;

/// The result of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matches {
    /// It holds.
    Yes,
    /// It does not hold.
    No,
    /// It depends on something that is not understood or not in the dump, by name.
    Unknown(String),
}

impl Matches {
    /// A result that is known.
    pub fn of(holds: bool) -> Matches {
        match holds {
            true => Matches::Yes,
            false => Matches::No,
        }
    }

    /// A field that is not understood: its name in a message, such as `principal custom`.
    pub fn field(of: &str, value: &Value) -> Matches {
        let names = value.as_object().map(|fields| {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            names.join(", ")
        });
        match names.as_deref() {
            None | Some("") => Matches::Unknown(format!("{of} without a rule")),
            Some(names) => Matches::Unknown(format!("{of} {names}")),
        }
    }

    /// The opposite.
    pub fn negated(self) -> Matches {
        match self {
            Matches::Yes => Matches::No,
            Matches::No => Matches::Yes,
            unknown => unknown,
        }
    }

    /// Negated if asked for.
    pub fn inverted(self, invert: bool) -> Matches {
        match invert {
            true => self.negated(),
            false => self,
        }
    }

    /// Whether all hold. One that does not is enough, whatever is unknown of the others.
    pub fn all(all: impl IntoIterator<Item = Matches>) -> Matches {
        let mut whole = Matches::Yes;
        for one in all {
            match one {
                Matches::No => return Matches::No,
                Matches::Unknown(why) if whole == Matches::Yes => whole = Matches::Unknown(why),
                Matches::Yes | Matches::Unknown(_) => {}
            }
        }
        whole
    }

    /// Whether one holds, whatever is unknown of the others.
    pub fn any(all: impl IntoIterator<Item = Matches>) -> Matches {
        Matches::all(all.into_iter().map(Matches::negated)).negated()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_counts_only_where_it_could_decide() {
        use Matches::{No, Unknown, Yes};
        let unknown = || Unknown("x".to_owned());
        // (conditions, all, any)
        let cases = [
            (vec![], Yes, No),
            (vec![Yes, unknown()], unknown(), Yes),
            (vec![No, unknown()], No, unknown()),
            (vec![unknown(), No], No, unknown()),
            (vec![Yes, No], No, Yes),
            (
                vec![unknown(), Unknown("y".to_owned())],
                unknown(),
                unknown(),
            ),
        ];
        for (conditions, all, any) in cases {
            assert_eq!(Matches::all(conditions.clone()), all, "{conditions:?}");
            assert_eq!(Matches::any(conditions.clone()), any, "{conditions:?}");
        }
        assert_eq!(unknown().inverted(true), unknown());
        assert_eq!(Yes.inverted(true), No);
    }
}
