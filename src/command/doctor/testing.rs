//! What the tests of several checks use.

use crate::google::{ApiError, Class};

/// A refusal of this class.
pub fn refused(class: Class) -> ApiError {
    ApiError {
        class,
        ..ApiError::unsent("GET x", "it is refused.")
    }
}
