//! Colours, for those who read on a terminal: `output::print` leaves them out for everybody else.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// What is as it should be.
pub(super) const OK: Style = AnsiColor::Green.on_default();

/// What somebody should know.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();

/// What has to be mended. Bold as well: not everybody tells red from green.
pub(super) const FAILED: Style = AnsiColor::Red.on_default().bold();

/// What the lines below are about.
pub(super) const HEADING: Style = Style::new().bold();

/// All that is written before, between and after painted text.
pub(super) const SEQUENCES: [&str; 5] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

/// The text in this style.
pub(super) fn painted(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_written_around_a_text_is_known() {
        for style in [OK, WARNING, FAILED, HEADING] {
            let around = painted(style, "");
            let left = SEQUENCES
                .iter()
                .fold(around, |left, known| left.replace(known, ""));
            assert_eq!(left, "");
        }
    }
}
