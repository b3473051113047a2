//! Turning what is wanted and not read yet into windows, and driving them through: extract,
//! transform, load.

mod clean_up;
mod comparison;
mod density;
mod drain;
mod drive;
mod erase;
mod failure;
mod headway;
mod history;
mod horizon;
mod identity;
mod inside;
mod job;
mod lease;
mod liveness;
mod pages;
mod parts;
mod pass;
mod plan;
mod probe;
mod replay;
mod report;
mod retry;
mod run;
mod statistics;
mod time_zone;
mod traits;
mod verify;
mod window;
mod work;

pub use comparison::{DayComparison, Method};
pub use erase::{Erasure, erase};
pub use headway::Headway;
pub use job::Job;
pub use liveness::{Liveness, stalled_after};
pub use plan::head;
pub use probe::{Probe, Reached, probe, reach, reach_week, worth_probing};
pub use replay::{Replay, Replayed};
pub use report::{Failure, Problem, RunReport};
pub use retry::{Retry, RetryReport};
pub use run::{AccountWorker, WorkerSettings, kept_from};
pub use time_zone::{TimeZoneVerdict, Witness};
pub use traits::{ApiTraits, NumResults, OffsetUnit, Range};
pub use verify::Verification;
