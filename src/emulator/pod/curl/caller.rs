//! The pod that runs curl, as far as curl's requests and output depend on it.

use egress::request::Source;

/// The caller of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The pod.
    pub from: Source,
    /// Its address.
    pub address: String,
    /// Whether the output goes to a terminal.
    pub terminal: bool,
    /// The time, as a `Date` header has it.
    pub date: String,
}
