use chrono::TimeDelta;

use crate::ledger::problems::Severity;
use crate::time::clock::Skew;

use super::finding::Finding;

pub(super) fn of_api(ahead: TimeDelta) -> Finding {
    let explanation =
        "the newest interactions come that much later: nothing is read beyond what both clocks have passed";
    let remedy = "set this machine's clock, for example by NTP";
    finding("API", ahead, explanation, remedy).check("clocks")
}

pub(super) fn of_database(ahead: TimeDelta) -> Finding {
    let explanation = if ahead < TimeDelta::zero() {
        "interactions are loaded that much later: nothing is read beyond what the database's clock has passed"
    } else {
        "the lag that status and the page show is that much too large"
    };
    let remedy = "set the clocks of this machine and of the database's, for example by NTP";
    finding("database", ahead, explanation, remedy).check("database clock")
}

fn finding(whose: &str, ahead: TimeDelta, explanation: &str, remedy: &str) -> Finding {
    let direction = if ahead < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    let seconds = ahead.num_seconds().abs();
    let found = format!("the {whose}'s clock is {seconds} s {direction} ours");
    let finding = Finding::new(Skew::of(ahead).into(), found);
    if finding.status == Severity::Ok {
        finding
    } else {
        finding.explanation(explanation).remedy(remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_ok_five_are_a_warning_and_more_has_failed() {
        for (seconds, status) in [
            (0, Severity::Ok),
            (60, Severity::Ok),
            (-60, Severity::Ok),
            (61, Severity::Warning),
            (-300, Severity::Warning),
            (301, Severity::Failed),
            (-3_600, Severity::Failed),
        ] {
            let ahead = TimeDelta::seconds(seconds);
            assert_eq!(of_api(ahead).status, status, "{seconds}");
            assert_eq!(of_database(ahead).status, status, "{seconds}");
        }
    }

    #[test]
    fn what_a_databases_clock_does_depends_on_its_direction() {
        let behind = of_database(TimeDelta::hours(-1));
        assert_eq!(behind.found, "the database's clock is 3600 s behind ours");
        assert!(behind.explanation.unwrap().contains("later"));
        let ahead = of_database(TimeDelta::hours(1));
        assert_eq!(ahead.found, "the database's clock is 3600 s ahead of ours");
        assert!(ahead.explanation.unwrap().contains("lag"));
    }
}
