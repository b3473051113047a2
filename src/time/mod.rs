pub mod clock;
pub mod pulse;
pub mod window;
