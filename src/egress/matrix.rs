//! Who reaches what: many callers, many requests.

use std::thread;

use serde::Serialize;

use super::account::{Failure, Got};
use super::object::Object;
use super::request::{Request, Source};
use super::scene::Scene;
use super::walk::Stage;

/// What a caller gets, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Brief {
    /// An answer with this status.
    Status(u16),
    /// None.
    Failure(Failure),
}

impl From<&Got> for Brief {
    fn from(got: &Got) -> Brief {
        match got {
            Got::Answer(answer) => Brief::Status(answer.status),
            Got::Failure(failure) => Brief::Failure(*failure),
        }
    }
}

/// What one caller gets of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// What it gets.
    pub got: Brief,
    /// Whether nothing on the way stopped it: the answer is the server's.
    pub reaches: bool,
    /// The object that stopped it; none where nothing did, or a default.
    pub by: Option<Object>,
}

impl Scene {
    /// What each caller gets of each request, a row a caller; the requests' own callers are passed over.
    ///
    /// What a proxy sees and which policies concern a caller is made out once, not once a cell.
    pub fn matrix(&self, callers: &[Source], requests: &[Request]) -> Vec<Vec<Cell>> {
        let hands = thread::available_parallelism().map_or(1, usize::from);
        let share = callers.len().div_ceil(hands).max(1);
        thread::scope(|scope| {
            let shares = callers.chunks(share);
            let working: Vec<_> = shares
                .map(|callers| scope.spawn(|| self.rows(callers, requests)))
                .collect();
            // A thread that panics panics here too.
            let rows = working.into_iter().map(|each| match each.join() {
                Ok(rows) => rows,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            rows.flatten().collect()
        })
    }

    fn rows(&self, callers: &[Source], requests: &[Request]) -> Vec<Vec<Cell>> {
        let stage = Stage::new(self, false);
        let row = |source: &Source| {
            let pod = self.pod(source);
            let cell = |request: &Request| {
                let account = stage.account_of(&pod, request);
                let stopped = account.stopped_at();
                Cell {
                    reaches: stopped.is_none(),
                    by: stopped.and_then(|hop| hop.ruling.by.clone()),
                    got: Brief::from(&account.got),
                }
            };
            requests.iter().map(cell).collect()
        };
        callers.iter().map(row).collect()
    }
}
