//! What the tests share: users of the program, emulated clouds and clusters, and what stands between them.

pub mod breaks;
pub mod certified;
pub mod changed_steps;
pub mod cloud;
pub mod dice;
pub mod discovery;
pub mod emulator;
pub mod faults;
pub mod faulty;
pub mod kill;
pub mod kubernetes;
pub mod methods;
pub mod middle;
pub mod mutation;
pub mod program;
pub mod readme;
pub mod refusing;
pub mod rehearsal;
pub mod rewriting;
pub mod session;
pub mod source;
pub mod terminal;
pub mod vt;
pub mod webhook;
pub mod wire;
