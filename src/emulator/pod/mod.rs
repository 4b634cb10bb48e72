//! The programs of emulated pods: what `kubectl exec` runs there.
//!
//! No program runs. Each is played from its command line and from what the network makes of its requests, which is evaluated
//! over the objects that are there ([`crate::egress`]); what one does is data ([`run::Ran`]), played by whoever has the clock.

pub mod curl;
pub mod run;
