//! A reference provider: it answers as it is told, issues tokens that are genuine or forged, and never lets a broken rule
//! pass. Pure: no clock, no socket.

use std::collections::{HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{Headers, Request, Response};
use serde_json::{Value, json};

use crate::cheap;

/// The provider's issuer.
pub const ISSUER: &str = "https://op.example";
/// The client's id.
pub const CLIENT_ID: &str = "client-1";
/// The number of the client's own key.
pub const CLIENT_KEY: u8 = 200;
/// Who is authenticated.
pub const SUBJECT: &str = "person-1";

/// What the token endpoint says next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// `authorization_pending`, perhaps with `Retry-After` and an `interval` member, in seconds.
    Pending(Option<u64>, Option<u64>),
    /// `slow_down`, with the same.
    SlowDown(Option<u64>, Option<u64>),
    /// A status without an OAuth error, perhaps with `Retry-After`.
    Busy(u16, Option<u64>),
    /// An OAuth error with status 400.
    Error(&'static str),
    /// 200 and nothing that could be read.
    Garbage,
    /// A redirect.
    Redirect,
    /// Tokens.
    Tokens(Forgery),
}

/// What is wrong with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// Nothing.
    None,
    /// The signature is by a key the provider never had, under the name of the current one.
    Signature,
    /// As before, under a name nobody knows.
    KeyId,
    /// Not signed at all.
    Unsigned,
    /// Another issuer.
    Issuer,
    /// Another client.
    Audience,
    /// Of another authentication request.
    AuthReqId,
    /// Beside another access token.
    AccessToken,
    /// It expired an hour ago.
    Expired,
    /// No ID Token.
    Missing,
}

/// Every forgery.
pub const FORGERIES: [Forgery; 9] = [
    Forgery::Signature,
    Forgery::KeyId,
    Forgery::Unsigned,
    Forgery::Issuer,
    Forgery::Audience,
    Forgery::AuthReqId,
    Forgery::AccessToken,
    Forgery::Expired,
    Forgery::Missing,
];

/// The provider.
#[derive(Debug)]
pub struct Provider {
    /// `interval` of the acknowledgement.
    pub interval: Value,
    /// `expires_in` of the acknowledgement.
    pub expires_in: Value,
    /// How many authentication requests arrived.
    pub prompts: u32,
    /// How many token requests arrived.
    pub token_requests: u32,
    /// How often the key set was fetched.
    pub key_fetches: u32,
    /// Bodies of all token requests, decoded.
    pub token_forms: Vec<HashMap<String, String>>,
    /// The access tokens of every genuine answer.
    genuine: HashSet<String>,
    issued: u32,
    redeemed: bool,
    jtis: HashSet<String>,
    generation: u8,
}

impl Provider {
    /// A provider that acknowledges with these values.
    #[must_use]
    pub fn new(interval: Value, expires_in: Value) -> Self {
        Self {
            interval,
            expires_in,
            prompts: 0,
            token_requests: 0,
            key_fetches: 0,
            token_forms: Vec::new(),
            genuine: HashSet::new(),
            issued: 0,
            redeemed: false,
            jtis: HashSet::new(),
            generation: 1,
        }
    }

    /// The id of the one authentication request.
    pub const AUTH_REQ_ID: &'static str = "auth-req-id-0123456789-sentinel";

    /// Takes the authentication request.
    ///
    /// # Panics
    ///
    /// When it is the second: a person would be prompted twice.
    #[must_use]
    pub fn authenticate(&mut self, request: &Request) -> Response {
        self.prompts += 1;
        assert_eq!(self.prompts, 1, "a second authentication request arrived");
        let form = self.admit(request);
        assert_eq!(form.get("scope").map(String::as_str), Some("openid"));
        assert!(form.contains_key("login_hint"));
        let body = json!({"auth_req_id": Self::AUTH_REQ_ID, "expires_in": self.expires_in, "interval": self.interval});
        Response::json(200, body.to_string())
    }

    /// Takes a token request and answers it as told; an id that was redeemed stays so. `now` is the provider's clock, in
    /// seconds.
    ///
    /// # Panics
    ///
    /// When the request breaks a rule that can be seen from its content.
    #[must_use]
    pub fn token(&mut self, request: &Request, say: Say, now: u64) -> Response {
        let form = self.admit(request);
        self.token_requests += 1;
        assert_eq!(form.get("grant_type").map(String::as_str), Some("urn:openid:params:grant-type:ciba"));
        assert_eq!(form.get("auth_req_id").map(String::as_str), Some(Self::AUTH_REQ_ID));
        self.token_forms.push(form);
        let error = |status, code: &str, retry_after: Option<u64>, interval: Option<u64>| {
            let mut body = json!({"error": code, "error_description": "as told"});
            if let Some(interval) = interval {
                body["interval"] = interval.into();
            }
            respond(status, "application/json", body.to_string(), retry_after)
        };
        match say {
            Say::Busy(status, retry_after) => respond(status, "text/html", "<p>busy</p>".into(), retry_after),
            _ if self.redeemed => error(400, "invalid_grant", None, None),
            Say::Pending(retry_after, interval) => error(400, "authorization_pending", retry_after, interval),
            Say::SlowDown(retry_after, interval) => error(400, "slow_down", retry_after, interval),
            Say::Error(code) => error(400, code, None, None),
            Say::Redirect => respond(302, "text/html", String::new(), None),
            Say::Garbage => respond(200, "application/json", "{".into(), None),
            Say::Tokens(forgery) => {
                self.redeemed = true;
                Response::json(200, self.tokens(forgery, now).to_string())
            }
        }
    }

