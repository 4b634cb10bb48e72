//! Words for people: what is long is cut, what is mistyped is guessed. Pure.

/// How much of somebody else's words is repeated, in characters.
const BEGINNING: usize = 2000;

/// The beginning of somebody else's words, which are not always short.
pub fn beginning(words: &str) -> String {
    match words.char_indices().nth(BEGINNING) {
        Some((end, _)) => format!("{} …", &words[..end]),
        None => words.to_owned(),
    }
}

/// Up to three names that are a typing mistake away from `name`, the nearest first: an edit in three letters, or one begins with
/// the other.
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

/// `` , did you mean `a` or `b`? ``, or nothing where no name is near.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match &nearest(name, known)[..] {
        [] => String::new(),
        near => format!(", did you mean {}?", quoted(near)),
    }
}

#[cfg(test)]
mod tests {
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
            ("net", ", did you mean `nat` or `network`?"),
            ("zebra", ""),
        ] {
            assert_eq!(did_you_mean(name, known), text);
        }
    }
}
