//! Compares the clocks of API, database and machine.

use chrono::TimeDelta;

use crate::sync::Failure;
use crate::time::clock::Skew;

use super::finding::Finding;

pub(super) fn of_api(ahead: TimeDelta) -> Finding {
    const MEANS: &str = "the newest interactions come that much later: nothing is read beyond what both clocks \
                         have passed";
    const REMEDY: &str = "set this machine's clock, as by NTP";
    let found = found("the API's", ahead);
    match Skew::of(ahead) {
        Skew::Small => Finding::ok("clocks", found),
        Skew::Notable => Finding::warning("clocks", found).means(MEANS).remedy(REMEDY),
        Skew::Large => Finding::failed("clocks", found, Failure::Other)
            .means(MEANS)
            .remedy(REMEDY),
    }
}

pub(super) fn of_database(ahead: TimeDelta) -> Finding {
    const CHECK: &str = "database clock";
    const REMEDY: &str = "set the clocks of this machine and of the database's, as by NTP";
    let found = found("the database's", ahead);
    let means = if ahead < TimeDelta::zero() {
        "interactions are loaded that much later: nothing is read beyond what the database's clock has passed"
    } else {
        "the lag that status and the page show is that much too large"
    };
    match Skew::of(ahead) {
        Skew::Small => Finding::ok(CHECK, found),
        Skew::Notable => Finding::warning(CHECK, found).means(means).remedy(REMEDY),
        Skew::Large => Finding::failed(CHECK, found, Failure::Other)
            .means(means)
            .remedy(REMEDY),
    }
}

fn found(whose: &str, ahead: TimeDelta) -> String {
    let direction = if ahead < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    format!(
        "{whose} clock is {} s {direction} ours",
        ahead.num_seconds().abs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_minute_is_nothing_five_minutes_are_worth_a_word_and_more_has_to_be_mended() {
        for (seconds, level) in [
            (0, Level::Ok),
            (60, Level::Ok),
            (-60, Level::Ok),
            (61, Level::Warning),
            (-300, Level::Warning),
            (301, Level::Failed),
            (-3_600, Level::Failed),
        ] {
            let ahead = TimeDelta::seconds(seconds);
            assert_eq!(of_api(ahead).status, level, "{seconds}");
            assert_eq!(of_database(ahead).status, level, "{seconds}");
        }
    }

    #[test]
    fn what_a_databases_clock_does_depends_on_its_direction() {
        let behind = of_database(TimeDelta::hours(-1));
        assert_eq!(behind.found, "the database's clock is 3600 s behind ours");
        assert!(behind.means.unwrap().contains("later"));
        let ahead = of_database(TimeDelta::hours(1));
        assert_eq!(ahead.found, "the database's clock is 3600 s ahead of ours");
        assert!(ahead.means.unwrap().contains("lag"));
    }
}
