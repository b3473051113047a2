//! Output of commands.

use std::io::{ErrorKind, Write};

use super::exit::CommandError;
use super::paint::SEQUENCES;

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
        let colour = SEQUENCES.iter().find(|colour| rest.starts_with(**colour));
        let taken = colour.map_or(next.len_utf8(), |colour| colour.len());
        let (part, after) = rest.split_at(taken);
        if colour.is_some() || !is_obeyed(next) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::{FAILED, OK, painted};

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
}
