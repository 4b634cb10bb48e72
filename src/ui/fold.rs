//! Prose for a terminal: a line that is too wide goes on below, indented. It is folded between words only, and never within a
//! command, so that names and commands can be copied whole. Text for pipes and files is not folded.

/// Programs whose commands stand in a text without backticks, behind a colon or a comma.
const PROGRAMS: &[&str] = &["provision", "kubectl", "gcloud"];

/// The text in lines of at most this many columns, as far as they can be folded.
pub fn fold(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| fold_line(line, width));
    lines.collect::<Vec<_>>().join("\n")
}

fn fold_line(line: &str, width: usize) -> String {
    if console::measure_text_width(line) <= width {
        return line.to_owned();
    }
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let below = format!("\n{}", " ".repeat(indent + 2));
    let width = width.saturating_sub(indent);
    " ".repeat(indent) + &lines(text, width, width.saturating_sub(2)).join(&below)
}

/// One line of text as lines of at most these columns, as far as it can be folded: `first` for the first line, which stays empty if
/// only a later one has room for the beginning, and `later` for the others.
pub fn lines(text: &str, first: usize, later: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut room, mut used) = (first, 0);
    for unit in units(text) {
        let wide = console::measure_text_width(&unit);
        let fits = match used {
            0 => wide <= room || later <= room,
            _ => used + 1 + wide <= room,
        };
        if !fits {
            lines.push(String::new());
            (room, used) = (later, 0);
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(&unit);
            used += wide;
        }
    }
    lines
}

/// What is not divided: words, and commands of several words.
fn units(text: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut is_open = false;
    let mut before = "";
    for word in text.split(' ') {
        let is_quoted = units
            .last()
            .is_some_and(|unit| unit.matches('`').count() % 2 == 1);
        match units.last_mut() {
            Some(unit) if is_open || is_quoted => {
                unit.push(' ');
                unit.push_str(word);
            }
            _ => units.push(word.to_owned()),
        }
        let begins = PROGRAMS.contains(&word) && before.ends_with([':', ',']);
        is_open = (is_open || begins) && !word.ends_with([',', ';']);
        before = word;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_folded_between_words_and_not_within_a_command() {
        for (text, width, folded) in [
            ("a line that fits", 16, "a line that fits"),
            ("a line that is wide", 11, "a line that\n  is wide"),
            ("  indented line", 12, "  indented\n    line"),
            (
                "hint: run `provision down` first",
                20,
                "hint: run\n  `provision down`\n  first",
            ),
            (
                "Next: provision kubeconfig --write x, provision verify",
                30,
                "Next:\n  provision kubeconfig --write x,\n  provision verify",
            ),
            (
                "a name that provision did not take",
                20,
                "a name that\n  provision did not\n  take",
            ),
            (
                "a-name-that-is-wider-than-all",
                10,
                "a-name-that-is-wider-than-all",
            ),
            ("two\nlines here", 6, "two\nlines\n  here"),
            // Colours take no columns.
            (
                "\u{1b}[31merror:\u{1b}[0m no room",
                14,
                "\u{1b}[31merror:\u{1b}[0m no room",
            ),
            ("", 5, ""),
            ("a b", 0, "a\n  b"),
        ] {
            assert_eq!(fold(text, width), folded, "{text} {width}");
        }
    }
}
