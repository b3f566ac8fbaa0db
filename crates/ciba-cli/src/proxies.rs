//! The proxy of the environment, read once and in one way for both HTTP libraries.

use std::net::IpAddr;

use ciba_core::http::Url;

use crate::exit::Stop;

/// Which addresses are reached through a proxy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    proxy: Option<Proxy>,
    direct: Vec<Direct>,
}

#[derive(Clone)]
struct Proxy {
    /// With user name and password, in a form that both libraries parse.
    address: String,
    /// Without user name and password.
    shown: String,
    /// The variable that names it.
    variable: &'static str,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({} of {})", self.shown, self.variable)
    }
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Direct {
    what: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    /// The name and its subdomains.
    Domain(String),
    Network(IpAddr, u8),
}

/// Plain HTTP stays on this machine and never uses a proxy, so `HTTP_PROXY` is ignored. The more
/// specific variable wins, and lower case wins, as in other programs.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];
const SCHEMES: [&str; 7] = ["http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"];

impl Proxies {
    /// Reads the environment.
    pub(crate) fn of_environment() -> Result<Self, Stop> {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Stop> {
        let filled = |name: &&str| variable(name).is_some_and(|value| !value.trim().is_empty());
        let Some(name) = VARIABLES.into_iter().find(|name| filled(name)) else {
            return Ok(Self::default());
        };
        let value = variable(name).unwrap_or_default();
        // The value may hold a password.
        let proxy = Proxy::parse(name, value.trim()).map_err(|why| {
            Stop::usage(format!("the proxy named by {name} cannot be used: {why}"))
        })?;
        let exceptions = EXCEPTIONS
            .into_iter()
            .find(|name| filled(name))
            .and_then(&variable)
            .unwrap_or_default();
        let entries =
            exceptions.split([',', ' ', '\t', '\n', '\r']).filter(|entry| !entry.is_empty());
        Ok(Self { proxy: Some(proxy), direct: entries.filter_map(Direct::parse).collect() })
    }

    fn for_url(&self, url: &str) -> Option<&Proxy> {
        let proxy = self.proxy.as_ref()?;
        let rest = url.strip_prefix("https://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = host_and_port(authority);
        let port = port.unwrap_or(443);
        let is_direct = self.direct.iter().any(|entry| entry.matches(host, port));
        (!is_direct).then_some(proxy)
    }

    /// The proxy for an address, for people: without user name and password.
    pub(crate) fn shown_for(&self, url: &str) -> Option<String> {
        self.for_url(url).map(|proxy| format!("{} ({})", proxy.shown, proxy.variable))
    }

    /// For reqwest, which asks with addresses of its own type.
    pub(crate) fn for_reqwest(&self) -> ciba_reqwest::reqwest::Proxy {
        let proxies = self.clone();
        ciba_reqwest::reqwest::Proxy::custom(move |url| {
            proxies.for_url(url.as_str()).map(|proxy| proxy.address.clone())
        })
    }

    /// For ureq.
    pub(crate) fn for_ureq(&self, url: &Url) -> Option<ciba_ureq::ureq::Proxy> {
        ciba_ureq::ureq::Proxy::new(&self.for_url(url.as_str())?.address).ok()
    }
}

impl Proxy {
    /// Reads an address; one without a scheme is that of an HTTP proxy.
    fn parse(variable: &'static str, text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        if !SCHEMES.contains(&scheme.as_str()) {
            return Err("it is none of http, https, socks4, socks4a, socks5 and socks5h");
        }
        let scheme = if scheme == "socks" { "socks5".to_owned() } else { scheme };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() || authority.contains(['?', '#']) {
            return Err("it has something after host and port");
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (name, port) = host_and_port(host);
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err("it names no host");
        }
        if port.is_none() && host.len() > name.len() + usize::from(host.starts_with('[')) * 2 {
            return Err("its port is not a number from 1 to 65535");
        }
        let port = port.unwrap_or(match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => 1080,
        });
        let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
        let shown = format!("{scheme}://{name}:{port}");
        let address = match user {
            Some(user) => format!("{scheme}://{user}@{name}:{port}"),
            None => shown.clone(),
        };
        // A library ignores what it cannot parse, and would connect directly.
        let is_read = ciba_reqwest::reqwest::Proxy::all(&address).is_ok()
            && ciba_ureq::ureq::Proxy::new(&address).is_ok();
        if is_read {
            Ok(Self { address, shown, variable })
        } else {
            Err("it is not the address of a proxy")
        }
    }
}

