//! The loop of every run: read, compare, announce, send, wait. It depends on no verb, no screen and no particular resource.

pub mod absence;
mod absent;
pub mod adopt;
pub mod change;
mod check;
mod desired;
pub mod entry;
pub mod event;
pub mod event_log;
pub mod evidence;
pub mod failure;
mod finish;
mod intent;
pub mod journal;
mod left_behind;
mod lookup;
pub mod obstacle;
mod ownership;
pub mod planned;
mod present;
pub mod private;
mod prune;
pub mod replace;
pub mod replacement;
pub mod replay;
mod retry_policy;
pub mod run;
mod scheduler;
mod send;
pub mod state;
#[cfg(test)]
mod state_tests;
pub mod task;
pub mod tasks;
mod wait;
mod worker;
