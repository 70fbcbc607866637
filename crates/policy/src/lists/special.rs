//! What is never a sensible target of a network block, whatever the lists say, and what many others
//! share. Owns the special ranges and names; whether a block runs is policy's business.
//!
//! Addresses are those of IANA's registries of special-purpose IPv4 and IPv6 addresses, of IPv4 and
//! IPv6 multicast, and of the IPv6 address space. Public suffixes are those of publicsuffix.org, as
//! compiled into the `psl` crate. Names made for documents (`.example`) are not here: blocking one
//! hurts nobody.

use std::sync::LazyLock;

use psl::Psl;
use quell_model::entity::{IndicatorKind, NetworkIndicator};

use super::place::{self, Network, Place};
use super::relied_on;

/// The widest network worth blocking, as people write its prefix: a neighbourhood, not a provider.
const WIDEST: (u8, u8) = (24, 64);

const NOTHING: &str = "The value is no domain, address or URL.";
const WIDE: &str =
    "The network is wider than /24 (IPv4) or /64 (IPv6): a block would hit many others.";
const DOTLESS: &str = "The name has no dot: it is a machine nearby or a whole top-level domain.";
const SUFFIX: &str = "The name is a public suffix: everybody can have a name below it.";
const LOOPBACK_NAME: &str = "The name stands for the machine itself.";
const TOP: &str = "It is one of the most visited domains: a block would hit everybody.";
const PAGE: &str = "It is a page on one of the most visited domains.";
const BELOW: &str = "The name is below one of the most visited domains.";
const RANGE: &str =
    "The address belongs to a cloud, a content network or a mail provider, where many share one.";
const PRIVATE_NAME: &str = "The name means something else in every network.";

/// Names that lead nowhere outside, themselves and everything below (RFC 6761, 6762, 8375; ICANN
/// keeps `internal` for private use).
const NAMES: &[(&str, &str)] = &[
    ("localhost", LOOPBACK_NAME),
    ("local", PRIVATE_NAME),
    ("internal", PRIVATE_NAME),
    ("home.arpa", PRIVATE_NAME),
];

/// Networks, the more telling sentence first where two overlap.
const NETWORKS: &[(&str, &str)] = &[
    (
        "0.0.0.0/8",
        "The address is unspecified: it means no machine.",
    ),
    ("10.0.0.0/8", PRIVATE),
    (
        "100.64.0.0/10",
        "The address is shared behind a provider's address translation (CGNAT).",
    ),
    ("127.0.0.0/8", LOOPBACK),
    ("169.254.0.0/16", LINK_LOCAL),
    ("172.16.0.0/12", PRIVATE),
    ("192.0.0.0/24", PROTOCOL),
    ("192.0.2.0/24", DOCUMENTATION),
    ("192.31.196.0/24", SINK),
    ("192.52.193.0/24", PROTOCOL),
    ("192.88.99.0/24", TRANSLATION),
    ("192.168.0.0/16", PRIVATE),
    ("192.175.48.0/24", SINK),
    ("198.18.0.0/15", BENCHMARK),
    ("198.51.100.0/24", DOCUMENTATION),
    ("203.0.113.0/24", DOCUMENTATION),
    ("224.0.0.0/4", MULTICAST),
    (
        "255.255.255.255/32",
        "The address is the broadcast address: it means every machine nearby.",
    ),
    ("240.0.0.0/4", RESERVED),
    ("::/128", "The address is unspecified: it means no machine."),
    ("::1/128", LOOPBACK),
    ("64:ff9b::/96", TRANSLATION),
    ("64:ff9b:1::/48", TRANSLATION),
    ("100::/64", "Traffic to the address is discarded anyway."),
    (
        "100:0:0:1::/64",
        "Traffic to the address is discarded anyway.",
    ),
    ("2001::/32", TRANSLATION),
    ("2001:2::/48", BENCHMARK),
    ("2001::/23", PROTOCOL),
    ("2001:db8::/32", DOCUMENTATION),
    ("2002::/16", TRANSLATION),
    ("2620:4f:8000::/48", SINK),
    ("3fff::/20", DOCUMENTATION),
    ("5f00::/16", PROTOCOL),
    ("fc00::/7", PRIVATE),
    ("fe80::/10", LINK_LOCAL),
    ("fec0::/10", PRIVATE),
    ("ff00::/8", MULTICAST),
];

