//! The one door to Google.
