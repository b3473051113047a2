//! Stored rows. Functions on a connection run in the caller's transaction.

mod ages;
mod batch;
pub mod bulk;
mod commit;
pub mod compare;
pub mod days;
mod drift;
pub mod erase;
pub mod facts;
mod interactions;
pub mod left_out;
mod missing;
pub mod moved;
mod refused;
mod rejected;
pub mod rejections;
mod renamed;
pub mod replay;
pub mod reporting;
pub mod retention;
pub mod siblings;
mod stored;

pub use commit::{Committed, WindowCommit, commit_window};
