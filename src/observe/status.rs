//! The state of all accounts as text: what `status` prints and `/` answers.

use std::fmt::Write;

use chrono::TimeDelta;

use crate::load::status::AccountStatus;

use super::instant;

/// The accounts one below the other, or what to do where there are none.
pub fn render_status(accounts: &[AccountStatus]) -> String {
    if accounts.is_empty() {
        return "No account has been loaded yet. Run `smartassist-etl sync`.\n".to_owned();
    }
    accounts.iter().map(render_account).collect::<Vec<_>>().join("\n")
}

fn render_account(account: &AccountStatus) -> String {
    let holes = match account.holes {
        0 => "none".to_owned(),
        1 => "1 stretch before the newest loaded instant is missing".to_owned(),
        holes => format!("{holes} stretches before the newest loaded instant are missing"),
    };
    let gaps = match account.gaps {
        0 => "none".to_owned(),
        gaps => format!("{gaps}, see smartassist_sync.gaps: the API shows not all of their records"),
    };
    let last_run = match (
        &account.last_run_kind,
        &account.last_run_status,
        account.last_run_started_at,
    ) {
        (Some(kind), Some(status), Some(at)) => format!("{kind} {status}, began {}", instant(at)),
        _ => "none yet".to_owned(),
    };
    let rows = [
        ("complete through", complete_through(account)),
        ("lag", span(account.lag_seconds)),
        ("loaded from", instant(account.start_from)),
        ("holes", holes),
        ("gaps", gaps),
        ("interactions", account.interactions.to_string()),
        ("rejected, waiting", account.rejected_waiting.to_string()),
        ("last run", last_run),
        (
            "last error",
            account
                .last_run_error
                .clone()
                .unwrap_or_else(|| "none".to_owned()),
        ),
        (
            "worker now",
            account.lease_holder.clone().unwrap_or_else(|| "none".to_owned()),
        ),
    ];
    let mut text = format!("{} ({})\n", account.name, account.account_id);
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<18} {value}");
    }
    text
}

/// A watermark where it began says that the first window is still to come.
fn complete_through(account: &AccountStatus) -> String {
    if account.watermark > account.start_from {
        instant(account.watermark)
    } else {
        format!("nothing yet, wanted from {}", instant(account.start_from))
    }
}

/// Two units at most: `3 d 4 h`, `5 min 2 s`.
pub fn span(seconds: i64) -> String {
    let span = TimeDelta::seconds(seconds.max(0));
    let units = [
        (span.num_days(), "d"),
        (span.num_hours() % 24, "h"),
        (span.num_minutes() % 60, "min"),
        (span.num_seconds() % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown: Vec<String> = units[first..]
        .iter()
        .take(2)
        .filter(|(count, _)| *count > 0 || first == 3)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_shown_in_two_units() {
        assert_eq!(span(0), "0 s");
        assert_eq!(span(302), "5 min 2 s");
        assert_eq!(span(273_600), "3 d 4 h");
        assert_eq!(span(86_400), "1 d");
        assert_eq!(span(-5), "0 s");
    }
}
