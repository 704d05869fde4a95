//! The direction of imports (design §2), and the habits no lint of the compiler knows.
//!
//! Each rule is a function from sources to complaints. One test runs it over the workspace, and
//! one over a planted violation: a rule that finds nothing there proves nothing here.

mod bans;
mod conforming;
mod controls;
mod habits;
mod modules;
mod rings;
