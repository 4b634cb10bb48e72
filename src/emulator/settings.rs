//! How an emulator runs.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::pace::Pace;

/// The settings of an emulator.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen: an address on loopback; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The state file. Without one, the state is lost when the emulator ends.
    pub state: Option<PathBuf>,
    /// The identity of a state that does not exist yet; without one, a new identity is made.
    pub identity: Option<String>,
    /// How long things take.
    pub pace: Pace,
}
