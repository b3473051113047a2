//! Whole runs: from the simulated API into tables.

mod absence;
mod backfill;
mod catch_up;
mod completeness;
mod concurrency;
mod erase;
mod erase_again;
mod erase_spellings;
mod grid;
mod idempotence;
mod idle;
mod interruption;
mod overflow;
mod paging;
mod past;
mod placeholders;
mod refresh;
mod replay;
mod retention;
mod set_aside;
mod settled;
mod statistics;
mod trouble;
mod verify;
mod verify_books;
mod zone;
