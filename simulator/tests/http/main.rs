//! The simulator as a client sees it, over real HTTP.

#[cfg(test)]
mod behaviour;
#[cfg(test)]
mod client;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod faults;
mod hold;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod program;
#[cfg(test)]
mod records;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod sign_in;
