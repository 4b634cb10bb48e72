//! curl's command line, read as curl 7.88 reads it: short options in a row (`-sI`), a value in the same word or in the next,
//! long options with their value in the next word only, `--no-` before a long flag.

use super::option_table::{Bad, OPTIONS, Takes};
use super::options::{OnError, Options, Refused};

/// A command line, without the program's name.
///
/// # Errors
/// What curl writes and how it ends: 2 for a wrong option, 49 for a wrong `--resolve`.
pub fn parse(arguments: &[String]) -> Result<Options, Refused> {
    let mut options = Options::default();
    if arguments.is_empty() {
        return Err(Refused {
            message: TRY.to_owned(),
            code: 2,
        });
    }
    let mut words = arguments.iter().map(String::as_str);
    let mut only_urls = false;
    while let Some(word) = words.next() {
        match word {
            _ if only_urls => options.urls.push(word.to_owned()),
            "--" => only_urls = true,
            long if long.starts_with("--") => {
                let (takes, on) =
                    find_long(&long[2..]).ok_or_else(|| complain(long, "is unknown"))?;
                apply(&mut options, long, takes, on, &mut || words.next())?;
            }
            short if short.starts_with('-') && short.len() > 1 => {
                row_of_short(&mut options, short, &mut || words.next())?;
            }
            address => options.urls.push(address.to_owned()),
        }
    }
    if options.urls.is_empty() && !options.version {
        let message = format!("curl: no URL specified!\n{TRY}");
        return Err(Refused { message, code: 2 });
    }
    Ok(options)
}

const TRY: &str = "curl: try 'curl --help' or 'curl --manual' for more information\n";

fn complain(option: &str, why: &str) -> Refused {
    Refused {
        message: format!("curl: option {option}: {why}\n{TRY}"),
        code: 2,
    }
}

fn find_long(name: &str) -> Option<(Takes, bool)> {
    let find = |name: &str| OPTIONS.iter().find(|(_, long, _)| *long == name);
    match find(name) {
        Some((_, _, takes)) => Some((*takes, true)),
        None => {
            let (_, _, takes) = find(name.strip_prefix("no-")?)?;
            matches!(takes, Takes::Flag(_) | Takes::Unsupported).then_some((*takes, false))
        }
    }
}

/// `-sI`, `-XPOST`: an option that takes a value takes the rest of the word, or the next one where nothing is left.
fn row_of_short<'a>(
    options: &mut Options,
    word: &'a str,
    next: &mut impl FnMut() -> Option<&'a str>,
) -> Result<(), Refused> {
    let mut rest = word.chars();
    // The dash.
    rest.next();
    while let Some(letter) = rest.next() {
        let row = OPTIONS.iter().find(|(short, ..)| *short == Some(letter));
        let (_, _, takes) = row.ok_or_else(|| complain(word, "is unknown"))?;
        let left = rest.as_str();
        let glued = matches!(takes, Takes::Text(_)) && !left.is_empty();
        let named = format!("-{letter}");
        let name = if matches!(takes, Takes::Unsupported) {
            named.as_str()
        } else {
            word
        };
        if glued {
            return apply(options, name, *takes, true, &mut || Some(left));
        }
        apply(options, name, *takes, true, next)?;
    }
    Ok(())
}

