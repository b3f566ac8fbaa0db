//! A reference provider. It answers as instructed, issues genuine or forged tokens, and panics if
//! the client breaks a rule. It has no clock and no socket.

use std::collections::{HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    fault::Untrusted,
    http::{Headers, Request, Response},
};
use serde_json::{Value, json};

use crate::fake_crypto;

/// The provider's issuer.
pub const ISSUER: &str = "https://op.example";
/// The client id.
pub const CLIENT_ID: &str = "client-1";
/// The number of the client's key.
pub const CLIENT_KEY: u8 = 200;
/// The `sub` of the person.
pub const SUBJECT: &str = "person-1";

/// The next answer of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// `authorization_pending`, optionally with `Retry-After` and an `interval` member, in seconds.
    Pending(Option<u64>, Option<u64>),
    /// `slow_down`, with the same options.
    SlowDown(Option<u64>, Option<u64>),
    /// A status without an OAuth error, optionally with `Retry-After`.
    Busy(u16, Option<u64>),
    /// An OAuth error with status 400.
    Error(&'static str),
    /// 200 with a body that cannot be read.
    Garbage,
    /// A redirect.
    Redirect,
    /// Tokens.
    Tokens(Forgery),
}

/// The forgery of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// None: the tokens are genuine.
    None,
    /// Signed by a key that the provider never had, under the key id of the current one.
    Signature,
    /// The same, under an unknown key id.
    KeyId,
    /// Not signed.
    Unsigned,
    /// `iss` is another issuer.
    Issuer,
    /// `aud` is another client.
    Audience,
    /// Bound to another authentication request.
    AuthReqId,
    /// Bound to another access token.
    AccessToken,
    /// Bound to another refresh token.
    RefreshToken,
    /// It expired an hour ago.
    Expired,
    /// No ID Token.
    Missing,
    /// Without a binding to the authentication request. From the token endpoint this is no forgery.
    Unbound,
    /// Without a binding to the access token. From the token endpoint this is no forgery.
    NoAccessTokenHash,
    /// Without a binding to the refresh token. From the token endpoint this is no forgery.
    NoRefreshTokenHash,
}

impl Forgery {
    /// Returns the check that a push of such tokens fails, or `None` if it fails none or cannot be
    /// read.
    #[must_use]
    pub const fn untrusted(self) -> Option<Untrusted> {
        Some(match self {
            Self::None | Self::Missing => return None,
            Self::Signature => Untrusted::Signature,
            Self::KeyId => Untrusted::UnknownKey,
            Self::Unsigned => Untrusted::Algorithm,
            Self::Issuer => Untrusted::Issuer,
            Self::Audience => Untrusted::Audience,
            Self::AuthReqId | Self::Unbound => Untrusted::AuthReqId,
            Self::AccessToken | Self::NoAccessTokenHash => Untrusted::AccessTokenHash,
            Self::RefreshToken | Self::NoRefreshTokenHash => Untrusted::RefreshTokenHash,
            Self::Expired => Untrusted::Expiry,
        })
    }
}

/// The forgeries of a push, in which the bindings are required.
pub const PUSH_FORGERIES: [Forgery; 13] = [
    Forgery::Signature,
    Forgery::KeyId,
    Forgery::Unsigned,
    Forgery::Issuer,
    Forgery::Audience,
    Forgery::AuthReqId,
    Forgery::AccessToken,
    Forgery::RefreshToken,
    Forgery::Expired,
    Forgery::Missing,
    Forgery::Unbound,
    Forgery::NoAccessTokenHash,
    Forgery::NoRefreshTokenHash,
];

/// The forgeries of a token response.
pub const FORGERIES: [Forgery; 10] = [
    Forgery::Signature,
    Forgery::KeyId,
    Forgery::Unsigned,
    Forgery::Issuer,
    Forgery::Audience,
    Forgery::AuthReqId,
    Forgery::AccessToken,
    Forgery::RefreshToken,
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
    /// The number of authentication requests.
    pub prompts: u32,
    /// The number of token requests.
    pub token_requests: u32,
    /// The number of fetches of the key set.
    pub key_fetches: u32,
    /// The decoded bodies of all token requests.
    pub token_forms: Vec<HashMap<String, String>>,
    /// The notification token of the authentication request.
    pub notification_token: Option<String>,
    /// The access tokens of all genuine answers and pushes, with the request for which they were
    /// issued.
    genuine: HashMap<String, String>,
    /// The ids that the client may know: the acknowledged one and those in notifications.
    pub(crate) named: HashSet<String>,
    issued: u32,
    redeemed: bool,
    /// As far as a provider can: for a request that arrived.
    redeemed_request: bool,
    jtis: HashSet<String>,
    generation: u8,
}

