//! Credentials: where they are found (`search.rs`), what a file contains (`file.rs`), and how each kind yields tokens
//! (`credential.rs`). Nothing is kept on disk, and nothing secret is printed.

mod credential;
mod error;
mod executable;
mod external;
mod file;
mod gcloud;
mod grant;
mod hint;
mod identity;
mod key;
mod key_file;
mod metadata;
mod program;
mod provider;
mod search;

pub use error::AuthError;
pub use identity::Identity;
pub(super) use provider::{Provider, token_in_file};
pub use search::AuthFlags;
pub(super) use search::Settings;
