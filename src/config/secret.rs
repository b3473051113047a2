//! Secrets: values that never show in logs, errors or `Debug` output.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

/// A secret, or the file that holds it.
///
/// A file is read at each use, so that a rotated secret is picked up without a restart.
#[derive(Debug, Clone)]
pub enum Secret {
    /// Given directly, in the configuration file or the environment.
    Inline(SecretString),
    /// Given as `<key>_file`.
    File(PathBuf),
}

/// A secret's file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file {path}")]
    Unreadable {
        /// The file that was named.
        path: PathBuf,
        /// Why it could not be read.
        source: std::io::Error,
    },
    /// The file is empty or only white space.
    #[error("the secret file {path} is empty")]
    Empty {
        /// The file that was named.
        path: PathBuf,
    },
}

impl Secret {
    /// The secret's present value. White space around a file's content is not part of it.
    ///
    /// # Errors
    /// The file cannot be read, or is empty.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map(SecretString::from)
                    .map_err(|source| SecretError::Unreadable {
                        path: path.clone(),
                        source,
                    })?;
                let trimmed = text.expose_secret().trim();
                if trimmed.is_empty() {
                    return Err(SecretError::Empty { path: path.clone() });
                }
                Ok(SecretString::from(trimmed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let secret = Secret::Inline(SecretString::from("hunter2"));
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn white_space_around_a_files_secret_is_dropped() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "  s3cret\n").unwrap();
        let secret = Secret::File(file.path().to_owned()).read().unwrap();
        assert_eq!(secret.expose_secret(), "s3cret");
    }

    #[test]
    fn an_empty_secret_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Secret::File(file.path().to_owned()).read().unwrap_err();
        assert!(error.to_string().ends_with("is empty"), "{error}");
    }
}
