//! An answer of a cluster's API, before it becomes HTTP.

use serde_json::Value;

use super::exec::Run;
use super::log::Tail;
use super::watch::Watch;

/// An answer.
#[derive(Debug, Clone)]
pub enum ApiReply {
    /// An object or a list.
    Object {
        /// The HTTP code.
        code: u16,
        /// The body.
        body: Value,
        /// Warnings for the client, a `Warning` header each.
        warnings: Vec<String>,
    },
    /// A document that is not an object.
    Document {
        /// The content type.
        content_type: &'static str,
        /// The body.
        body: String,
        /// Whether the client may cache it for ever, because it never changes under this address.
        keep: bool,
    },
    /// A path without a handler: the server's text, and no object.
    Nowhere,
    /// A stream of changes.
    Watch(Box<Watch>),
    /// A container's log.
    Log(Tail),
    /// A command in a container: the connection becomes a WebSocket.
    Exec(Run),
}

impl ApiReply {
    /// 200 with an object.
    pub fn ok(body: Value) -> ApiReply {
        ApiReply::Object {
            code: 200,
            body,
            warnings: Vec::new(),
        }
    }

    /// 201 with an object.
    pub fn created(body: Value, warnings: Vec<String>) -> ApiReply {
        ApiReply::Object {
            code: 201,
            body,
            warnings,
        }
    }
}
