//! Demonstrating proof of possession (RFC 9449): a key of this process alone, and a statement signed
//! with it for each request, so that a stolen access token is worth nothing.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quell_connector::ConfigError;
use quell_connector::http::{HeaderName, Reply, Sign, Unsigned};
use quell_connector::sign::{Algorithm, SigningKey, jwt, unique_id};
use quell_model::Secret;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const PROOF: HeaderName = HeaderName::from_static("dpop");
const NONCE: &str = "dpop-nonce";
/// Longest nonce that is repeated; the vendor's have a few dozen characters.
const LONGEST_NONCE: usize = 256;

/// The key, and what the vendor last wanted repeated.
pub(super) struct Prover {
    // Made at each start and never stored. Okta refuses the key that the app signs in with.
    key: SigningKey,
    public: Value,
    nonce: Mutex<Option<String>>,
}

impl Prover {
    pub(super) fn new() -> Result<Self, ConfigError> {
        let (key, public) =
            SigningKey::fresh().map_err(|problem| ConfigError::new("dpop", problem))?;
        Ok(Self {
            key,
            public,
            nonce: Mutex::new(None),
        })
    }
}

impl Sign for Prover {
    fn headers(&self, unsigned: &Unsigned<'_>) -> Result<Vec<(HeaderName, Secret)>, String> {
        let mut url = unsigned.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("htm", unsigned.method.as_str().into());
        claim("htu", url.as_str().into());
        claim("iat", unsigned.now.as_second().into());
        claim("jti", unique_id().into());
        let presented = unsigned.headers.get("authorization");
        let token = presented
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("DPoP "));
        match token {
            Some(token) => {
                claim("ath", URL_SAFE_NO_PAD.encode(Sha256::digest(token)).into());
            }
            None => {
                let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(nonce) = &*nonce {
                    claim("nonce", nonce.as_str().into());
                }
            }
        }
        let header = json!({ "typ": "dpop+jwt", "jwk": self.public });
        let proof = jwt(&self.key, Algorithm::Es256, &header, &Value::Object(claims))?;
        Ok(vec![(PROOF, proof)])
    }

    /// Remembers the nonce. The request is not sent again as it is: Okta has taken the id of the
    /// assertion in it for used, so the sign-in makes a new one.
    fn learn(&self, refusal: &Reply) -> bool {
        let told = refusal
            .header(NONCE)
            .filter(|told| told.len() <= LONGEST_NONCE);
        if let Some(told) = told {
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(told.to_owned());
        }
        false
    }
}
