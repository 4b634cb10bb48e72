//! How an emulator runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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

/// What Traffic Director does with the resources of a mesh where no record says what Google's does. Tests choose; see
/// [`crate::Running::set_mesh_cleanup`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MeshCleanup {
    /// When it withdraws what no Service asks for any more, while the cluster lives.
    pub withdrawal: Withdrawal,
    /// What becomes of what it still holds when the cluster is deleted.
    pub leftovers: Leftovers,
}

/// When Traffic Director withdraws a backend service that no Service asks for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Withdrawal {
    /// After the time in the table of durations.
    #[default]
    Usual,
    /// This much later, whatever the pace.
    After(Duration),
    /// Never.
    Never,
}

/// What becomes of a mesh's resources whose cluster is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Leftovers {
    /// They stay, and whoever may delete such resources can delete them.
    #[default]
    Deletable,
    /// Their backend services refuse deletion, and nobody collects them.
    Reserved,
    /// Their backend services refuse deletion, and Google collects one after another, each this much later than the one before.
    Collected(Duration),
}
