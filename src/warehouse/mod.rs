//! The rows: compare, write, judge what is missing, set aside, erase, rebuild, delete. Knows SQL alone.
//!
//! Functions take a connection or a pool; who calls them owns the transaction. The one exception
//! is [`commit_window`], which is the transaction that everything hangs on.

mod ages;
pub mod aside;
pub mod bulk;
mod columns;
mod commit;
pub mod compare;
pub mod days;
mod drift;
pub mod erase;
mod interactions;
pub mod left_out;
mod missing;
pub mod moved;
mod rejected;
mod renamed;
pub mod replay;
pub mod retention;
pub mod siblings;
pub mod statistics;
mod stored;
mod tables;

pub use commit::{Committed, WindowCommit, commit_window};
