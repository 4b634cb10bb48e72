//! Text for messages: it cuts long text, suggests names for a mistyped one, and joins an error with its causes. Pure.

use std::error::Error;

/// How much of a foreign text is repeated, in characters.
const BEGINNING: usize = 2000;

/// The beginning of a foreign text, which may be long.
pub fn beginning(words: &str) -> String {
    match words.char_indices().nth(BEGINNING) {
        Some((end, _)) => format!("{} …", &words[..end]),
        None => words.to_owned(),
    }
}

/// Up to three names that are a typing mistake away from `name`, the nearest first: at most one edit for three letters, or one
/// name starts with the other.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let edits = strsim::osa_distance(&name, &candidate.to_lowercase());
            let longer = candidate.chars().count().max(name.chars().count());
            let allowed = longer.div_ceil(3);
            let prefix =
                name.len() >= 3 && (candidate.starts_with(&name) || name.starts_with(candidate));
            (edits <= allowed || prefix).then_some((edits, candidate))
        })
        .collect();
    near.sort();
    near.dedup();
    near.into_iter()
        .take(3)
        .map(|(_, candidate)| candidate)
        .collect()
}

/// `` `a`, `b` or `c` ``.
pub fn quoted(names: &[&str]) -> String {
    let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match all.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

/// `` , did you mean `a`? `` with the nearest name, or nothing where no name is near.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known)
        .first()
        .map_or_else(String::new, |near| format!(", did you mean `{near}`?"))
}

/// The error and its causes, the outermost first.
pub fn errors<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The error with its causes, as one line: `error: cause: cause of the cause`. A cause whose text the error before it already
/// contains is left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words = String::new();
    for error in errors(error) {
        let said = error.to_string();
        if words.is_empty() {
            words = said;
        } else if !words.contains(&said) {
            words = format!("{words}: {said}");
        }
    }
    words
}

/// A YAML error without the lines around its location, which may contain a token or a key.
pub fn without_snippet(error: serde_saphyr::Error) -> serde_saphyr::Error {
    match error {
        serde_saphyr::Error::WithSnippet { error, .. } => *error,
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(beginning("short"), "short");
        let cut = beginning(&"ä".repeat(BEGINNING + 1));
        assert_eq!(cut, format!("{} …", "ä".repeat(BEGINNING)));
    }

    #[test]
    fn what_was_probably_meant_is_offered() {
        let known = ["network", "nat", "want"];
        for (name, text) in [
            ("wants", ", did you mean `want`?"),
            ("Netwrok", ", did you mean `network`?"),
            ("net", ", did you mean `nat`?"),
            ("zebra", ""),
        ] {
            assert_eq!(did_you_mean(name, known), text);
        }
    }

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("cannot open it")]
        Silent(#[source] io::Error),
        #[error("cannot open it: {0}")]
        Repeats(#[source] io::Error),
        #[error(transparent)]
        Transparent(io::Error),
    }

    #[test]
    fn each_cause_is_said_once() {
        let cause = || io::Error::other(io::Error::other("disk full"));
        for (error, expected) in [
            (Outer::Silent(cause()), "cannot open it: disk full"),
            (Outer::Repeats(cause()), "cannot open it: disk full"),
            (Outer::Transparent(cause()), "disk full"),
        ] {
            assert_eq!(chain(&error), expected);
        }
    }
}