impl Direct {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self { what: Hosts::All, port: None });
        }
        if let Some((network, bits)) = entry.split_once('/') {
            let address: IpAddr = network.trim_matches(['[', ']']).parse().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(address))?;
            return Some(Self { what: Hosts::Network(address, bits), port: None });
        }
        let (host, port) = match entry.parse::<IpAddr>() {
            Ok(_) => (entry, None),
            Err(_) => host_and_port(entry),
        };
        let what = match host.parse::<IpAddr>() {
            Ok(address) => Hosts::Network(address, width(address)),
            Err(_) => {
                Hosts::Domain(host.trim_start_matches('*').trim_matches('.').to_ascii_lowercase())
            }
        };
        Some(Self { what, port })
    }

    fn matches(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|wanted| wanted != port) {
            return false;
        }
        match &self.what {
            Hosts::All => true,
            Hosts::Domain(domain) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let above = host.strip_suffix(domain.as_str());
                !domain.is_empty()
                    && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            Hosts::Network(network, bits) => {
                host.parse().is_ok_and(|address| is_within(address, *network, *bits))
            }
        }
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (ours, theirs, width): (u128, u128, u8) = match (address, network) {
        (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
            (u32::from(ours).into(), u32::from(theirs).into(), 32)
        }
        (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.into(), theirs.into(), 128),
        _ => return false,
    };
    let differ = ours ^ theirs;
    differ.checked_shr(u32::from(width.saturating_sub(bits))).unwrap_or(0) == 0
}

/// Without the brackets of an IPv6 address.
fn host_and_port(authority: &str) -> (&str, Option<u16>) {
    let port = |text: &str| text.parse().ok().filter(|port| *port > 0);
    if let Some((host, rest)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':').and_then(port));
    }
    match authority.rsplit_once(':') {
        Some((host, number)) => (host, port(number)),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Proxies, Stop> {
        Proxies::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn shown(variables: &[(&str, &str)], url: &str) -> Option<String> {
        read(variables).unwrap().shown_for(url)
    }

    #[test]
    fn the_more_specific_variable_names_the_proxy_and_its_password_is_never_shown() {
        let url = "https://op.example/token";
        for (variables, expected) in [
            (&[][..], None),
            (&[("HTTPS_PROXY", "")], None),
            (&[("HTTP_PROXY", "http://p:1")], None),
            (&[("HTTPS_PROXY", "p.test")], Some("http://p.test:80 (HTTPS_PROXY)")),
            (&[("ALL_PROXY", "socks5h://p.test")], Some("socks5h://p.test:1080 (ALL_PROXY)")),
            (&[("all_proxy", "SOCKS://[::1]:9")], Some("socks5://[::1]:9 (all_proxy)")),
            (
                &[("ALL_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://b:2")],
                Some("http://b:2 (HTTPS_PROXY)"),
            ),
            (
                &[("https_proxy", " http://u:sentinel@p.test:3128/ ")],
                Some("http://p.test:3128 (https_proxy)"),
            ),
        ] {
            assert_eq!(shown(variables, url).as_deref(), expected, "{variables:?}");
        }
        let secret = read(&[("ALL_PROXY", "http://u:sentinel@p.test:3128")]).unwrap();
        assert!(!format!("{secret:?}").contains("sentinel"));
        assert_eq!(
            secret.for_ureq(&Url::parse(url).unwrap()).unwrap().password(),
            Some("sentinel")
        );
        assert_eq!(
            secret.shown_for("http://127.0.0.1:8080/token"),
            None,
            "plain http never goes through a proxy"
        );
    }

    #[test]
    fn an_unusable_proxy_stops_the_command_and_is_not_repeated() {
        for value in [
            "ftp://sentinel:1",
            "http://",
            "http://:3128",
            "http://sentinel:port",
            "http://sentinel:0",
            "http://sentinel:70000",
            "http://sentinel:1/path",
            "http://sentinel:1?x",
            "sentinel host:1",
            "http://a b@sentinel:1",
            "://sentinel",
        ] {
            for name in VARIABLES {
                let stop = read(&[(name, value)]).unwrap_err();
                assert_eq!(stop.code, crate::exit::USAGE);
                assert!(
                    stop.sentence.contains(name) && !stop.sentence.contains("sentinel"),
                    "{}",
                    stop.sentence
                );
            }
        }
    }

    #[test]
    fn no_proxy_holds_names_networks_and_ports_separated_by_commas_or_spaces() {
        let reached = |exceptions: &str, url: &str| {
            shown(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", exceptions)], url).is_none()
        };
        for (exceptions, url, is_direct) in [
            ("op.example", "https://op.example/", true),
            ("op.example", "https://a.op.example/", true),
            (".op.example", "https://op.example/", true),
            ("*.op.example", "https://a.op.example/", true),
            ("op.example", "https://xop.example/", false),
            ("OP.Example.", "https://op.example/", true),
            ("a.test, op.example", "https://op.example/", true),
            ("a.test op.example", "https://op.example/", true),
            ("op.example:8443", "https://op.example/", false),
            ("op.example:443", "https://op.example/", true),
            ("*", "https://op.example/", true),
            ("10.0.0.0/8", "https://10.1.2.3:9443/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("0.0.0.0/0", "https://11.1.2.3/", true),
            ("10.1.2.3", "https://10.1.2.3/", true),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("::1", "https://[::1]:9/", true),
            ("[::1]:9", "https://[::1]:10/", false),
            ("10.0.0.0/99", "https://10.0.0.1/", false),
            ("", "https://op.example/", false),
        ] {
            assert_eq!(reached(exceptions, url), is_direct, "{exceptions:?} {url}");
        }
    }
}
