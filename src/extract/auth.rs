//! Signs each request anew, since the API may accept a `jti` only once.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Header;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::Credentials;

use super::ApiError;

const CLOCK_MARGIN: TimeDelta = TimeDelta::minutes(5);

const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(5);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    app_id: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

#[derive(Deserialize)]
struct Expiry {
    exp: i64,
}

impl Credentials {
    /// Of a configured token.
    pub fn expiry(&self) -> Option<DateTime<Utc>> {
        let Self::Token(token) = self else { return None };
        let token = token.read().ok()?;
        // Only for a warning; the API verifies it.
        let claims: Expiry = jsonwebtoken::dangerous::insecure_decode_claims(token.expose_secret()).ok()?;
        DateTime::from_timestamp(claims.exp, 0)
    }

    /// Reads files again, as they may be replaced.
    pub(super) fn token(&self, now: DateTime<Utc>) -> Result<SecretString, ApiError> {
        match self {
            Self::Token(token) => Ok(token.read()?),
            Self::Mint {
                client_id,
                client_secret,
                algorithm,
            } => {
                let claims = Claims {
                    app_id: client_id,
                    sub: client_id,
                    iat: (now - CLOCK_MARGIN).timestamp(),
                    exp: (now + CLOCK_MARGIN + TOKEN_LIFE).timestamp(),
                    jti: Uuid::new_v4().to_string(),
                };
                let secret = client_secret.read()?;
                let token = Self::signing_key(*algorithm, &secret)
                    .and_then(|key| jsonwebtoken::encode(&Header::new(*algorithm), &claims, &key));
                Ok(SecretString::from(token.map_err(ApiError::Unsigned)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    use super::*;
    use crate::config::Secret;

    fn claims(token: &SecretString, secret: &str) -> serde_json::Value {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::decode(token.expose_secret(), &key, &validation)
            .unwrap()
            .claims
    }

    fn credentials() -> Credentials {
        Credentials::Mint {
            client_id: "cs-1".to_owned(),
            client_secret: Secret::Inline("a-secret-of-32-bytes-for-hs256-!".into()),
            algorithm: Algorithm::HS256,
        }
    }

    #[test]
    fn every_token_has_a_jti_of_its_own() {
        let now = DateTime::UNIX_EPOCH;
        let ids: HashSet<String> = (0..50)
            .map(|_| {
                claims(
                    &credentials().token(now).unwrap(),
                    "a-secret-of-32-bytes-for-hs256-!",
                )["jti"]
                    .to_string()
            })
            .collect();
        assert_eq!(ids.len(), 50);
    }

    #[test]
    fn a_token_is_good_on_a_clock_five_minutes_off_and_soon_ends() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let claims = claims(
            &credentials().token(now).unwrap(),
            "a-secret-of-32-bytes-for-hs256-!",
        );
        assert_eq!(claims["appId"], "cs-1");
        assert_eq!(claims["iat"], now.timestamp() - 300);
        assert_eq!(claims["exp"], now.timestamp() + 600);
    }

    #[test]
    fn a_token_from_elsewhere_tells_when_it_runs_out() {
        assert_eq!(credentials().expiry(), None);
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let token = credentials().token(now).unwrap();
        let given = Credentials::Token(Secret::Inline(token));
        assert_eq!(given.expiry(), Some(now + TimeDelta::minutes(10)));
        let opaque = Credentials::Token(Secret::Inline("not-a-jwt".into()));
        assert_eq!(opaque.expiry(), None);
    }

    #[test]
    fn a_token_file_is_read_again_for_every_request() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let credentials = Credentials::Token(Secret::File(file.path().to_owned()));
        std::fs::write(file.path(), "first").unwrap();
        assert_eq!(
            credentials.token(DateTime::UNIX_EPOCH).unwrap().expose_secret(),
            "first"
        );
        std::fs::write(file.path(), "second").unwrap();
        assert_eq!(
            credentials.token(DateTime::UNIX_EPOCH).unwrap().expose_secret(),
            "second"
        );
    }

    #[test]
    fn a_private_key_that_is_not_pem_is_refused_without_quoting_it() {
        let credentials = Credentials::Mint {
            client_id: "cs-1".to_owned(),
            client_secret: Secret::Inline("not-a-pem".into()),
            algorithm: Algorithm::RS256,
        };
        let error = credentials.token(DateTime::UNIX_EPOCH).unwrap_err();
        assert!(!format!("{error:?}").contains("not-a-pem"));
    }
}
