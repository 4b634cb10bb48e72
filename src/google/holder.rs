//! Who holds a resource that cannot be deleted, as the refusal names it. Pure.

/// What precedes the holder's path. Source: the refusals of Compute in `fixtures/errors.json`.
const USED_BY: &str = "being used by '";

/// The path of the resource that uses the one that cannot be deleted; `None` if the message names none.
pub fn holder(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(USED_BY)?;
    let (path, _) = rest.split_once('\'')?;
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_the_path_after_the_words() {
        let refused =
            |by: &str| format!("The network resource 'projects/p/global/networks/n' is {by}");
        for (message, expected) in [
            (
                refused("already being used by 'projects/p/global/firewalls/f'"),
                Some("projects/p/global/firewalls/f"),
            ),
            (refused("already being used by 'cut off"), None),
            (refused("in use"), None),
            (String::new(), None),
        ] {
            assert_eq!(holder(&message), expected, "{message}");
        }
    }

    #[test]
    fn each_refusal_on_record_names_its_holder() {
        let rows: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../fixtures/errors.json")).unwrap();
        let mut named = 0;
        for row in rows.iter().filter(|row| row["class"] == "InUse") {
            let texts = ["/body/error/message", "/body/error/errors/0/message"];
            let mut texts = texts.iter().filter_map(|at| row.pointer(at)?.as_str());
            let path = texts.find_map(holder);
            assert!(
                path.is_some_and(|path| path.starts_with("projects/")),
                "{row}"
            );
            named += 1;
        }
        assert!(named > 1, "{named}");
    }
}