fn apply<'a>(
    options: &mut Options,
    word: &str,
    takes: Takes,
    on: bool,
    next: &mut impl FnMut() -> Option<&'a str>,
) -> Result<(), Refused> {
    let done = match takes {
        Takes::Flag(set) => {
            set(options, on);
            Ok(())
        }
        Takes::Nothing => Ok(()),
        Takes::Unsupported => {
            return Err(complain(word, "the emulated curl does not support it"));
        }
        Takes::Fails(_) if options.on_error != OnError::Takes => Err(Bad::Used),
        Takes::Fails(how) => {
            options.on_error = how;
            Ok(())
        }
        Takes::Text(set) => {
            let value = next().ok_or_else(|| complain(word, "requires parameter"))?;
            set(options, value)
        }
    };
    done.map_err(|bad| match bad {
        Bad::Number => complain(word, "expected a proper numerical parameter"),
        Bad::Used => complain(word, "is badly used here"),
        Bad::Unsupported(what) => {
            complain(word, &format!("the emulated curl does not support {what}"))
        }
        Bad::Resolve(value) => Refused {
            message: format!("curl: (49) Couldn't parse CURLOPT_RESOLVE entry '{value}'\n"),
            code: 49,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read_as_curl_reads_them() {
        let read = |line: &str| parse(&words(line)).unwrap();
        let options = read("-sI http://example.com -m 2.5 -XPOST -o/dev/null --no-silent");
        assert_eq!(options.urls, ["http://example.com"]);
        assert_eq!(
            (options.silent, options.head, options.max_time),
            (false, true, Some(Duration::from_millis(2500)))
        );
        assert_eq!(options.method.as_deref(), Some("POST"));
        assert_eq!(options.outputs, ["/dev/null"]);

        let options = read("-d a=b --data-urlencode q=x\u{e9} -d @/none http://x --json {}");
        assert_eq!(options.data.as_deref(), Some("a=b&q=x%C3%A9&{}"));
        assert_eq!(options.missing_files, ["/none"]);
        assert_eq!(options.headers[1], "Accept: application/json");

        let options = read("--resolve A.com:80:1.2.3.4 --connect-to ::5.6.7.8:15006 -- -s");
        assert_eq!(
            options.resolve,
            [("a.com".to_owned(), 80, [1, 2, 3, 4].into())]
        );
        assert_eq!(options.connect_to[0].to_port, Some(15006));
        assert_eq!(options.urls, ["-s"]);
    }

    #[test]
    fn what_curl_refuses_is_refused_in_its_words() {
        // The command line, what curl 7.88.1 says of it, its exit code.
        let cases = [
            (
                "--frobnicate http://x",
                "option --frobnicate: is unknown",
                2,
            ),
            (
                "--max-time=3 http://x",
                "option --max-time=3: is unknown",
                2,
            ),
            ("-s%9 http://x", "option -s%9: is unknown", 2),
            ("-X", "option -X: requires parameter", 2),
            (
                "-m abc http://x",
                "option -m: expected a proper numerical parameter",
                2,
            ),
            (
                "--fail-with-body -f http://x",
                "option -f: is badly used here",
                2,
            ),
            ("-s", "no URL specified!", 2),
            (
                "--resolve example.com:18080 http://x",
                "(49) Couldn't parse CURLOPT_RESOLVE entry 'example.com:18080'",
                49,
            ),
        ];
        for (line, message, code) in cases {
            let refused = parse(&words(line)).unwrap_err();
            let first = refused.message.lines().next().unwrap();
            assert_eq!(
                (first, refused.code),
                (format!("curl: {message}").as_str(), code),
                "{line}"
            );
        }
        assert_eq!(parse(&[]).unwrap_err().message, TRY);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let cases = [
            ("-sx http://proxy http://x", "-x", "it"),
            ("-sL http://x", "-L", "it"),
            ("--location http://x", "--location", "it"),
            ("--no-location http://x", "--no-location", "it"),
            ("--max-redirs 3 http://x", "--max-redirs", "it"),
            ("--retry 2 http://x", "--retry", "it"),
            ("--retry-delay 2 http://x", "--retry-delay", "it"),
            ("--retry-max-time 2 http://x", "--retry-max-time", "it"),
            ("--retry-connrefused http://x", "--retry-connrefused", "it"),
            ("--retry-all-errors http://x", "--retry-all-errors", "it"),
            ("-# http://x", "-#", "it"),
            ("-w %{json} http://x", "-w", "%{json}"),
            ("-sw%%%{json} http://x", "-sw%%%{json}", "%{json}"),
        ];
        for (line, option, what) in cases {
            let refused = parse(&words(line)).unwrap_err();
            let message =
                format!("curl: option {option}: the emulated curl does not support {what}\n{TRY}");
            assert_eq!((refused.message, refused.code), (message, 2), "{line}");
        }
        // Only text.
        assert!(parse(&words("-w %%{json} --no-progress-meter http://x")).is_ok());
    }
}
