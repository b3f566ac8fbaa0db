//! Hosts that have a meaning only on this machine or its local network (RFC 6890 and its
//! successors).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Url;

impl Url {
    /// Returns `true` if the host is an address of this machine, of a private network or of no
    /// single public host: loopback, private ([RFC 1918]), shared ([RFC 6598]), link-local, unique
    /// local, reserved, documentation, multicast and unspecified addresses, IPv6 addresses that
    /// embed such an IPv4 address, and the name `localhost`.
    ///
    /// Names are not resolved, so a name that resolves to such an address is not detected.
    ///
    /// [RFC 1918]: https://www.rfc-editor.org/rfc/rfc1918
    /// [RFC 6598]: https://www.rfc-editor.org/rfc/rfc6598
    #[must_use]
    pub fn is_internal(&self) -> bool {
        let host = self.host();
        match host.strip_prefix('[').and_then(|literal| literal.strip_suffix(']')) {
            Some(literal) => literal.parse().is_ok_and(|address| is_internal(IpAddr::V6(address))),
            None => match host.parse() {
                Ok(address) => is_internal(IpAddr::V4(address)),
                Err(_) => {
                    let top = host.rsplit('.').next().unwrap_or_default();
                    top.eq_ignore_ascii_case("localhost")
                }
            },
        }
    }
}

fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_internal_v4(address),
        IpAddr::V6(address) => is_internal_v6(address),
    }
}

fn is_internal_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0 | 10 | 127, _, _) => true,
        (100, 64..=127, _) => true,
        (169, 254, _) | (192, 168, _) => true,
        (172, 16..=31, _) => true,
        // Protocol assignments, documentation, benchmarks.
        (192, 0, 0 | 2) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224..=255, _, _) => true,
        _ => false,
    }
}

fn is_internal_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_internal_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Unspecified, loopback, and the deprecated IPv4-compatible form.
        [0, 0, 0, 0, 0, 0, ..] => true,
        // IPv4-mapped, NAT64 and 6to4 addresses lead to the embedded IPv4 address.
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        // NAT64 with a prefix of the local network.
        [0x64, 0xff9b, 1, ..] => true,
        [0x2002, high, low, ..] => v4(high, low),
        // Discard, Teredo, documentation.
        [0x100, 0, 0, 0, ..] | [0x2001, 0, ..] | [0x2001, 0xdb8, ..] => true,
        [0x3fff, second, ..] if second < 0x1000 => true,
        // Unique local, link-local, site-local, multicast.
        [first, ..] => {
            first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80 || first & 0xff00 == 0xff00
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    fn internal(host: &str) -> bool {
        Url::parse(&format!("https://{host}/x")).unwrap().is_internal()
    }

    #[test]
    fn addresses_of_this_machine_and_its_networks_are_internal() {
        for host in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::a9fe:a9fe]",
            "[64:ff9b::a00:1]",
            "[64:ff9b:1::1]",
            "[2002:a00:1::]",
            "[2001::1]",
            "[2001:db8::1]",
            "[3fff::1]",
            "[100::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[febf::1]",
            "[fec0::1]",
            "[ff02::1]",
            "localhost",
            "LOCALHOST",
            "op.localhost",
        ] {
            assert!(internal(host), "{host}");
        }
        for host in [
            "op.example",
            "localhost.example",
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "169.253.0.0",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "[2606:4700::1111]",
            "[64:ff9b::101:101]",
            "[2002:101:101::]",
            "[2001:4860::1]",
            "[fbff::1]",
        ] {
            assert!(!internal(host), "{host}");
        }
    }

    proptest! {
        /// An address that embeds an IPv4 address is judged by the embedded one.
        #[test]
        fn an_ipv6_address_that_embeds_an_ipv4_address_is_judged_by_it(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            for wrapped in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(is_internal(IpAddr::V6(wrapped)), is_internal(IpAddr::V4(v4)));
            }
            prop_assert!(!v4.is_private() || is_internal(IpAddr::V4(v4)));
            prop_assert!(!v4.is_loopback() || is_internal(IpAddr::V4(v4)));
            prop_assert!(!v4.is_link_local() || is_internal(IpAddr::V4(v4)));
        }
    }
}
