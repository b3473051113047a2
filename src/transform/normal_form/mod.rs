mod characters;
mod email;
mod id;
mod phone;

pub use email::{emails, mentions_email};
pub use id::{folded, id, mentions_id, number_text, user_id};
pub use phone::{mentions_phone, phone_of_id, phones};

/// Stored with erasures, which hash the normal form. Raise it when a form changes, and keep comparing the old
/// one.
pub const VERSION: i16 = 1;
