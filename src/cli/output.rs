use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use super::process::CommandError;

pub(super) const OK: Style = AnsiColor::Green.on_default();

pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();

/// Bold for readers who cannot tell red from green.
pub(super) const FAILED: Style = AnsiColor::Red.on_default().bold();

pub(super) const HEADING: Style = Style::new().bold();

const SEQUENCES: [&str; 5] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

/// Also when piped.
const COLUMNS: usize = 80;

pub(super) fn print_report(
    as_json: bool,
    report: &impl Serialize,
    to_text: impl FnOnce() -> String,
) -> Result<(), CommandError> {
    if as_json {
        print(&(serde_json::to_string_pretty(report).map_err(CommandError::other)? + "\n"))
    } else {
        print(&to_text())
    }
}

/// A closed pipe is no error.
pub(super) fn print(text: &str) -> Result<(), CommandError> {
    let text = printable(text);
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::other(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Removes control and direction characters, because data may come from anybody.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let style = SEQUENCES.iter().find(|sequence| rest.starts_with(**sequence));
        let (part, after) = rest.split_at(style.map_or(next.len_utf8(), |sequence| sequence.len()));
        if style.is_some() || !is_obeyed(next) {
            printable.push_str(part);
        }
        rest = after;
    }
    printable
}

fn is_obeyed(c: char) -> bool {
    let is_of_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_of_direction || (c.is_control() && !matches!(c, '\n' | '\t'))
}

pub(super) fn painted(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The first line is not indented; long words stay whole.
pub(super) fn hanging(text: &str, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let options = Options::new(COLUMNS)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
        .initial_indent(&indent)
        .subsequent_indent(&indent);
    let words: Vec<&str> = text.split_whitespace().collect();
    textwrap::fill(&words.join(" "), options).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_left_out() {
        for (text, shown) in [
            ("\u{1b}]0;pwned\u{7}\u{1b}[2Jx", "]0;pwned[2Jx"),
            ("a\r\u{8}b\u{7f}\0c", "abc"),
            ("\u{9b}2J\u{85}", "2J"),
            ("\u{202e}gpj.exe\u{2069}\u{200f}\u{61c}", "gpj.exe"),
            ("\u{1b}[41mred\u{1b}[5m", "[41mred[5m"),
            ("line\n\tnext: é, 日本", "line\n\tnext: é, 日本"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn our_own_colours_stay() {
        let painted = painted(FAILED, "x") + &painted(OK, "y");
        assert_eq!(printable(&(painted.clone() + "\u{1b}[5mz")), painted + "[5mz");
    }

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

    #[test]
    fn long_text_is_wrapped_between_words_within_80_columns() {
        let text = "windows ".repeat(30);
        let laid_out = format!("{:<9}{}", "failed", hanging(&text, 9));
        let widths: Vec<usize> = laid_out.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 4);
        assert!(widths.iter().all(|width| *width <= COLUMNS), "{laid_out}");
        assert!(
            laid_out
                .lines()
                .skip(1)
                .all(|line| line.starts_with("         windows"))
        );
        assert_eq!(laid_out.matches("windows").count(), 30);
    }

    #[test]
    fn a_line_may_be_full_and_a_word_that_is_too_long_stays_whole() {
        let full = format!("{} {}", "a".repeat(35), "b".repeat(35));
        assert_eq!(hanging(&full, 9), full);
        assert_eq!(hanging(&full, 10).lines().count(), 2);
        let path = "/long".repeat(40);
        assert_eq!(hanging(&format!("in {path}"), 4), format!("in\n    {path}"));
        assert_eq!(hanging("", 4), "");
    }
}
