//! Where on the network something is: an address, a network or a name, however it is spelled. Owns
//! reading them; what is listed or special about one is decided elsewhere.

use std::net::IpAddr;

use url::{Host, Url};

use super::glob::fold;

/// An IPv4 or IPv6 network; an address is a network of one.
///
/// An IPv4 network is kept as the IPv6 network its addresses map to (`::ffff:0:0/96`), so that both
/// spellings of one address are one value. A wider IPv6 network that happens to contain the mapped
/// addresses is not about IPv4, and `v4` keeps the two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Network {
    v4: bool,
    first: u128,
    /// Length of the prefix, of 128 bits, for IPv4 too.
    bits: u8,
}

const MAPPED: u128 = 0xffff << 32;

/// Longest text that is read as a host, in bytes: room for a DNS name in any script, and an end to
/// the work a hostile one can make.
const LONGEST_HOST: usize = 2048;

impl Network {
    /// An address (`192.0.2.1`, `2001:db8::1`) or a network (`192.0.2.0/24`). Bits beyond the prefix
    /// are dropped, and so is a zone (`%eth0`).
    pub(super) fn read(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address = match address.split_once('%') {
            Some((address, _)) if address.contains(':') => address,
            _ => address,
        };
        let (first, whole, offset) = match address.parse().ok()? {
            IpAddr::V4(v4) => (MAPPED | u128::from(v4.to_bits()), 32, 96),
            IpAddr::V6(v6) => (v6.to_bits(), 128, 0),
        };
        let bits = match length {
            None => whole,
            // `u8` also reads `+8`.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits: &u8| *bits <= whole)?
            }
            Some(_) => return None,
        };
        Some(Self::new(first, bits + offset))
    }

    fn new(address: u128, bits: u8) -> Self {
        let first = address & mask(bits);
        Self {
            v4: bits >= 96 && first >> 32 == MAPPED >> 32,
            first,
            bits,
        }
    }

    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::new(MAPPED | u128::from(v4.to_bits()), 128),
            IpAddr::V6(v6) => Self::new(v6.to_bits(), 128),
        }
    }

    /// Whether it is about IPv4.
    pub(super) const fn is_v4(self) -> bool {
        self.v4
    }

    /// Length of the prefix, of 128 bits: 96 more than people write for IPv4.
    pub(super) const fn bits(self) -> u8 {
        self.bits
    }

    /// The network around it with a prefix of `bits`; itself when that would be narrower.
    pub(super) fn widened(self, bits: u8) -> Self {
        let bits = bits.min(self.bits);
        Self {
            first: self.first & mask(bits),
            bits,
            ..self
        }
    }

    /// Whether every address of `other` is one of its own.
    pub(super) fn contains(self, other: Self) -> bool {
        self.v4 == other.v4
            && self.bits <= other.bits
            && other.first & mask(self.bits) == self.first
    }

    /// Whether `address` is its first one.
    pub(super) const fn begins_with(self, address: Self) -> bool {
        self.first == address.first
    }

    /// The smallest and the largest of the networks inside it, itself included, as they sort.
    pub(super) fn inside(self) -> (Self, Self) {
        let last = Self {
            first: self.first | !mask(self.bits),
            bits: 128,
            ..self
        };
        (self, last)
    }
}

fn mask(bits: u8) -> u128 {
    u128::MAX
        .checked_shl(128 - u32::from(bits.min(128)))
        .unwrap_or(0)
}

/// What a network indicator is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// An address or a network.
    Network(Network),
    /// A DNS name as [`name`] spells it.
    Name(String),
}

impl Place {
    /// Reads an address, a network, a name or a URL; nothing when it is none of them. A name may come
    /// with `*.` or `.` before it, as products write "and everything below".
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(network) = Network::read(text) {
            return Some(Self::Network(network));
        }
        if text.contains(['/', '\\', ':', '?', '#', '@']) {
            return Self::host(url(text)?.host_str()?);
        }
        let below = text.strip_prefix("*.").or_else(|| text.strip_prefix('.'));
        Self::host(below.unwrap_or(text))
    }

    fn host(text: &str) -> Option<Self> {
        if text.len() > LONGEST_HOST {
            return None;
        }
        match Host::parse(text).ok()? {
            Host::Domain(domain) => tidy(&domain).map(Self::Name),
            Host::Ipv4(address) => Some(Self::Network(Network::of(address.into()))),
            Host::Ipv6(address) => Some(Self::Network(Network::of(address.into()))),
        }
    }
}

/// Whether a text is a URL that names more than a host.
pub(super) fn is_page(text: &str) -> bool {
    url(text.trim()).is_some_and(|url| url.path() != "/" || url.query().is_some())
}

fn url(text: &str) -> Option<Url> {
    // Browsers forgive `http:\\a.com`, and so does this; `a.com:80` is no scheme but a port.
    match Url::parse(text).ok().filter(Url::has_host) {
        None if !text.contains("://") => Url::parse(&format!("http://{text}")).ok(),
        url => url,
    }
}

/// A DNS name as it is compared: lower case, international names in their `xn--` form, no dot at the
/// end. Nothing when it is no name.
pub(super) fn name(text: &str) -> Option<String> {
    match Place::host(text.trim())? {
        Place::Name(name) => Some(name),
        Place::Network(_) => None,
    }
}

