//! `lab record` before an API server, and the lines that it writes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A recorder at work. It ends with this.
pub struct Recorder {
    child: Child,
    log: PathBuf,
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub struct Line(Value);

impl Recorder {
    /// Starts one with the laboratory's program, given ready to run up to its arguments, and waits until it listens.
    pub fn start(
        mut lab: Command,
        listen: &str,
        to: &str,
        authority: Option<&Path>,
        log: PathBuf,
    ) -> Recorder {
        lab.args(["record", "--listen", listen, "--to", to, "--log"])
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if let Some(authority) = authority {
            lab.arg("--authority").arg(authority);
        }
        let mut child = lab.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        assert!(said.starts_with("listening"), "{said}");
        Recorder { child, log }
    }

    /// What has passed so far, by when it began.
    pub fn lines(&self) -> Vec<Line> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        let mut lines: Vec<Line> = text
            .lines()
            .map(|line| Line(serde_json::from_str(line).unwrap()))
            .collect();
        lines.sort_by_key(Line::started);
        lines
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Line {
    /// When it arrived, in milliseconds since 1970.
    pub fn started(&self) -> u64 {
        self.0["started"].as_u64().unwrap()
    }

    /// The answer's HTTP status.
    pub fn status(&self) -> u64 {
        self.0["status"].as_u64().unwrap()
    }

    /// The answer's body.
    pub fn answer(&self) -> &Value {
        &self.0["answer"]
    }

    /// The answer's content type and warnings.
    pub fn told(&self) -> String {
        format!("{} {}", self.0["type"], self.0["warnings"])
    }

    /// The request without what is another one each time: names of pods and nodes, versions, times, commands.
    pub fn request(&self) -> String {
        let text = |name: &str| self.0[name].as_str().unwrap().to_owned();
        let path = nameless(&text("path"));
        let query: Vec<String> = text("query")
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("command="))
            .map(|pair| match pair.split_once('=') {
                Some((name @ ("resourceVersion" | "sinceTime" | "continue"), _)) => {
                    format!("{name}=*")
                }
                _ => pair.to_owned(),
            })
            .collect();
        format!("{} {path}?{}", text("method"), query.join("&"))
    }

    /// What kind of request it is: `PATCH apps/v1/deployments/*`.
    pub fn kind(&self) -> String {
        let path = self.0["path"].as_str().unwrap();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let (group, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return format!("{} {path}", self.0["method"].as_str().unwrap()),
        };
        let rest = match rest {
            ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
            rest => rest,
        };
        let rest: Vec<&str> = rest
            .iter()
            .enumerate()
            .map(|(at, part)| if at == 1 { "*" } else { part })
            .collect();
        format!(
            "{} {group}/{}",
            self.0["method"].as_str().unwrap(),
            rest.join("/")
        )
    }
}

/// A text without the names that controllers and clouds give to pods and nodes.
pub fn nameless(text: &str) -> String {
    // The letters and digits that Kubernetes draws from, without vowels.
    const DRAWN: &str = "[b-df-hj-np-tv-z0-9]";
    let pods = format!(r"\b([a-z][a-z0-9-]*?)-{DRAWN}{{6,10}}-{DRAWN}{{5}}\b");
    let pods = regex_lite::Regex::new(&pods).unwrap();
    let uids = regex_lite::Regex::new(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    pods.replace_all(&uids.replace_all(text, "UID"), "$1-*")
        .into_owned()
}
