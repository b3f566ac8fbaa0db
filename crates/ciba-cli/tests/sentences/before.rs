//! What goes wrong before the provider is asked: options, files, the way to it, its metadata.

use serde_json::json;

use super::{
    case::{Case, OPEN},
    support::{Say, error, metadata},
    tls::{Certificate, TlsServer},
};

/// The one situation whose authority is not given.
pub(crate) const UNKNOWN: &str = "A certificate of an unknown authority";

const PEM: &str = include_str!("../../../../tests/data/keys/ec-p256.pkcs8.pem");

pub(crate) fn sections() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("Options", options()),
        ("Files", files()),
        ("The way to the provider", way()),
        ("Proxies", proxies()),
        ("The provider's metadata", documents()),
        ("A client and a provider that do not fit", fit()),
        ("The FAPI-CIBA profile", fapi()),
    ]
}

fn options() -> Vec<Case> {
    use Case as C;
    vec![
        C::line(
            "An issuer that is a metadata address",
            &["discover", "https://op.example/t1/.well-known/openid-configuration"],
        ),
        C::line("An issuer that is no address", &["discover", "op.example"]),
        C::line("An issuer over http", &["discover", "http://op.example"]),
        C::line(
            "No client id",
            &["authenticate", "--issuer", "https://op.example", "--login-hint", "the-person"],
        ),
        C::line(
            "Nothing that proves who the client is",
            &[
                "authenticate",
                "--issuer",
                "https://op.example",
                "--login-hint",
                "the-person",
                "--client-id",
                "the-client",
            ],
        ),
        C::line(
            "No hint",
            &[
                "authenticate",
                "--issuer",
                "https://op.example",
                "--client-id",
                "c",
                "--client-auth",
                "none",
            ],
        ),
        C::authenticate("Two hints", &["--id-token-hint", "sentinel"]),
        C::authenticate(
            "A certificate without a method that uses it",
            &["--cert", "DIR/c.pem", "--cert-key", "DIR/k.pem"],
        ),
        C::authenticate("Mutual TLS without a certificate", &["--client-auth", "tls_client_auth"]),
        C::authenticate(
            "A method that needs a secret without one",
            &["--client-auth", "client_secret_basic"],
        ),
        C::authenticate(
            "A method that needs a key without one",
            &["--client-auth", "private_key_jwt"],
        ),
        C::authenticate("Ping without a place to be notified", &["--delivery", "ping"]),
        C::authenticate(
            "A place to be notified without a certificate",
            &["--delivery", "ping", "--listen", "0.0.0.0:8443"],
        ),
        C::authenticate(
            "Push without an ID Token",
            &[
                "--delivery",
                "push",
                "--no-openid",
                "--scope",
                "payments",
                "--listen",
                "127.0.0.1:PORT",
            ],
        ),
        C::authenticate(
            "A person to compare without an ID Token",
            &["--no-openid", "--scope", "payments", "--require-person"],
        ),
        C::authenticate(
            "An expected claim without an ID Token",
            &["--no-openid", "--scope", "payments", "--expect", "sub=sentinel"],
        ),
        C::authenticate("An expectation without a value", &["--expect", "sub"]),
        C::authenticate(
            "A parameter that the command sets by itself",
            &["--param", "scope=openid"],
        ),
        C::authenticate(
            "Authorization details that are no JSON",
            &["--authorization-details", "sentinel"],
        ),
        C::authenticate("A resource that is no address", &["--resource", "sentinel"]),
        C::authenticate(
            "A header that the transport sets by itself",
            &["--header", "Content-Length=3"],
        ),
        C::authenticate("A clock skew beyond five minutes", &["--clock-skew", "3600"]),
        C::authenticate("An unknown algorithm", &["--id-token-alg", "ES255"]),
        C::authenticate("An algorithm without a signature", &["--id-token-alg", "none"]),
        C::authenticate("An unknown metadata rule", &["--ignore-metadata", "everything"]),
        C::authenticate("An unknown preset", &["--provider", "keycloack"]),
        C::authenticate("A misspelt option", &["--client-ath", "none"]),
        C::authenticate(
            "A hint token beside the hint",
            &["--provider", "idura", "--login-hint-token", "sentinel"],
        ),
        C::authenticate(
            "A hint of another form than the preset wants",
            &[
                "--provider",
                "idura",
                "--acr-values",
                "urn:grn:authn:se:bankid",
                "--binding-message",
                "Hello",
            ],
        ),
    ]
}

