//! Account credentials.

use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};

use crate::config::Secret;
use crate::config::section::Section;

/// Signs requests.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A JWT we sign.
    Mint {
        /// Sent as `appId`.
        client_id: String,
        /// Shared secret (HS*) or PEM private key (RS*).
        client_secret: Secret,
        /// The app's algorithm.
        algorithm: Algorithm,
    },
    /// A ready JWT.
    Token(Secret),
}

const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("HS256", Algorithm::HS256),
    ("HS512", Algorithm::HS512),
    ("RS256", Algorithm::RS256),
    ("RS512", Algorithm::RS512),
];

impl Credentials {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let client_id = section.text("client_id");
        let client_secret = section.secret("client_secret");
        let token = section.secret("token");
        let algorithm = section.required_choice("jwt_algorithm", &ALGORITHMS);
        let (key, problem) = match (client_id?, client_secret?, token?) {
            (Some(client_id), Some(client_secret), None) => {
                let algorithm = algorithm?;
                if can_sign(&client_secret, algorithm) {
                    return Some(Self::Mint {
                        client_id,
                        client_secret,
                        algorithm,
                    });
                }
                let problem = "must be an RSA private key in PEM form, as jwt_algorithm says RS256 or RS512";
                ("client_secret", problem)
            }
            (None, None, Some(token)) => return Some(Self::Token(token)),
            (_, _, Some(_)) => (
                "token",
                "is given beside client_id or client_secret: keep one of the two ways",
            ),
            (None, None, None) => (
                "client_id",
                "is required with client_secret, or else token (each secret also as <key>_file)",
            ),
            (Some(_), None, None) => (
                "client_secret",
                "is required beside client_id (or client_secret_file)",
            ),
            (None, Some(_), None) => ("client_id", "is required beside client_secret"),
        };
        section.invalid(key, problem)
    }

    /// Signing key.
    ///
    /// # Errors
    /// An RS* secret is not PEM.
    pub fn signing_key(algorithm: Algorithm, secret: &SecretString) -> Result<EncodingKey, Error> {
        let secret = secret.expose_secret().as_bytes();
        match algorithm {
            Algorithm::RS256 | Algorithm::RS512 => EncodingKey::from_rsa_pem(secret),
            _ => Ok(EncodingKey::from_secret(secret)),
        }
    }
}

/// Bad keys fail only when signing.
fn can_sign(secret: &Secret, algorithm: Algorithm) -> bool {
    secret.read().is_ok_and(|secret| {
        let key = Credentials::signing_key(algorithm, &secret);
        key.and_then(|key| jsonwebtoken::encode(&Header::new(algorithm), &"", &key))
            .is_ok()
    })
}
