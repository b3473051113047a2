//! A stateful model of the SmartAssist `interactionDetails` API over real HTTP.
//!
//! It enforces every documented limit (7 days, 100 records a page, page offset 10, requests a minute) and has a knob
//! for every question that the vendor's pages leave open: what the range filters on, whether its end is inclusive,
//! what `numResults` counts, what `offset` counts, which order rows come in. Faults of the API and of the network are
//! injected on demand, down to a TCP reset in the middle of a body.
//!
//! Start one with [`Simulator::start`], change what it serves through [`Simulator::world`].

mod answer;
mod arrivals;
mod clock;
mod connection;
mod control;
mod deliver;
mod destination;
mod dice;
mod endpoint;
mod fault;
mod fault_queue;
mod filter;
mod generate;
mod gzip_bomb;
mod http_date;
mod interaction;
mod json;
mod mutation;
mod options;
mod quirks;
mod rate;
mod render;
mod render_destination;
mod render_meta;
mod request;
mod request_log;
mod seed;
mod select;
mod server;
mod shapes;
mod signin;
mod spelling;
mod store;
mod world;

pub use destination::{Agent, AgentSegment, Callback, Consultation, Destination, QueueEntry, Snooze};
pub use fault::{Fault, FaultKind, When};
pub use interaction::{
    Campaign, Channel, Conversation, Customer, Direction, Interaction, MetaInfo, Skill, Survey, SurveyKind,
    Tag, Text,
};
pub use mutation::{Change, Mutation};
pub use options::{
    Algorithm, Basis, Behaviour, Credentials, End, Limits, NumResults, OffsetUnit, Options, Order,
    PastOffset, RetryAfter,
};
pub use quirks::{Charset, NoData, PastEnd, Quirks, Range, TooOld};
pub use request_log::{Counters, RequestRecord};
pub use seed::{Rhythm, Seed};
pub use server::Simulator;
pub use spelling::Spelling;
pub use world::World;