impl Provider {
    /// Creates a provider that acknowledges with these values.
    #[must_use]
    pub fn new(interval: Value, expires_in: Value) -> Self {
        Self {
            interval,
            expires_in,
            prompts: 0,
            token_requests: 0,
            key_fetches: 0,
            token_forms: Vec::new(),
            notification_token: None,
            genuine: HashMap::new(),
            named: HashSet::from([Self::AUTH_REQ_ID.to_owned()]),
            issued: 0,
            redeemed: false,
            redeemed_request: false,
            jtis: HashSet::new(),
            generation: 1,
        }
    }

    /// The id of the authentication request.
    pub const AUTH_REQ_ID: &'static str = "auth-req-id-0123456789-sentinel";

    /// Handles the authentication request.
    ///
    /// # Panics
    ///
    /// Panics at a second one, because it would prompt the person twice.
    #[must_use]
    pub fn authenticate(&mut self, request: &Request) -> Response {
        self.prompts += 1;
        assert_eq!(self.prompts, 1, "a second authentication request arrived");
        let mut form = self.admit(request);
        if let Some(signed) = form.remove("request") {
            assert!(
                form.keys().all(|name| name.starts_with("client_assertion")),
                "beside a signed request: {form:?}"
            );
            let claims = self.signed(&signed);
            form = claims
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
                .collect();
        }
        assert_eq!(form.get("scope").map(String::as_str), Some("openid"));
        assert!(form.contains_key("login_hint"));
        self.notification_token = form.remove("client_notification_token");
        let body = json!({"auth_req_id": Self::AUTH_REQ_ID, "expires_in": self.expires_in, "interval": self.interval});
        Response::json(200, body.to_string())
    }

    /// Answers a token request as instructed; an id that was redeemed remains redeemed. `now` is
    /// the provider's clock, in seconds.
    ///
    /// # Panics
    ///
    /// Panics if the content of the request breaks a rule.
    #[must_use]
    pub fn token(&mut self, request: &Request, say: Say, now: u64) -> Response {
        let form = self.admit(request);
        self.token_requests += 1;
        assert_eq!(
            form.get("grant_type").map(String::as_str),
            Some("urn:openid:params:grant-type:ciba")
        );
        let id = form.get("auth_req_id").expect("it names the request");
        assert!(self.named.contains(id), "an id that the client cannot know");
        let is_known = id == Self::AUTH_REQ_ID;
        self.token_forms.push(form);
        let error = |status, code: &str, retry_after: Option<u64>, interval: Option<u64>| {
            let mut body = json!({"error": code, "error_description": "as told"});
            if let Some(interval) = interval {
                body["interval"] = interval.into();
            }
            respond(status, "application/json", body.to_string(), retry_after)
        };
        match say {
            Say::Busy(status, retry_after) => {
                respond(status, "text/html", "<p>busy</p>".into(), retry_after)
            }
            _ if self.redeemed || !is_known => error(400, "invalid_grant", None, None),
            Say::Pending(retry_after, interval) => {
                error(400, "authorization_pending", retry_after, interval)
            }
            Say::SlowDown(retry_after, interval) => error(400, "slow_down", retry_after, interval),
            Say::Error(code) => error(400, code, None, None),
            Say::Redirect => respond(302, "text/html", String::new(), None),
            Say::Garbage => respond(200, "application/json", "{".into(), None),
            Say::Tokens(forgery) => {
                self.redeemed = true;
                self.redeemed_request = self.prompts > 0;
                Response::json(200, self.tokens(Self::AUTH_REQ_ID, forgery, now).to_string())
            }
        }
    }

