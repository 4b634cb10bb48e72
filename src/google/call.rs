//! One request to an API, as data. Its meaning is the caller's concern; whether it may be sent twice is stated here.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;

use super::Api;

/// A request. Created with [`Call::get`] and the like, then refined: `Call::post(api, path).query(k, v).json(body)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The API that is called.
    pub api: Api,
    /// The HTTP method.
    pub method: Method,
    /// The path: relative to the API's base, already percent-encoded, without a leading slash. For compute
    /// `projects/p/global/networks`, for most others `v1/projects/p/...`.
    pub path: String,
    /// The query parameters, not yet encoded.
    pub query: Vec<(String, String)>,
    /// The request body.
    pub body: Body,
    /// Whether sending it twice has the same effect as sending it once. True for GET, PUT and DELETE; for POST and
    /// PATCH only if the caller states it: the request has a request id, or the call only reads (`:getIamPolicy`).
    pub repeatable: bool,
}

/// The body of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// No body.
    Empty,
    /// JSON, verbatim.
    Json(Value),
    /// The bytes of an object. Sent to the API's upload path under `/upload/`.
    Upload {
        /// The media type.
        content_type: String,
        /// The content.
        bytes: Vec<u8>,
    },
}

/// The characters of a name that stay unencoded in a path. `*` is encoded, as in gcloud: `*.gcr.io.` is
/// `%2A.gcr.io.`.
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

/// How long the server may hold `operations.wait`, with some margin for the answer to arrive. The documented limit is
/// two minutes.
const HELD: std::time::Duration = std::time::Duration::from_secs(150);
/// Every other call is answered within seconds; after a silent minute the connection is dead.
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

    /// A call that reads.
    pub fn get(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::GET, path, true)
    }

    /// A call that creates or acts; not repeatable unless [`Call::repeatable`] is called.
    pub fn post(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::POST, path, false)
    }

    /// A call that replaces the whole resource.
    pub fn put(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::PUT, path, true)
    }

    /// A call that changes a part of the resource; not repeatable unless [`Call::repeatable`] is called.
    pub fn patch(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::PATCH, path, false)
    }

    /// A call that deletes.
    pub fn delete(api: Api, path: impl Into<String>) -> Call {
        Call::new(api, Method::DELETE, path, true)
    }

    /// Adds a query parameter; name and value are encoded when the call is sent.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Call {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(mut self, body: Value) -> Call {
        self.body = Body::Json(body);
        self
    }

    /// Sets the bytes of an object as the body, and `uploadType=media`, which states that the body contains nothing
    /// else.
    #[must_use]
    pub fn upload(mut self, content_type: impl Into<String>, bytes: Vec<u8>) -> Call {
        self.body = Body::Upload {
            content_type: content_type.into(),
            bytes,
        };
        self.query("uploadType", "media")
    }

    /// Declares that sending it twice has the same effect as sending it once.
    #[must_use]
    pub fn repeatable(mut self) -> Call {
        self.repeatable = true;
        self
    }

    /// The time limit for an answer.
    pub(super) fn patience(&self) -> std::time::Duration {
        if self.api == Api::Compute && self.path.ends_with("/wait") {
            HELD
        } else {
            ANSWERED
        }
    }
}

/// The method and the address at Google's own host, without the query: `GET dns.googleapis.com/dns/v1/projects/p`. An
/// endpoint override does not change it, so that the printed form can be compared with Google's documentation.
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