const PRIVATE: &str = "The address is private: it means another machine in every network.";
const LOOPBACK: &str = "The address is a loopback address: it means the machine itself.";
const LINK_LOCAL: &str = "The address is link-local: it means another machine on every link.";
const PROTOCOL: &str = "The address is set aside for network protocols.";
const DOCUMENTATION: &str = "The address is for documents: no machine has it.";
const BENCHMARK: &str = "The address is for tests of network devices: no machine outside has it.";
const TRANSLATION: &str =
    "The address belongs to a translation between IPv4 and IPv6, not to one machine.";
const SINK: &str = "The address answers queries for private addresses (AS112) for everybody.";
const MULTICAST: &str = "The address is a multicast address: it means a group, not a machine.";
const RESERVED: &str = "The address is reserved: no machine on the internet has it.";

/// Why a domain, address or URL is no sensible target of a block: one sentence. Nothing when it is.
///
/// Special are addresses and networks that are private or have another special purpose, networks
/// wider than /24 (IPv4) or /64 (IPv6), public suffixes (`com`, `co.uk`, `github.io`), names without
/// a dot or of private networks, URLs on one of these, the most visited domains and hosts, and what
/// is none of the three at all.
#[must_use]
pub fn special(indicator: &NetworkIndicator) -> Option<&'static str> {
    match Place::read(&indicator.value) {
        None => Some(NOTHING),
        Some(Place::Network(network)) => special_network(network),
        Some(Place::Name(name)) => special_name(&name)
            .or_else(|| (relied_on::is_top(&name) && !is_page(indicator)).then_some(TOP)),
    }
}

/// Why a block would hit many others beside whoever it is meant for: one sentence. Nothing when it
/// would not, or when the target is [`special`] anyway.
///
/// Attackers rent machines in the same clouds and sign up for the same services, so this is no reason
/// never to block; it is one to look first.
#[must_use]
pub fn shared(indicator: &NetworkIndicator) -> Option<&'static str> {
    match Place::read(&indicator.value)? {
        Place::Network(network) => {
            let shared = special_network(network).is_none() && relied_on::is_shared(network);
            shared.then_some(RANGE)
        }
        Place::Name(name) if special_name(&name).is_some() => None,
        Place::Name(name) if relied_on::is_top(&name) => is_page(indicator).then_some(PAGE),
        Place::Name(name) => relied_on::is_below_top(&name).then_some(BELOW),
    }
}

/// Whether it is about one page and not about a whole host.
fn is_page(indicator: &NetworkIndicator) -> bool {
    indicator.kind == IndicatorKind::Url && place::is_page(&indicator.value)
}

fn special_network(network: Network) -> Option<&'static str> {
    static SPECIAL: LazyLock<Vec<(Network, &str)>> = LazyLock::new(|| {
        let read = |(text, why): &(&str, &'static str)| Some((Network::read(text)?, *why));
        NETWORKS.iter().filter_map(read).collect()
    });
    let inside = SPECIAL
        .iter()
        .find(|(special, _)| special.contains(network));
    if let Some((_, why)) = inside {
        return Some(why);
    }
    let (v4, v6) = WIDEST;
    let widest = if network.is_v4() { v4 + 96 } else { v6 };
    if network.bits() < widest {
        return Some(WIDE);
    }
    if let Some((_, why)) = SPECIAL
        .iter()
        .find(|(special, _)| network.contains(*special))
    {
        return Some(why);
    }
    // Only 2000::/3 is given out for use on the internet.
    let given_out = Network::read("2000::/3").is_some_and(|global| global.contains(network));
    (!network.is_v4() && !given_out).then_some(RESERVED)
}

