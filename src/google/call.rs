//! One request to an API, as data. What it means is the caller's matter; whether it may be sent twice is said here.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;

use super::Api;

/// A request. Built by [`Call::get`] and its like, then refined: `Call::post(api, path).query(k, v).json(body)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Whom it is for.
    pub api: Api,
    /// How.
    pub method: Method,
    /// Where: relative to the API's base, already percent-encoded, without a slash in front. For compute
    /// `projects/p/global/networks`, for most others `v1/projects/p/...`.
    pub path: String,
    /// The query, not yet encoded.
    pub query: Vec<(String, String)>,
    /// What is sent along.
    pub body: Body,
    /// Sending it twice does the same as sending it once. True of GET, PUT and DELETE; of POST and PATCH only where
    /// the caller says so: a request id is given, or the call only reads (`:getIamPolicy`).
    pub repeatable: bool,
}

/// What is sent along with a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// JSON, verbatim.
    Json(Value),
    /// The bytes of an object. Goes to the API's twin path under `/upload/`.
    Upload {
        /// Its media type.
        content_type: String,
        /// Its content.
        bytes: Vec<u8>,
    },
}

/// What a name may keep in a path. `*` is encoded, as gcloud does: `*.gcr.io.` is `%2A.gcr.io.`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b':');

/// A name as one segment of a [`Call`]'s path.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, KEPT).to_string()
}

/// How long `operations.wait` may be held by the server, with room for the answer to travel. The documented limit is
/// two minutes.
const HELD: std::time::Duration = std::time::Duration::from_secs(150);
/// Everything else answers within seconds; a silent minute is a dead connection.
const ANSWERED: std::time::Duration = std::time::Duration::from_secs(60);

impl Call {
    fn new(api: Api, method: Method, path: impl Into<String>, repeatable: bool) -> Call {
        Call {
            api,
            method,
            path: path.into(),
            query: Vec::new(),
            body: Body::Empty,
            repeatable,
        }
    }

    /// Reads.
    pub fn get(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::GET, path, true)
    }

    /// Creates or acts; not repeatable unless [`Call::repeatable`] is said.
    pub fn post(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::POST, path, false)
    }

    /// Replaces whole.
    pub fn put(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::PUT, path, true)
    }

    /// Changes in part; not repeatable unless [`Call::repeatable`] is said.
    pub fn patch(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::PATCH, path, false)
    }

    /// Removes.
    pub fn delete(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::DELETE, path, true)
    }

    /// Adds a query parameter; both parts are encoded when the call is sent.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Call {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Gives it a JSON body.
    #[must_use]
    pub fn json(mut self, body: Value) -> Call {
        self.body = Body::Json(body);
        self
    }

    /// Gives it the bytes of an object as its body, and `uploadType=media`, which says that nothing else is in it.
    #[must_use]
    pub fn upload(mut self, content_type: impl Into<String>, bytes: Vec<u8>) -> Call {
        self.body = Body::Upload {
            content_type: content_type.into(),
            bytes,
        };
        self.query("uploadType", "media")
    }

    /// Says that sending it twice does the same as sending it once.
    #[must_use]
    pub fn repeatable(mut self) -> Call {
        self.repeatable = true;
        self
    }

    /// How long to wait for an answer.
    pub(super) fn patience(&self) -> std::time::Duration {
        if self.api == Api::Compute && self.path.ends_with("/wait") {
            HELD
        } else {
            ANSWERED
        }
    }
}

/// Method and address at Google's own host, without the query: `GET dns.googleapis.com/dns/v1/projects/p`. An
/// override does not change it, so that what is printed can be held against Google's documentation.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let upload = if matches!(self.body, Body::Upload { .. }) {
            "upload/"
        } else {
            ""
        };
        write!(
            f,
            "{} {}/{upload}{}{}",
            self.method,
            self.api.host(),
            self.api.base(),
            self.path
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        let cases = [
            ("*.gcr.io.", "%2A.gcr.io."),
            (
                "sa@p.iam.gserviceaccount.com",
                "sa@p.iam.gserviceaccount.com",
            ),
            ("a/b?c#d", "a%2Fb%3Fc%23d"),
            ("é %", "%C3%A9%20%25"),
        ];
        for (name, want) in cases {
            assert_eq!(segment(name), want);
        }
    }

    #[test]
    fn a_held_wait_outlasts_the_server_and_everything_else_does_not() {
        let wait = Call::post(Api::Compute, "projects/p/global/operations/o/wait");
        assert!(wait.patience() > std::time::Duration::from_secs(120));
        let elsewhere = Call::get(Api::Storage, "b/x/o/wait");
        assert_eq!(elsewhere.patience(), ANSWERED);
    }
}
