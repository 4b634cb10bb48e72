//! Every wait: conditions that others bring about and that later steps need. A wait is a `static` in its own file.

use super::wait::Wait;
use super::{definitions, mesh, nodes_ready, pods, ready, revision};

/// Every wait.
pub static WAITS: [&Wait; 6] = [
    &mesh::WAIT,
    &revision::WAIT,
    &definitions::WAIT,
    &nodes_ready::WAIT,
    &pods::WAIT,
    &ready::WAIT,
];