    /// Returns tokens for a request, genuine or forged.
    pub(crate) fn tokens(&mut self, auth_req_id: &str, forgery: Forgery, now: u64) -> Value {
        const REFRESH_TOKEN: &str = "refresh-token-sentinel";
        self.issued += 1;
        let access_token = format!("access-token-{}-sentinel", self.issued);
        let key = if matches!(forgery, Forgery::Signature | Forgery::KeyId) {
            99
        } else {
            self.generation
        };
        let key_id = if forgery == Forgery::KeyId {
            "nobody".to_owned()
        } else {
            format!("op-{}", self.generation)
        };
        let unless = |made: Forgery, text: &str| {
            if forgery == made { "another".to_owned() } else { text.to_owned() }
        };
        let mut claims = json!({
            "iss": if forgery == Forgery::Issuer { "https://evil.example" } else { ISSUER },
            "aud": if forgery == Forgery::Audience { "client-2" } else { CLIENT_ID },
            "sub": SUBJECT,
            "iat": if forgery == Forgery::Expired { now.saturating_sub(7200) } else { now },
            "exp": if forgery == Forgery::Expired { now.saturating_sub(3600) } else { now + 300 },
            "at_hash": fake_crypto::half_hash(&unless(Forgery::AccessToken, &access_token)),
            "urn:openid:params:jwt:claim:rt_hash": fake_crypto::half_hash(&unless(Forgery::RefreshToken, REFRESH_TOKEN)),
            "urn:openid:params:jwt:claim:auth_req_id": unless(Forgery::AuthReqId, auth_req_id),
        });
        let left_out = match forgery {
            Forgery::Unbound => "urn:openid:params:jwt:claim:auth_req_id",
            Forgery::NoAccessTokenHash => "at_hash",
            Forgery::NoRefreshTokenHash => "urn:openid:params:jwt:claim:rt_hash",
            _ => "",
        };
        claims.as_object_mut().map(|claims| claims.remove(left_out));
        let header = json!({"alg": if forgery == Forgery::Unsigned { "none" } else { "EdDSA" }, "kid": key_id});
        let id_token = fake_crypto::jws(&header, &claims, &fake_crypto::key(key));
        let mut tokens = json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 60,
            "refresh_token": REFRESH_TOKEN, "id_token": id_token});
        if forgery == Forgery::Missing {
            tokens.as_object_mut().map(|members| members.remove("id_token"));
        }
        if forgery == Forgery::None {
            self.genuine.insert(access_token, auth_req_id.to_owned());
        }
        tokens
    }

    /// Returns whether tokens were issued for a request that had arrived, genuine or forged. In
    /// simulations notifications can come even earlier.
    #[must_use]
    pub const fn is_redeemed(&self) -> bool {
        self.redeemed_request
    }

    /// Returns the request for which the access token was issued, if this provider issued it with a
    /// genuine ID Token.
    #[must_use]
    pub fn issued_for(&self, access_token: &str) -> Option<&str> {
        self.genuine.get(access_token).map(String::as_str)
    }

    /// Replaces the signing key. The old one is no longer published.
    pub fn rotate(&mut self) {
        self.generation = self.generation % 50 + 1;
    }

    /// Returns the key set.
    #[must_use]
    pub fn keys(&self) -> String {
        let key_id = format!("op-{}", self.generation);
        json!({"keys": [fake_crypto::jwk(&key_id, &fake_crypto::key(self.generation))]}).to_string()
    }

    /// Answers a fetch of the key set.
    #[must_use]
    pub fn key_set(&mut self) -> Response {
        self.key_fetches += 1;
        Response::json(200, self.keys())
    }

    /// Reads a form and checks its credential: it is signed by the client, with a new `jti`.
    fn admit(&mut self, request: &Request) -> HashMap<String, String> {
        let form = form(request.body.expose());
        let assertion = form.get("client_assertion").expect("every request is authenticated");
        let claims = self.signed(&assertion.clone());
        assert_eq!(claims["sub"], CLIENT_ID);
        form
    }

    /// Returns the claims of a JWT signed by the client, whose `jti` must be new.
    fn signed(&mut self, jws: &str) -> serde_json::Map<String, Value> {
        let (input, signature) = jws.rsplit_once('.').expect("a compact JWS");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        assert_eq!(
            signature,
            fake_crypto::sign(&fake_crypto::key(CLIENT_KEY), input.as_bytes()),
            "it verifies"
        );
        let claims =
            URL_SAFE_NO_PAD.decode(input.split('.').nth(1).expect("claims")).expect("base64url");
        let claims: serde_json::Map<String, Value> =
            serde_json::from_slice(&claims).expect("claims are JSON");
        assert_eq!(claims["iss"], CLIENT_ID);
        assert!(self.jtis.insert(claims["jti"].to_string()), "a jti was used twice");
        claims
    }
}

fn respond(status: u16, media_type: &str, body: String, retry_after: Option<u64>) -> Response {
    let mut headers: Headers = [("content-type", media_type)].into_iter().collect();
    if let Some(seconds) = retry_after {
        headers.push("retry-after", seconds.to_string());
    }
    Response::new(status, headers, body)
}

/// Decodes a form, in which every name must occur once.
fn form(body: &[u8]) -> HashMap<String, String> {
    let decode = |text: &str| {
        let mut bytes = text.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            out.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [bytes.next(), bytes.next()]
                        .map(|digit| char::from(digit.expect("two digits")));
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
