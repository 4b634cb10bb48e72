//! The one loop: it looks, compares, announces, sends, waits; and knows no verb, no screen and no resource by name.

mod absent;
mod account;
pub mod adopt;
mod board;
pub mod change;
mod claim;
mod entry;
pub mod event;
pub mod failure;
mod finish;
pub mod journal;
pub mod log;
mod obstacle;
mod patience;
mod present;
pub mod replay;
mod rest;
pub mod run;
mod send;
pub mod state;
pub mod tasks;
mod worker;