fn special_name(name: &str) -> Option<&'static str> {
    let below = |above: &str| {
        name.strip_suffix(above)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if let Some((_, why)) = NAMES.iter().find(|(above, _)| below(above)) {
        return Some(why);
    }
    if !name.contains('.') {
        return Some(DOTLESS);
    }
    let suffix = psl::List.suffix(name.as_bytes())?;
    (suffix.is_known() && suffix.as_bytes() == name.as_bytes()).then_some(SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(value: &str) -> Option<&'static str> {
        special(&NetworkIndicator {
            kind: IndicatorKind::Url,
            value: value.to_owned(),
        })
    }

    #[test]
    fn every_special_network_reads_and_is_found_by_its_first_address_and_as_a_whole() {
        for (text, why) in NETWORKS {
            let network = Network::read(text).unwrap_or_else(|| panic!("{text}"));
            assert!(special_network(network.inside().1).is_some(), "{text}");
            let first = text.split_once('/').unwrap().0;
            for value in [
                *text,
                first,
                &format!("http://[{first}]/"),
                &format!("{first}/x"),
            ] {
                // Brackets are for IPv6 alone.
                if value.contains('[') && !first.contains(':')
                    || value.ends_with("/x") && first.contains(':')
                {
                    continue;
                }
                assert!(of(value).is_some(), "{value}");
            }
            assert!(why.ends_with('.') && why.starts_with("T"), "{why}");
        }
    }

    #[test]
    fn addresses_are_told_apart_by_their_purpose() {
        for (value, why) in [
            ("127.0.0.1", LOOPBACK),
            ("::ffff:127.0.0.1", LOOPBACK),
            ("http://2130706433/", LOOPBACK),
            ("10.1.2.3", PRIVATE),
            ("https://192.168.1.1:8443/login", PRIVATE),
            ("169.254.169.254", LINK_LOCAL),
            (
                "100.100.1.1",
                "The address is shared behind a provider's address translation (CGNAT).",
            ),
            ("239.1.1.1", MULTICAST),
            ("203.0.113.9", DOCUMENTATION),
            ("fd00::1", PRIVATE),
            ("fe80::1", LINK_LOCAL),
            ("2001:db8::1", DOCUMENTATION),
            ("2001:2::1", BENCHMARK),
            ("4000::1", RESERVED),
            ("8.8.0.0/23", WIDE),
            ("2a00:1450::/63", WIDE),
            ("::/0", WIDE),
        ] {
            assert_eq!(of(value), Some(why), "{value}");
        }
    }

    #[test]
    fn public_suffixes_and_nearby_names_are_no_targets() {
        for (value, why) in [
            ("com", DOTLESS),
            ("co.uk", SUFFIX),
            ("GitHub.io.", SUFFIX),
            ("https://github.io/evil", SUFFIX),
            ("*.co.uk", SUFFIX),
            ("公司.cn", SUFFIX),
            ("intranet", DOTLESS),
            ("http://intranet/", DOTLESS),
            ("localhost", LOOPBACK_NAME),
            ("a.localhost", LOOPBACK_NAME),
            ("printer.local", PRIVATE_NAME),
            ("", NOTHING),
            ("no name", NOTHING),
        ] {
            assert_eq!(of(value), Some(why), "{value}");
        }
    }

    #[test]
    fn an_ordinary_target_is_none_of_it() {
        for value in [
            "8.8.8.8",
            "8.8.8.0/24",
            "2a00:1450:4001::1",
            "2a00:1450:4001::/64",
            "evil.example",
            "evil.github.io",
            "notlocalhost.example",
            "https://www.example.co.uk/a",
            "172.32.0.1",
            "unlisted.zzz",
        ] {
            assert_eq!(of(value), None, "{value}");
        }
    }

    fn value(kind: IndicatorKind, value: &str) -> NetworkIndicator {
        NetworkIndicator {
            kind,
            value: value.to_owned(),
        }
    }

    #[test]
    fn a_top_domain_is_no_target_however_it_is_written_and_one_page_of_it_is_for_a_person() {
        use IndicatorKind::{Domain, Ip, Url};
        for (kind, text, special_for, shared_for) in [
            (Domain, "google.com", Some(TOP), None),
            (Domain, "*.Google.com.", Some(TOP), None),
            (Domain, "google.com/x", Some(TOP), None),
            (Url, "https://www.facebook.com", Some(TOP), None),
            (Url, "https://facebook.com:443/#top", Some(TOP), None),
            (
                Url,
                "https://docs.google.com/forms/d/evil",
                None,
                Some(PAGE),
            ),
            (Url, "facebook.com/?next=evil", None, Some(PAGE)),
            (Domain, "blog.google.com", None, Some(BELOW)),
            (Url, "https://blog.google.com/x", None, Some(BELOW)),
            (Url, "https://evil.blogspot.com/x", None, None),
            (Domain, "evil.duckdns.org", None, None),
            (Domain, "duckdns.org", Some(SUFFIX), None),
            (Ip, "104.16.132.229", None, Some(RANGE)),
            (Url, "https://104.16.132.229/x", None, Some(RANGE)),
            (Ip, "104.16.0.0/12", Some(WIDE), None),
            (Ip, "185.220.101.1", None, None),
            (Ip, "10.0.0.1", Some(PRIVATE), None),
            (Domain, "nothing at all", Some(NOTHING), None),
        ] {
            let indicator = value(kind, text);
            assert_eq!(special(&indicator), special_for, "{text}");
            assert_eq!(shared(&indicator), shared_for, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_it_stumble(value in any::<String>()) {
            let why = of(&value);
            prop_assert!(why.is_none_or(|why| why.ends_with('.')));
            let shared = shared(&NetworkIndicator { kind: IndicatorKind::Url, value });
            prop_assert!(why.is_none() || shared.is_none());
        }
    }
}
