//! Colours, for those who read on a terminal.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// Whether what is printed has colours. Decided once a command, by [`Paint::of_stdout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// Text alone: for a file, a pipe, or who wants no colours.
    Plain,
    /// With the escape sequences of a terminal.
    Coloured,
}

impl Paint {
    /// As standard output takes it: a terminal has colours, unless `NO_COLOR` says otherwise
    /// (no-color.org: set, and not empty) or the terminal knows none.
    pub(super) fn of_stdout() -> Self {
        Self::fitting(std::io::stdout().is_terminal(), |name| std::env::var_os(name))
    }

    fn fitting(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let is_refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = variable("TERM").is_some_and(|terminal| terminal == "dumb");
        if is_terminal && !is_refused && !is_dumb {
            Self::Coloured
        } else {
            Self::Plain
        }
    }

    /// What is as it should be.
    pub(super) fn ok(self, text: impl Display) -> String {
        self.styled(AnsiColor::Green.on_default(), text)
    }

    /// What somebody should know.
    pub(super) fn warning(self, text: impl Display) -> String {
        self.styled(AnsiColor::Yellow.on_default(), text)
    }

    /// What has to be mended. Bold as well: not everybody tells red from green.
    pub(super) fn failed(self, text: impl Display) -> String {
        self.styled(AnsiColor::Red.on_default().bold(), text)
    }

    /// What the lines below are about.
    pub(super) fn heading(self, text: impl Display) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// All that is written before, between and after the text.
    pub(super) fn sequences(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Coloured => &["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"],
        }
    }

    fn styled(self, style: Style, text: impl Display) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Coloured => format!("{style}{text}{style:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitting(is_terminal: bool, variables: &[(&str, &str)]) -> Paint {
        Paint::fitting(is_terminal, |wanted| {
            let variable = variables.iter().find(|(name, _)| *name == wanted);
            variable.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn only_a_terminal_that_nobody_wants_plain_has_colours() {
        assert_eq!(fitting(true, &[]), Paint::Coloured);
        assert_eq!(fitting(true, &[("TERM", "xterm-256color")]), Paint::Coloured);
        assert_eq!(fitting(true, &[("NO_COLOR", "")]), Paint::Coloured);
        assert_eq!(fitting(true, &[("NO_COLOR", "1")]), Paint::Plain);
        assert_eq!(fitting(true, &[("TERM", "dumb")]), Paint::Plain);
        assert_eq!(fitting(false, &[]), Paint::Plain);
    }

    #[test]
    fn all_that_is_written_around_a_text_is_known() {
        let paint = Paint::Coloured;
        for painted in [
            paint.ok(""),
            paint.warning(""),
            paint.failed(""),
            paint.heading(""),
        ] {
            let left = paint
                .sequences()
                .iter()
                .fold(painted, |left, known| left.replace(known, ""));
            assert_eq!(left, "");
        }
    }

    #[test]
    fn colours_are_around_the_text_and_end_with_it() {
        assert_eq!(Paint::Plain.failed("failed"), "failed");
        assert_eq!(Paint::Coloured.ok("ok"), "\u{1b}[32mok\u{1b}[0m");
        let failed = Paint::Coloured.failed("failed");
        assert!(failed.contains("\u{1b}[31m") && failed.ends_with("failed\u{1b}[0m"));
    }
}
