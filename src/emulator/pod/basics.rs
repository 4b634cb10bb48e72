//! The programs that make no requests: echo, cat and sleep.

use std::time::Duration;

use super::run::{ProgramOutput, ProgramResult};

/// `echo`, and `echo -n`.
pub fn echo(words: &[String]) -> ProgramResult {
    match words.split_first() {
        Some((first, rest)) if first == "-n" => ProgramResult::said(rest.join(" ")),
        _ => ProgramResult::said(format!("{}\n", words.join(" "))),
    }
}

/// `cat` of files, of which there is only `/dev/null`. Input is handled where the connection is (exec).
pub fn cat(files: &[String]) -> ProgramResult {
    let mut ran = ProgramResult::default();
    for file in files
        .iter()
        .filter(|file| !["-", "/dev/null"].contains(&file.as_str()))
    {
        ran.err(format!("cat: {file}: No such file or directory\n"));
        ran.code = 1;
    }
    ran
}

/// `sleep`, in seconds or with a unit.
pub fn sleep(words: &[String]) -> ProgramResult {
    let mut total = Duration::ZERO;
    for word in words {
        let Some(time) = time(word) else {
            return ProgramResult::failed(
                1,
                format!(
                    "sleep: invalid time interval '{word}'\nTry 'sleep --help' for more information.\n"
                ),
            );
        };
        total = total.saturating_add(time);
    }
    if words.is_empty() {
        return ProgramResult::failed(
            1,
            "sleep: missing operand\nTry 'sleep --help' for more information.\n",
        );
    }
    ProgramResult {
        acts: vec![ProgramOutput::Wait(total)],
        code: 0,
    }
}

fn time(word: &str) -> Option<Duration> {
    let units = [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let unit = units
        .iter()
        .find_map(|(unit, seconds)| Some((word.strip_suffix(unit)?, *seconds)));
    let (number, seconds) = unit.unwrap_or((word, 1.0));
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn they_do_what_they_do() {
        let cases = [
            (echo(&words("a b")), "a b\n", "", 0),
            (echo(&words("-n a b")), "a b", "", 0),
            (
                cat(&words("/none")),
                "",
                "cat: /none: No such file or directory\n",
                1,
            ),
            (cat(&words("- /dev/null")), "", "", 0),
        ];
        for (ran, out, err, code) in cases {
            assert_eq!(
                (ran.stdout().as_str(), ran.stderr().as_str(), ran.code),
                (out, err, code)
            );
        }
    }

    #[test]
    fn sleep_waits_and_says_nothing() {
        let waits = [
            ("1", 1_000),
            ("0.5", 500),
            ("2m", 120_000),
            ("1s 1s", 2_000),
        ];
        for (line, millis) in waits {
            assert_eq!(
                sleep(&words(line)).acts,
                [ProgramOutput::Wait(Duration::from_millis(millis))]
            );
        }
        for line in ["", "soon", "-1"] {
            assert_eq!(sleep(&words(line)).code, 1, "{line}");
        }
    }
}