    /// Tokens, genuine or not.
    fn tokens(&mut self, forgery: Forgery, now: u64) -> Value {
        self.issued += 1;
        let access_token = format!("access-token-{}-sentinel", self.issued);
        let key = if matches!(forgery, Forgery::Signature | Forgery::KeyId) { 99 } else { self.generation };
        let key_id = if forgery == Forgery::KeyId { "nobody".to_owned() } else { format!("op-{}", self.generation) };
        let hashed = if forgery == Forgery::AccessToken { "another" } else { &access_token };
        let id = if forgery == Forgery::AuthReqId { "another" } else { Self::AUTH_REQ_ID };
        let claims = json!({
            "iss": if forgery == Forgery::Issuer { "https://evil.example" } else { ISSUER },
            "aud": if forgery == Forgery::Audience { "client-2" } else { CLIENT_ID },
            "sub": SUBJECT,
            "iat": if forgery == Forgery::Expired { now.saturating_sub(7200) } else { now },
            "exp": if forgery == Forgery::Expired { now.saturating_sub(3600) } else { now + 300 },
            "at_hash": cheap::half_hash(hashed),
            "urn:openid:params:jwt:claim:auth_req_id": id,
        });
        let header = json!({"alg": if forgery == Forgery::Unsigned { "none" } else { "EdDSA" }, "kid": key_id});
        let id_token = cheap::jws(&header, &claims, &cheap::key(key));
        let mut tokens = json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 60,
            "refresh_token": "refresh-token-sentinel", "id_token": id_token});
        if forgery == Forgery::Missing {
            tokens.as_object_mut().map(|members| members.remove("id_token"));
        }
        if forgery == Forgery::None {
            self.genuine.insert(access_token);
        }
        tokens
    }

    /// Whether this provider issued the access token beside a genuine ID Token.
    #[must_use]
    pub fn is_genuine(&self, access_token: &str) -> bool {
        self.genuine.contains(access_token)
    }

    /// Replaces the signing key; the old one is not published any more.
    pub fn rotate(&mut self) {
        self.generation = self.generation % 50 + 1;
    }

    /// The key set.
    #[must_use]
    pub fn keys(&self) -> String {
        let key_id = format!("op-{}", self.generation);
        json!({"keys": [cheap::jwk(&key_id, &cheap::key(self.generation))]}).to_string()
    }

    /// Answers a fetch of the key set.
    #[must_use]
    pub fn key_set(&mut self) -> Response {
        self.key_fetches += 1;
        Response::json(200, self.keys())
    }

    /// Reads a form and the credential in it: signed by the client, and its `jti` never seen before.
    fn admit(&mut self, request: &Request) -> HashMap<String, String> {
        let form = form(request.body.expose());
        let assertion = form.get("client_assertion").expect("every request is authenticated");
        let (input, signature) = assertion.rsplit_once('.').expect("an assertion is a compact JWS");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        assert_eq!(signature, cheap::sign(&cheap::key(CLIENT_KEY), input.as_bytes()), "the assertion verifies");
        let claims = URL_SAFE_NO_PAD.decode(input.split('.').nth(1).expect("claims")).expect("base64url");
        let claims: Value = serde_json::from_slice(&claims).expect("claims are JSON");
        assert_eq!(claims["iss"], CLIENT_ID);
        assert!(self.jtis.insert(claims["jti"].to_string()), "a jti was used twice");
        form
    }
}

fn respond(status: u16, media_type: &str, body: String, retry_after: Option<u64>) -> Response {
    let mut headers: Headers = [("content-type", media_type)].into_iter().collect();
    if let Some(seconds) = retry_after {
        headers.push("retry-after", seconds.to_string());
    }
    Response::new(status, headers, body)
}

/// Decodes a form; every name occurs once.
fn form(body: &[u8]) -> HashMap<String, String> {
    let decode = |text: &str| {
        let mut bytes = text.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            out.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [bytes.next(), bytes.next()].map(|digit| char::from(digit.expect("two digits")));
                    u8::from_str_radix(&String::from_iter(digits), 16).expect("hexadecimal")
                }
                byte => byte,
            });
        }
        String::from_utf8(out).expect("UTF-8")
    };
    let mut form = HashMap::new();
    for pair in std::str::from_utf8(body).expect("ASCII").split('&') {
        let (name, value) = pair.split_once('=').expect("name and value");
        assert!(form.insert(decode(name), decode(value)).is_none(), "{name} occurs twice");
    }
    form
}
