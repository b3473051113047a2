//! The time, passed in; stretches of it; and whether somebody still gets on.

pub mod clock;
pub mod pulse;
pub mod window;
