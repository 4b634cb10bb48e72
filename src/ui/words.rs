//! Google's and Kubernetes' states in plain words: `RUNNING` is the state of an operation there and that of a ready cluster for its
//! user, so neither a screen nor a log says it.

use super::plain;

/// What is said of a request that changes something in place.
pub const CHANGING: &str = "changing";

/// What a request of this verb does: `creating`.
pub fn doing(verb: &str) -> &'static str {
    match verb {
        "create" => "creating",
        "delete" => "deleting",
        _ => CHANGING,
    }
}

/// The name of a resource in a sentence.
pub fn name<'a>(kind: &str, name: &'a str) -> &'a str {
    match kind {
        // A project's services have its name, but are not the project.
        "services" => "the enabled APIs",
        _ => name,
    }
}

/// What a step waits for, if that is more than a state: `name` is its resource, which the reader knows already.
pub fn waiting(on: &str, name: &str) -> Option<String> {
    let on = plain(on);
    let own = on.strip_prefix(name).filter(|_| !name.is_empty());
    match own {
        // That it is being deleted is said already.
        Some(" to be gone") => return None,
        Some(" to become visible" | " to be visible everywhere") => {
            return Some("not visible everywhere yet".to_owned());
        }
        _ => {}
    }
    let own = own.and_then(|rest| rest.strip_prefix(": "));
    let detail = without_state(own.unwrap_or(&on))?;
    let is_awaited = ["other writes to ", "the operation "]
        .iter()
        .any(|start| detail.starts_with(start))
        || detail.contains(" to be ");
    Some(match is_awaited {
        true => format!("waiting for {detail}"),
        false => detail.to_owned(),
    })
}

/// The text without the states that it begins with: `RUNNING: 2 of 4 nodes`, `PENDING 40 %`. None if nothing else is left.
fn without_state(text: &str) -> Option<&str> {
    let is_state = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut text = text;
    loop {
        let rest = text.trim_start_matches(is_state);
        // One capital letter is the beginning of a sentence.
        if text.len() - rest.len() < 2 || !(rest.is_empty() || rest.starts_with([':', ';', ' '])) {
            break;
        }
        text = rest.trim_start_matches([':', ';', ' ']);
    }
    // Cloud DNS has its states in lower case.
    (!["", "0 %", "pending"].contains(&text)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_not_a_word() {
        for (on, name, said) in [
            ("RUNNING", "c", None),
            ("", "c", None),
            ("PENDING 0 %", "c", None),
            ("PENDING 40 %", "c", Some("40 %")),
            ("c: PROVISIONING", "c", None),
            ("c: ERROR: no room", "c", Some("no room")),
            (
                "test: pod test-1: not ready",
                "test",
                Some("pod test-1: not ready"),
            ),
            ("A pod waits", "c", Some("A pod waits")),
            ("APIs are not enabled", "c", Some("APIs are not enabled")),
            ("pending", "c", None),
            (
                "PROVISIONING; REVISION_PROVISIONING: Provisioning: asm",
                "c",
                Some("Provisioning: asm"),
            ),
            ("c to be gone", "c", None),
            (
                "c to become visible",
                "c",
                Some("not visible everywhere yet"),
            ),
            ("d to be gone", "c", Some("waiting for d to be gone")),
            (
                "other writes to p",
                "c",
                Some("waiting for other writes to p"),
            ),
            (
                "the operation in progress on c",
                "c",
                Some("waiting for the operation in progress on c"),
            ),
        ] {
            assert_eq!(waiting(on, name).as_deref(), said, "{on}");
        }
    }

    #[test]
    fn a_verb_is_what_is_being_done() {
        assert_eq!(
            ["create", "update", "delete"].map(doing),
            ["creating", "changing", "deleting"]
        );
    }
}
