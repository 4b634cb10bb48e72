//! The one loop: it looks, compares, announces, sends, waits; and knows no verb, no screen and no resource by name.

mod absent;
pub mod adopt;
pub mod change;
mod check;
mod entry;
pub mod event;
pub mod event_log;
pub mod failure;
mod finish;
pub mod journal;
mod left_behind;
mod obstacle;
mod present;
pub mod replay;
mod retry_policy;
pub mod run;
mod scheduler;
mod send;
pub mod state;
#[cfg(test)]
mod state_tests;
pub mod tasks;
mod wait;
mod worker;