fn files() -> Vec<Case> {
    let key = |title, name: &'static str, content: Vec<u8>| {
        let options: &[&str] = match name {
            "encrypted.pem" => &["--key", "DIR/encrypted.pem"],
            "openssh" => &["--key", "DIR/openssh"],
            "key.p12" => &["--key", "DIR/key.p12"],
            "key.der" => &["--key", "DIR/key.der"],
            "utf16.pem" => &["--key", "DIR/utf16.pem"],
            OPEN => &["--key", "DIR/open.pem"],
            "public.pem" => &["--key", "DIR/public.pem"],
            "certificate.pem" => &["--key", "DIR/certificate.pem"],
            "key.jwk" => &["--key", "DIR/key.jwk"],
            _ => &["--key", "DIR/key.pem"],
        };
        Case::authenticate(title, options).file(name, content)
    };
    let utf16: Vec<u8> =
        format!("\u{feff}{PEM}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut der = b"\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01".to_vec();
    der.resize(138, 0);
    let data = |name: &str| match name {
        "encrypted" => include_bytes!("../../../../tests/data/keys/ec-p256.encrypted.pem").to_vec(),
        "openssh" => include_bytes!("../../../../tests/data/keys/ec-p256.openssh").to_vec(),
        "p12" => include_bytes!("../../../../tests/data/keys/ec-p256.p12").to_vec(),
        "public" => include_bytes!("../../../../tests/data/keys/ec-p256.public.pem").to_vec(),
        "certificate" => {
            include_bytes!("../../../../tests/data/keys/ec-p256.certificate.pem").to_vec()
        }
        "secp256k1" => {
            include_bytes!("../../../../tests/data/keys/ec-secp256k1.pkcs8.pem").to_vec()
        }
        "rsa-1024" => include_bytes!("../../../../tests/data/keys/rsa-1024.pkcs8.pem").to_vec(),
        _ => include_bytes!("../../../../tests/data/keys/rsa-2048.encrypted-pkcs1.pem").to_vec(),
    };
    let bom =
        Case::line("A key with a byte order mark (it is read)", &["key", "public", "DIR/key.pem"]);
    let escaped =
        Case::line("A key with escaped line ends (it is read)", &["key", "public", "DIR/key.pem"]);
    let certificate = |title| {
        Case::authenticate(
            title,
            &[
                "--issuer",
                "https://op.example",
                "--client-auth",
                "tls_client_auth",
                "--cert",
                "DIR/cert.pem",
                "--cert-key",
                "DIR/cert-key.pem",
            ],
        )
    };
    let (one, other) =
        (TlsServer::start(Certificate::Good, false), TlsServer::start(Certificate::Good, false));
    let authority_first = format!("{}{}", one.ca, one.stranger.0);
    vec![
        Case::authenticate("No such key", &["--key", "DIR/absent.pem"]),
        key("A key that others can read (and no provider answers)", OPEN, PEM.as_bytes().to_vec()),
        key("An encrypted key", "encrypted.pem", data("encrypted")),
        key("An encrypted key of the older kind", "encrypted.pem", data("encrypted-pkcs1")),
        key("A key in DER", "key.der", der),
        key("A key in PKCS#12", "key.p12", data("p12")),
        key("A key of OpenSSH", "openssh", data("openssh")),
        key("A key in UTF-16", "utf16.pem", utf16),
        bom.file("key.pem", format!("\u{feff}{PEM}")),
        escaped.file("key.pem", PEM.replace('\n', "\\n")),
        key("A public key in place of the private one", "public.pem", data("public")),
        key("A certificate in place of the key", "certificate.pem", data("certificate")),
        key("A curve that no algorithm here uses", "key.pem", data("secp256k1")),
        key("An RSA key that is too short", "key.pem", data("rsa-1024")),
        key("An empty key file", "key.pem", vec![]),
        key("A set of keys", "key.jwk", json!({"keys": []}).to_string().into_bytes()),
        key(
            "A JWK whose numbers are no key",
            "key.jwk",
            json!({"kty": "EC", "crv": "P-256", "x": "sentinel", "y": "sentinel", "d": "sentinel"}).to_string().into_bytes(),
        ),
        key(
            "A JWK with a member that cannot be read",
            "key.jwk",
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "sentinel!", "d": "sentinel"}).to_string().into_bytes(),
        ),
        key(
            "A JWK without its private part",
            "key.jwk",
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}).to_string().into_bytes(),
        ),
        Case::authenticate("An empty secret file", &["--client-secret-file", "DIR/secret"]).file("secret", ""),
        Case::authenticate("No such secret file", &["--client-secret-file", "DIR/absent"]),
        certificate("A certificate and the key of another")
            .file("cert.pem", one.stranger.0.as_str())
            .file("cert-key.pem", other.stranger.1.as_str()),
        certificate("The authority before the certificate")
            .file("cert.pem", authority_first)
            .file("cert-key.pem", one.stranger.1.as_str()),
        certificate("A certificate file without a certificate").file("cert.pem", PEM).file("cert-key.pem", PEM),
        certificate("An encrypted key of a certificate")
            .file("cert.pem", one.stranger.0.as_str())
            .file("cert-key.pem", data("encrypted")),
        Case::discover("An authority file without a certificate", &["--ca-cert", "DIR/key.pem"]).file("key.pem", PEM),
        Case::authenticate("Metadata from a file that is no JSON", &["--metadata", "DIR/metadata.json"])
            .file("metadata.json", "<html>"),
        Case::line("A state file that is not there", &["resume", "--state", "DIR/absent"]),
        Case::authenticate("A folder for the state file that is not there", &["--state", "DIR/absent/state"]),
    ]
}

