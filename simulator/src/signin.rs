//! Whom the API lets in: the signature, the app, the expiry and the uniqueness of a token.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use chrono::{DateTime, Utc};
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;

use crate::{
    options::{Algorithm, Credentials},
    request::Refusal,
};

/// What the API remembers of tokens.
#[derive(Debug, Default)]
pub(crate) struct SignIn {
    seen: HashSet<u64>,
    expired: HashSet<u64>,
    /// Tokens issued before this instant are refused, seen or not.
    expired_before: Option<i64>,
    /// The token that used a `jti` first.
    jtis: HashMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    #[serde(rename = "appId")]
    app_id: Option<String>,
    iat: Option<i64>,
    exp: Option<i64>,
    jti: Option<String>,
}

impl SignIn {
    /// Checks the `auth` header.
    pub(crate) fn check(
        &mut self,
        token: Option<&str>,
        credentials: &Credentials,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let token = token
            .filter(|token| !token.is_empty())
            .ok_or_else(|| unauthorized("AUTH_TOKEN_MISSING"))?;
        let fingerprint = fingerprint(token);
        if self.expired.contains(&fingerprint) {
            return Err(unauthorized("TOKEN_EXPIRED"));
        }
        if credentials.static_token.as_deref() != Some(token) {
            let claims = verified(token, credentials)?;
            self.check_claims(claims, fingerprint, credentials, now)?;
        }
        self.seen.insert(fingerprint);
        Ok(())
    }

    /// Refuses every token seen so far, and every one issued before `now`.
    pub(crate) fn expire_all(&mut self, now: DateTime<Utc>) {
        self.expired.extend(self.seen.drain());
        self.expired_before = Some(now.timestamp());
    }

    fn check_claims(
        &mut self,
        claims: Claims,
        fingerprint: u64,
        credentials: &Credentials,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        if claims.app_id.as_deref() != Some(&credentials.client_id) {
            return Err(unauthorized("INVALID_APP_ID"));
        }
        let issued_before = claims
            .iat
            .zip(self.expired_before)
            .is_some_and(|(iat, limit)| iat < limit);
        if issued_before || claims.exp.is_some_and(|exp| exp <= now.timestamp()) {
            return Err(unauthorized("TOKEN_EXPIRED"));
        }
        if !credentials.enforce_jti {
            return Ok(());
        }
        let jti = claims
            .jti
            .filter(|jti| !jti.is_empty())
            .ok_or_else(|| unauthorized("JTI_MISSING"))?;
        if *self.jtis.entry(jti).or_insert(fingerprint) == fingerprint {
            Ok(())
        } else {
            Err(unauthorized("JTI_ALREADY_USED"))
        }
    }
}

fn verified(token: &str, credentials: &Credentials) -> Result<Claims, Refusal> {
    let (algorithm, key) = key(credentials).map_err(|_| Refusal::new(500, "KEY_NOT_CONFIGURED"))?;
    let mut validation = Validation::new(algorithm);
    // The expiry is checked against the world's clock, which a test may have frozen.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoded = jsonwebtoken::decode::<Claims>(token, &key, &validation);
    decoded
        .map(|data| data.claims)
        .map_err(|_| unauthorized("INVALID_TOKEN"))
}

fn key(credentials: &Credentials) -> jsonwebtoken::errors::Result<(jsonwebtoken::Algorithm, DecodingKey)> {
    let secret = credentials.client_secret.as_bytes();
    Ok(match credentials.algorithm {
        Algorithm::Hs256 => (jsonwebtoken::Algorithm::HS256, DecodingKey::from_secret(secret)),
        Algorithm::Hs384 => (jsonwebtoken::Algorithm::HS384, DecodingKey::from_secret(secret)),
        Algorithm::Hs512 => (jsonwebtoken::Algorithm::HS512, DecodingKey::from_secret(secret)),
        Algorithm::Rs256 => (jsonwebtoken::Algorithm::RS256, DecodingKey::from_rsa_pem(secret)?),
        Algorithm::Rs512 => (jsonwebtoken::Algorithm::RS512, DecodingKey::from_rsa_pem(secret)?),
    })
}

fn unauthorized(message: &str) -> Refusal {
    Refusal::new(401, message)
}

