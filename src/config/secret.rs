use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

/// Files are reread for rotation.
#[derive(Debug, Clone)]
pub enum Secret {
    Inline(SecretString),
    /// From `<key>_file`.
    File(PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read the secret file {path}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{place} {what}")]
    Unfit { place: String, what: &'static str },
}

pub(super) const A_PLACEHOLDER: &str =
    "is a placeholder (REPLACE-ME, CHANGE-ME, <…>), which everybody knows: write your own there";

impl Secret {
    /// Trimmed; neither empty nor a placeholder.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = self.text()?;
        let secret = trimmed(text.expose_secret());
        if secret.is_empty() {
            return Err(self.unfit("is empty"));
        }
        if is_placeholder(secret) {
            return Err(self.unfit(A_PLACEHOLDER));
        }
        Ok(SecretString::from(secret))
    }

    pub fn read_long(&self, shortest: usize) -> Result<SecretString, SecretError> {
        let secret = self.read()?;
        if secret.expose_secret().len() < shortest {
            return Err(self.unfit("is so short that it can be guessed"));
        }
        Ok(secret)
    }

    pub(super) fn is_trimmed(&self) -> bool {
        let Ok(text) = self.text() else { return false };
        let mut text = text.expose_secret();
        if let Self::File(_) = self {
            text = text.strip_suffix('\n').unwrap_or(text);
            text = text.strip_suffix('\r').unwrap_or(text);
        }
        trimmed(text) != text
    }

    fn text(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(SecretString::from(text)),
                Err(source) => Err(SecretError::Unreadable {
                    path: path.clone(),
                    source,
                }),
            },
        }
    }

    fn unfit(&self, what: &'static str) -> SecretError {
        let place = match self {
            Self::Inline(_) => "the secret".to_owned(),
            Self::File(path) => format!("the secret file {}", path.display()),
        };
        SecretError::Unfit { place, what }
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

pub(super) fn is_placeholder(text: &str) -> bool {
    let letters = |text: &str| {
        let letters = text.chars().filter(|c| !matches!(c, '-' | '_' | ' '));
        letters.collect::<String>().to_lowercase()
    };
    let text = text.replace("%3C", "<").replace("%3E", ">");
    let is_told_to = ["replaceme", "changeme"]
        .iter()
        .any(|word| letters(&text).starts_with(word));
    is_told_to || (text.starts_with('<') && text.ends_with('>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(text: &str) -> Secret {
        Secret::Inline(text.into())
    }

    fn file(content: impl AsRef<[u8]>) -> (tempfile::NamedTempFile, Secret) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let secret = Secret::File(file.path().to_owned());
        (file, secret)
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let secret = inline("hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn what_editors_and_shells_leave_around_a_secret_is_dropped() {
        for text in [
            "s3 cret",
            "  s3 cret\n",
            "\u{feff}s3 cret\r\n",
            "\u{a0}s3 cret\t\u{feff}\n\n",
        ] {
            let (_file, in_file) = file(text);
            for secret in [inline(text), in_file] {
                assert_eq!(secret.read().unwrap().expose_secret(), "s3 cret", "{text:?}");
            }
        }
    }

    #[test]
    fn what_was_dropped_is_known_but_for_the_end_of_a_files_line() {
        for (text, inline_is, file_is) in [
            ("s3cret", false, false),
            ("s3cret\n", true, false),
            ("s3cret\r\n", true, false),
            ("s3cret\n\n", true, true),
            ("s3cret \n", true, true),
            ("\u{feff}s3cret\n", true, true),
        ] {
            let (_file, in_file) = file(text);
            assert_eq!(
                (inline(text).is_trimmed(), in_file.is_trimmed()),
                (inline_is, file_is),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_empty_secret_is_refused() {
        let (_file, in_file) = file("\u{feff} \n");
        for secret in [inline(" \n"), in_file] {
            let error = secret.read().unwrap_err();
            assert!(error.to_string().ends_with("is empty"), "{error}");
        }
    }

    #[test]
    fn a_placeholder_is_no_secret() {
        for text in [
            "REPLACE-ME",
            "Replace_Me-With-Something",
            "replace me\n",
            "changeme",
            "CHANGE-ME-1234567890",
            "<your secret>",
            "\u{feff}<token>",
            "%3Cpassword%3E",
        ] {
            let error = inline(text).read().unwrap_err().to_string();
            assert!(error.contains("placeholder"), "{text}: {error}");
        }
        for text in ["irreplaceable-me", "a<b>", "<a", "exchangeme"] {
            assert!(inline(text).read().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_secret_that_may_not_be_short_is_measured_at_each_read() {
        let (file, secret) = file("0123456789abcdef");
        assert!(secret.read_long(16).is_ok());
        std::fs::write(file.path(), "x").unwrap();
        let error = secret.read_long(16).unwrap_err().to_string();
        assert!(error.contains("guessed"), "{error}");
    }
}
