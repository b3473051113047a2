use chrono_tz::Tz;

use super::section::{Section, settings};

const A_TIME_ZONE: &str = "the IANA name of a time zone, as in Europe/Berlin or America/New_York";

/// Numbers of ISO 8601.
const DAYS: [(&str, i32); 7] = [
    ("monday", 1),
    ("tuesday", 2),
    ("wednesday", 3),
    ("thursday", 4),
    ("friday", 5),
    ("saturday", 6),
    ("sunday", 7),
];

settings! {
    Reporting {
        time_zone: Tz = time_zone("time_zone");
        /// Longest wait within target.
        service_level_seconds: i32 = integer("service_level_seconds", 1..=86_400);
        /// Longest wait of a short abandon.
        short_abandon_seconds: i32 = integer("short_abandon_seconds", 0..=86_400);
        /// A customer who was helped does not come back within these.
        repeat_contact_days: i32 = integer("repeat_contact_days", 1..=366);
        /// 1 for Monday to 7 for Sunday.
        week_starts_on: i32 = required_choice("week_starts_on", &DAYS);
        /// Whose values the views of `smartassist_bi` show.
        shown_tags: Vec<String> = list("shown_tags");
    }
}

impl Section<'_> {
    fn time_zone(&mut self, key: &str) -> Option<Tz> {
        self.required(key, A_TIME_ZONE, |text| text.parse().ok())
    }
}
