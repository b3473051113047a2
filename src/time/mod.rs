pub mod clock;
pub mod window;
