//! Stored rows. Functions on a connection run in the caller's transaction.

mod batch;
pub mod bulk;
mod commit;
pub mod compare;
pub mod days;
pub mod erase;
pub mod facts;
pub mod interactions;
pub mod left_out;
mod missing;
pub mod moved;
pub mod rejections;
pub mod replay;
pub mod reporting;
pub mod siblings;

pub use commit::{Committed, WindowCommit, commit_window};
