//! The question before a run that changes something: how much, where, and for how long. Pure.

use super::duration::Usual;

/// Where a run acts.
pub struct Where<'a> {
    /// The environment's name; none where there is only one.
    pub environment: Option<&'a str>,
    /// The project.
    pub project: &'a str,
    /// The zone, or the region, if there is one.
    pub zone: Option<&'a str>,
    /// Whether Google is emulated.
    pub emulated: bool,
    /// More of it: ` and in the cluster of ...`.
    pub more: &'a str,
}

/// The question. `counts` are numbers with what is done: `(69, "create")`; those of zero are not said.
pub fn question(counts: &[(usize, &str)], place: &Where<'_>, takes: Option<Usual>) -> String {
    let said: Vec<String> = counts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, verb)| format!("{verb} {number}"))
        .collect();
    let said = said.join(", ");
    let mut first = said.chars();
    let said: String = match first.next() {
        Some(c) => c.to_uppercase().chain(first).collect(),
        None => "Go on".to_owned(),
    };
    let environment = place
        .environment
        .map(|name| format!("environment {name}, "));
    let zone = place.zone.map(|zone| format!(", zone {zone}"));
    let emulated = if place.emulated { ", EMULATOR" } else { "" };
    let takes = takes.and_then(Usual::text);
    let takes = takes.map(|time| format!(" This usually takes {time}."));
    format!(
        "{said} in {}project {}{}{emulated}{}?{}",
        environment.unwrap_or_default(),
        place.project,
        zone.unwrap_or_default(),
        place.more,
        takes.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_how_much_where_and_how_long() {
        let place = Where {
            environment: None,
            project: "my-project",
            zone: Some("us-central1-a"),
            emulated: false,
            more: "",
        };
        let takes = Some(Usual::seconds(600, 1_500));
        let counts = [(69, "create"), (0, "change"), (2, "delete")];
        assert_eq!(
            question(&counts, &place, takes),
            "Create 69, delete 2 in project my-project, zone us-central1-a? This usually takes 10-25 min."
        );
        let rehearsal = Where {
            environment: Some("test"),
            zone: None,
            emulated: true,
            more: " and in cluster kind-egress",
            ..place
        };
        assert_eq!(
            question(&[(3, "delete")], &rehearsal, None),
            "Delete 3 in environment test, project my-project, EMULATOR and in cluster kind-egress?"
        );
        assert_eq!(
            question(&[], &rehearsal, Some(Usual::seconds(0, 3))),
            "Go on in environment test, project my-project, EMULATOR and in cluster kind-egress?"
        );
    }
}