fn way() -> Vec<Case> {
    let tls = |title, certificate| {
        Case::discover(title, &[]).over_tls(TlsServer::start(certificate, false)).both()
    };
    let demanding = |title, options: &[&'static str]| {
        Case::authenticate(title, options)
            .over_tls(TlsServer::start(Certificate::Good, true))
            .file("metadata.json", mutual_tls().to_string())
            .both()
    };
    vec![
        tls(UNKNOWN, Certificate::Good),
        tls("An authority's certificate as that of the server", Certificate::Authority),
        tls("An expired certificate", Certificate::Expired),
        tls("A certificate that is not valid yet", Certificate::NotYetValid),
        tls("A certificate for another name", Certificate::ForAnotherHost),
        demanding(
            "A client certificate is refused under TLS 1.3, at the authentication request",
            &[
                "--metadata",
                "DIR/metadata.json",
                "--client-auth",
                "tls_client_auth",
                "--cert",
                "DIR/stranger.pem",
                "--cert-key",
                "DIR/stranger-key.pem",
            ],
        ),
        demanding(
            "A client certificate is demanded under TLS 1.3 and none is there",
            &["--metadata", "DIR/metadata.json"],
        ),
        Case::line("An unknown name", &["discover", "https://op.invalid", "--output", "json"]),
        Case::discover("A refused connection", &[]).both(),
        Case::discover("A provider that closes the connection", &[])
            .with(|_, _, _| Some(Say::Nothing))
            .both(),
        Case::authenticate("A provider that is slower than --timeout", &["--timeout", "1"])
            .with(|_, _, _| Some(Say::Silence(std::time::Duration::from_secs(5))))
            .both(),
    ]
}

/// The metadata of a provider that authenticates clients by their certificates.
fn mutual_tls() -> serde_json::Value {
    let mut document = metadata("OP");
    document["token_endpoint_auth_methods_supported"] = json!(["none", "tls_client_auth"]);
    document
}

fn proxies() -> Vec<Case> {
    const FAR: &[&str] = &["discover", "https://op.invalid", "--output", "json"];
    let through = |title, name, value| Case::line(title, FAR).environment(name, value);
    vec![
        through("A proxy that refuses the connection", "HTTPS_PROXY", "http://user:pw@127.0.0.1:1"),
        through("A SOCKS proxy that refuses the connection", "ALL_PROXY", "socks5h://127.0.0.1:1"),
        through("A proxy of an unsupported kind", "ALL_PROXY", "ftp://proxy.example"),
        through("A proxy with a malformed port", "HTTPS_PROXY", "http://proxy.example:port"),
        through("A proxy without a host", "HTTPS_PROXY", "http://"),
    ]
}

