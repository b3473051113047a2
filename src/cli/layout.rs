//! Wraps text at 80 columns, also when piped.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

pub(super) const COLUMNS: usize = 80;

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
    fn long_text_is_broken_between_words_and_stays_within_80_columns() {
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