fn tidy(domain: &str) -> Option<String> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    // Longer is no DNS name (RFC 1035), and a hostile text of a million labels is not walked.
    (domain.len() <= 253 && domain.split('.').all(|label| !label.is_empty()))
        .then(|| domain.to_owned())
}

/// A name and the names above it: `www.example.com`, `example.com`, `com`.
pub(super) fn upwards(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        name.split_once('.').map(|(_, above)| above)
    })
}

/// A sender as it is compared, and its domain when it has one.
pub(super) fn sender(text: &str) -> (String, Option<String>) {
    let text = text.trim();
    // `Ana <ana@example.com>`: some products hand over the header as it stood.
    let bracketed = text
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'));
    let address = bracketed.map_or(text, |(_, address)| address);
    let (local, domain) = address.rsplit_once('@').unwrap_or(("", address));
    match name(domain) {
        Some(domain) if local.is_empty() => (domain.clone(), Some(domain)),
        Some(domain) => (format!("{}@{domain}", fold(local)), Some(domain)),
        None => (fold(address), None),
    }
}

/// A name or sender with its labels turned round (`ana@mail.example.com` is `com.example.mail@ana`),
/// so that everything below a domain sorts together.
pub(super) fn turned(text: &str) -> String {
    let (local, domain) = match text.rsplit_once('@') {
        Some((local, domain)) => (Some(local), domain),
        None => (None, text),
    };
    let mut turned = domain.rsplit('.').collect::<Vec<_>>().join(".");
    if let Some(local) = local {
        turned.push('@');
        turned.push_str(local);
    }
    turned
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        Network::read(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn bits_of(address: IpAddr) -> Vec<bool> {
        let octets: Vec<u8> = match address {
            IpAddr::V4(address) => address.octets().into(),
            IpAddr::V6(address) => address.octets().into(),
        };
        let bits = |octet: u8| (0..8).rev().map(move |bit| octet >> bit & 1 == 1);
        octets.into_iter().flat_map(bits).collect()
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        // Few distinct bits, so that networks meet.
        let v4 =
            (0..4u32, 0..4u32).prop_map(|(high, low)| Ipv4Addr::from_bits(high << 30 | low).into());
        let v6 = (0..4u128, 0..4u128)
            .prop_map(|(high, low)| Ipv6Addr::from_bits(high << 126 | low).into());
        prop_oneof![v4, v6]
    }

    #[test]
    fn both_spellings_of_an_ipv4_address_are_one() {
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_eq!(network("::ffff:c000:200/120"), network("192.0.2.0/24"));
        assert!(!network("::/0").contains(network("192.0.2.1")));
        assert!(network("0.0.0.0/0").contains(network("::ffff:192.0.2.1")));
    }

    #[test]
    fn what_is_no_address_or_network_is_refused() {
        for text in [
            "",
            "/",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.4/+8",
            "1.2.3.4/",
            "::/129",
            "01.2.3.4",
            "1.2.3.4/0.0.0.0",
        ] {
            assert_eq!(Network::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_place_is_found_in_every_spelling_of_it() {
        let of = |text: &str| Place::read(text);
        let named = |name: &str| Some(Place::Name(name.to_owned()));
        for text in [
            "example.com",
            "EXAMPLE.com.",
            "*.example.com",
            ".example.com",
            "https://example.com/a?b#c",
            "example.com/a",
            "example.com:8443",
            "http://ana:pass@example.com:80/",
            "http://safe.test@example.com/",
            r"http:\\example.com\a",
        ] {
            assert_eq!(of(text), named("example.com"), "{text}");
        }
        assert_eq!(of("bücher.example"), named("xn--bcher-kva.example"));
        for text in [
            "127.0.0.1",
            "http://127.0.0.1/",
            "http://2130706433/",
            "0x7f.1",
            "127.0.0.1:80",
            "http://[::ffff:7f00:1]/",
        ] {
            assert_eq!(
                of(text),
                Some(Place::Network(network("127.0.0.1"))),
                "{text}"
            );
        }
        assert_eq!(of("fe80::1%eth0"), Some(Place::Network(network("fe80::1"))));
        for text in ["", ".", "..", "a..b", "http://", "a b", &"a.".repeat(200)] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn turned_names_sort_with_what_is_above_them() {
        assert_eq!(turned("www.example.com"), "com.example.www");
        assert_eq!(turned("ana@mail.example.com"), "com.example.mail@ana");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_network_contains_what_shares_its_prefix(
            (a, a_length) in (address(), 0..=128u8),
            (b, b_length) in (address(), 0..=128u8),
        ) {
            let length = |address: IpAddr, length: u8| if address.is_ipv4() { length % 33 } else { length };
            let (a_length, b_length) = (length(a, a_length), length(b, b_length));
            let (outer, inner) = (network(&format!("{a}/{a_length}")), network(&format!("{b}/{b_length}")));
            let (a_bits, b_bits) = (bits_of(a), bits_of(b));
            let shared = usize::from(a_length);
            let expected = a.is_ipv4() == b.is_ipv4() && a_length <= b_length && a_bits[..shared] == b_bits[..shared];
            prop_assert_eq!(outer.contains(inner), expected);
            prop_assert_eq!(inner.widened(outer.bits()) == outer, expected);
            let (from, to) = outer.inside();
            prop_assert_eq!(from <= inner && inner <= to, expected);
        }

        #[test]
        fn no_text_makes_it_stumble(text in any::<String>()) {
            let _ = (Network::read(&text), Place::read(&text), name(&text), sender(&text), turned(&text));
        }
    }
}
