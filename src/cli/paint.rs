//! Colours for terminals.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

pub(super) const OK: Style = AnsiColor::Green.on_default();

pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();

/// Bold for readers who cannot tell red from green.
pub(super) const FAILED: Style = AnsiColor::Red.on_default().bold();

pub(super) const HEADING: Style = Style::new().bold();

/// All escape sequences of these styles.
pub(super) const SEQUENCES: [&str; 5] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

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