fn fingerprint(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone};
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::{Value, json};

    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2025, 9, 30, 12, 0, 0).unwrap()
    }

    fn sign(algorithm: jsonwebtoken::Algorithm, claims: &Value) -> String {
        let secret = Credentials::default().client_secret;
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
    }

    fn token(jti: &str, iat: i64) -> String {
        let claims = json!({ "appId": "cs-sim", "jti": jti, "iat": iat, "exp": iat + 300 });
        sign(jsonwebtoken::Algorithm::HS256, &claims)
    }

    fn message(result: Result<(), Refusal>) -> String {
        result.map_or_else(|refusal| refusal.message, |()| "in".to_owned())
    }

    #[test]
    fn a_token_is_good_until_it_expires() {
        let (mut sign_in, credentials) = (SignIn::default(), Credentials::default());
        let token = token("a", now().timestamp());
        for _ in 0..3 {
            assert_eq!(message(sign_in.check(Some(&token), &credentials, now())), "in");
        }
        let later = now() + TimeDelta::seconds(300);
        assert_eq!(
            message(sign_in.check(Some(&token), &credentials, later)),
            "TOKEN_EXPIRED"
        );
    }

    #[test]
    fn the_id_of_one_token_is_refused_on_another() {
        let (mut sign_in, mut credentials) = (SignIn::default(), Credentials::default());
        let (first, second) = (
            token("same", now().timestamp()),
            token("same", now().timestamp() + 1),
        );
        assert_eq!(message(sign_in.check(Some(&first), &credentials, now())), "in");
        assert_eq!(
            message(sign_in.check(Some(&second), &credentials, now())),
            "JTI_ALREADY_USED"
        );
        assert_eq!(message(sign_in.check(Some(&first), &credentials, now())), "in");
        credentials.enforce_jti = false;
        assert_eq!(message(sign_in.check(Some(&second), &credentials, now())), "in");
    }

    #[test]
    fn wrong_or_missing_tokens_are_refused() {
        let (mut sign_in, credentials) = (SignIn::default(), Credentials::default());
        let wrong_app = sign(
            jsonwebtoken::Algorithm::HS256,
            &json!({ "appId": "other", "jti": "x" }),
        );
        let no_jti = sign(jsonwebtoken::Algorithm::HS256, &json!({ "appId": "cs-sim" }));
        let wrong_algorithm = sign(
            jsonwebtoken::Algorithm::HS512,
            &json!({ "appId": "cs-sim", "jti": "x" }),
        );
        let cases = [
            (None, "AUTH_TOKEN_MISSING"),
            (Some("garbage"), "INVALID_TOKEN"),
            (Some(wrong_app.as_str()), "INVALID_APP_ID"),
            (Some(no_jti.as_str()), "JTI_MISSING"),
            (Some(wrong_algorithm.as_str()), "INVALID_TOKEN"),
        ];
        for (token, want) in cases {
            assert_eq!(message(sign_in.check(token, &credentials, now())), want);
        }
    }

    #[test]
    fn every_configured_algorithm_is_accepted() {
        let pairs = [
            (Algorithm::Hs256, jsonwebtoken::Algorithm::HS256),
            (Algorithm::Hs384, jsonwebtoken::Algorithm::HS384),
            (Algorithm::Hs512, jsonwebtoken::Algorithm::HS512),
        ];
        for (ours, theirs) in pairs {
            let credentials = Credentials {
                algorithm: ours,
                ..Credentials::default()
            };
            let token = sign(theirs, &json!({ "appId": "cs-sim", "jti": "x" }));
            assert_eq!(
                message(SignIn::default().check(Some(&token), &credentials, now())),
                "in"
            );
        }
    }

    #[test]
    fn a_token_signed_with_a_private_key_needs_its_public_key() {
        use aws_lc_rs::{
            encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
            rsa::{KeyPair, KeySize},
            signature::KeyPair as _,
        };
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let credentials = Credentials {
            algorithm: Algorithm::Rs256,
            client_secret: pem("PUBLIC", public.as_ref()),
            ..Credentials::default()
        };
        let key = EncodingKey::from_rsa_pem(pem("PRIVATE", private.as_ref()).as_bytes()).unwrap();
        let header = Header::new(jsonwebtoken::Algorithm::RS256);
        let token = jsonwebtoken::encode(&header, &json!({ "appId": "cs-sim", "jti": "x" }), &key).unwrap();
        assert_eq!(
            message(SignIn::default().check(Some(&token), &credentials, now())),
            "in"
        );
        let shared = sign(
            jsonwebtoken::Algorithm::HS256,
            &json!({ "appId": "cs-sim", "jti": "x" }),
        );
        assert_eq!(
            message(SignIn::default().check(Some(&shared), &credentials, now())),
            "INVALID_TOKEN"
        );
    }

    fn pem(kind: &str, der: &[u8]) -> String {
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        format!("-----BEGIN {kind} KEY-----\n{text}\n-----END {kind} KEY-----\n")
    }

    #[test]
    fn expiring_all_tokens_spares_only_later_ones() {
        let credentials = Credentials {
            static_token: Some("fixed".to_owned()),
            ..Credentials::default()
        };
        let mut sign_in = SignIn::default();
        let (old, unseen) = (token("a", now().timestamp()), token("b", now().timestamp() - 1));
        let same_second = token("c", now().timestamp());
        assert_eq!(message(sign_in.check(Some(&old), &credentials, now())), "in");
        assert_eq!(message(sign_in.check(Some("fixed"), &credentials, now())), "in");
        sign_in.expire_all(now());
        for refused in [old.as_str(), unseen.as_str(), "fixed"] {
            assert_eq!(
                message(sign_in.check(Some(refused), &credentials, now())),
                "TOKEN_EXPIRED"
            );
        }
        assert_eq!(
            message(sign_in.check(Some(&same_second), &credentials, now())),
            "in"
        );
    }
}