fn documents() -> Vec<Case> {
    let discovery = |title, say: fn(&str) -> Say| {
        Case::discover(title, &[])
            .with(move |issuer, path, _| path.starts_with("/.well-known/").then(|| say(issuer)))
    };
    let other = |member: &'static str, value: fn(&str) -> serde_json::Value| {
        move |issuer: &str, path: &str, _: usize| {
            let mut document = metadata(issuer);
            document[member] = value(issuer);
            path.starts_with("/.well-known/").then_some(Say::Json(200, document))
        }
    };
    let slip = |title, member, value| Case::discover(title, &[]).with(other(member, value));
    vec![
        discovery("No metadata there", |_| Say::Json(404, json!({}))).both(),
        discovery("Not found, as HTML", |_| {
            Say::Raw(404, "text/html", "<html>sentinel</html>".into())
        }),
        discovery("A page in place of the document", |_| {
            Say::Raw(200, "text/html", "<html>sentinel</html>".into())
        })
        .both(),
        discovery("A redirect", |_| {
            Say::Raw(302, "text/html\r\nlocation: https://elsewhere.example/", String::new())
        })
        .both(),
        discovery("A content coding that was not requested", |_| {
            Say::Raw(200, "application/json\r\ncontent-encoding: gzip", "sentinel".into())
        })
        .both(),
        discovery("A document that is too large", |_| {
            Say::Raw(200, "application/json", " ".repeat(3_000_000))
        })
        .both(),
        discovery("A gateway's trouble", |_| Say::Json(502, json!({"message": "upstream"}))),
        discovery("A firewall's refusal", |_| {
            Say::Raw(403, "text/html", "<html>sentinel</html>".into())
        }),
        discovery("An empty document", |_| Say::Json(200, json!({}))),
        slip("An issuer with a slash at the end", "issuer", |issuer| json!(format!("{issuer}/"))),
        slip("An issuer with a front-end address", "issuer", |_| {
            json!("https://login.example/realms/a")
        }),
        slip("An issuer of another type", "issuer", |_| json!(7)),
        slip("No CIBA endpoint", "backchannel_authentication_endpoint", |_| json!(null)),
        slip("No token endpoint", "token_endpoint", |_| json!(null)),
        slip("An endpoint over http elsewhere", "token_endpoint", |_| {
            json!("http://op.example/token")
        }),
        slip("An endpoint on the private network", "token_endpoint", |_| {
            json!("https://10.0.0.1/token")
        }),
    ]
}

fn fit() -> Vec<Case> {
    let op = |member: &'static str, value: serde_json::Value| {
        move |issuer: &str, path: &str, _: usize| {
            let mut document = metadata(issuer);
            document[member] = value.clone();
            path.starts_with("/.well-known/").then_some(Say::Json(200, document))
        }
    };
    let plain =
        |title, options: &[&'static str]| Case::authenticate(title, options).with(|_, _, _| None);
    vec![
        Case::authenticate("A method that is not offered", &["--client-auth", "none"])
            .with(op("token_endpoint_auth_methods_supported", json!(["private_key_jwt"]))),
        Case::authenticate("ID Tokens of other algorithms", &[])
            .with(op("id_token_signing_alg_values_supported", json!(["ES256", "PS256"]))),
        Case::authenticate("Algorithms of assertions that do not fit", &["--key", "DIR/key.pem"])
            .with(op("token_endpoint_auth_signing_alg_values_supported", json!(["RS256"])))
            .file("key.pem", PEM),
        plain("A code for a provider that takes none", &["--user-code", "sentinel"]),
        plain("Signed requests where none are taken", &["--key", "DIR/key.pem", "--signed-request", "ES256"])
            .file("key.pem", PEM),
        Case::authenticate(
            "Endpoint as audience of assertions, on the issuer's own host (it is allowed; the person is unknown)",
            &["--key", "DIR/key.pem", "--audience", "endpoint"],
        )
        .with(|_, path, _| (path == "/bc").then(|| error("unknown_user_id")))
        .file("key.pem", PEM),
        Case::authenticate(
            "Endpoint as audience of assertions, on another host",
            &["--key", "DIR/key.pem", "--audience", "endpoint"],
        )
        .with(op("backchannel_authentication_endpoint", json!("https://other.example/bc")))
        .file("key.pem", PEM),
        plain("An empty message", &["--binding-message", ""]),
        plain("The preset of Idura without the name of an eID", &["--provider", "idura", "--client-auth", "none"]),
        plain(
            "A delivery mode that is not offered",
            &["--provider", "keycloak", "--delivery", "push", "--listen", "127.0.0.1:PORT"],
        ),
    ]
}

fn fapi() -> Vec<Case> {
    let plain = |title, options: &[&'static str]| {
        Case::authenticate(title, options).with(|_, _, _| None).file("key.pem", PEM)
    };
    vec![
        plain(
            "A public client under the profile, over http",
            &["--profile", "fapi-ciba", "--client-auth", "none"],
        ),
        plain(
            "A key under the profile, over http, without a binding message",
            &["--profile", "fapi-ciba", "--key", "DIR/key.pem"],
        ),
        plain(
            "A secret under the profile",
            &["--profile", "fapi-ciba", "--client-secret-file", "DIR/key.pem"],
        ),
        plain(
            "RS256 under the profile",
            &["--profile", "fapi-ciba", "--key", "DIR/key.pem", "--id-token-alg", "RS256"],
        ),
        plain(
            "Push under the profile",
            &[
                "--profile",
                "fapi-ciba",
                "--key",
                "DIR/key.pem",
                "--delivery",
                "push",
                "--listen",
                "127.0.0.1:PORT",
            ],
        ),
    ]
}
