//! What may go wrong, and what must come out: `docs/faults.md` says which test is for which fault.

mod accounts;
mod ahead;
mod api;
mod clock;
mod conflicts;
mod data;
mod dice;
mod garbage;
mod kills;
mod kinds;
mod network;
mod password;
mod pooler;
mod postgres;
mod process;
mod proxy;
mod replicas;
mod schema;
mod silence;
mod soak;
mod stall;
mod storm;
mod tls;
mod trial;
mod watch;
mod watchdog;
