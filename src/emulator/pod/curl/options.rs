//! What a curl command line asks for.

use std::net::IpAddr;
use std::time::Duration;

/// What `-f` and `--fail-with-body` make of an HTTP status from 400 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Nothing: it is an answer like any other.
    #[default]
    Takes,
    /// Exit code 22, and no body.
    Fails,
    /// Exit code 22, and the body.
    FailsWithBody,
}

/// Where a connection goes instead: `host:port` of the URL (each empty for any), then where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detour {
    /// The URL's host; empty for any.
    pub host: String,
    /// The URL's port; none for any.
    pub port: Option<u16>,
    /// The host or address; empty for the same.
    pub to: String,
    /// The port; none for the same.
    pub to_port: Option<u16>,
}

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// What to get.
    pub urls: Vec<String>,
    /// Where to write it, one for each URL; the output for those that have none.
    pub outputs: Vec<String>,
    /// `-s`.
    pub silent: bool,
    /// `-S`.
    pub show_error: bool,
    /// `-v`.
    pub verbose: bool,
    /// `-I`.
    pub head: bool,
    /// `-i`.
    pub include: bool,
    /// `-D`.
    pub dump_header: Option<String>,
    /// `-w`.
    pub write_out: Option<String>,
    /// `-X`.
    pub method: Option<String>,
    /// `-H`, in order.
    pub headers: Vec<String>,
    /// `-A`.
    pub agent: Option<String>,
    /// `-e`.
    pub referer: Option<String>,
    /// `-b`.
    pub cookie: Option<String>,
    /// `-u`.
    pub user: Option<String>,
    /// `--compressed`.
    pub compressed: bool,
    /// `-k`.
    pub insecure: bool,
    /// `--http1.1` and `--http1.0`: no HTTP/2 over TLS.
    pub http1: bool,
    /// `-m`.
    pub max_time: Option<Duration>,
    /// `--connect-timeout`.
    pub connect_timeout: Option<Duration>,
    /// `--resolve`: host, port, address; as written, for `-v`.
    pub resolve: Vec<(String, u16, IpAddr)>,
    /// `--connect-to`.
    pub connect_to: Vec<Detour>,
    /// `-f`, `--fail-with-body`.
    pub on_error: OnError,
    /// `--fail-early`.
    pub fail_early: bool,
    /// `-d` and its like, joined.
    pub data: Option<String>,
    /// `-G`.
    pub get: bool,
    /// `-V`.
    pub version: bool,
    /// Files that were to be read. There are none.
    pub missing_files: Vec<String>,
}

/// A command line that curl refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What curl writes to its errors.
    pub message: String,
    /// curl's exit code.
    pub code: u8,
}
