//! The one normal form of ids, phone numbers and e-mail addresses: two texts name the same where
//! their normal forms are equal.
//!
//! Nothing here knows which field a text stands in. A text may hold several phone numbers and
//! addresses (`a@example.com; b@example.com`), so the readers of those give sets.

mod characters;
mod email;
mod id;
mod phone;

pub use email::{emails, mentions_email};
pub use id::{folded, id, mentions_id, number_text, user_id};
pub use phone::{mentions_phone, phone_of_id, phones};

/// The version of these forms, as `smartassist_sync.erasures` has it. To be raised when a value gets
/// another normal form than before; what was hashed by an older form must then still be recognized
/// (`privacy::old_form`).
pub const VERSION: i16 = 2;
