//! The one loop: it looks, compares, announces, sends, waits; and knows no verb, no screen and no resource by name.

mod absent;
mod board;
pub mod change;
mod claim;
pub mod event;
mod failure;
mod finish;
pub mod journal;
mod patience;
mod present;
mod rest;
pub mod run;
mod send;
pub mod state;
pub mod tasks;
mod worker;
