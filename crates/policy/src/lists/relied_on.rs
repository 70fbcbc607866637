//! What much of the internet relies on: the most visited domains, and the addresses that many share.
//! Owns looking them up in `crates/policy/data`, which `cargo xtask lists` writes; what follows from
//! a finding is decided elsewhere.
//!
//! Which names count is a choice. A listed domain itself and its `www.` are everybody's, and so are
//! host names that everybody asks for (`accounts.google.com`). Any other name below a listed domain
//! may be its owner's or, at a hosting or dynamic-DNS provider, an attacker's: it is not protected,
//! only known to be below. Where anybody can have a name below (the public suffix list's private
//! part, and `hosting-domains.txt` for those that are not in it) not even that is said.

use std::cmp::Ordering;
use std::sync::LazyLock;

use psl::Psl;

use super::place::{Network, upwards};

const DOMAINS: &str = include_str!("../../data/top-domains.txt");
const HOSTS: &str = include_str!("../../data/top-hosts.txt");
const HOSTING: &str = include_str!("../../data/hosting-domains.txt");
const RANGES: &str = include_str!("../../data/shared-ranges.txt");

/// Whether everybody relies on this very name.
pub(super) fn is_top(name: &str) -> bool {
    let without = name.strip_prefix("www.").unwrap_or(name);
    // What is listed as a host counts only below a listed domain: the ranking of hosts counts
    // questions, and what people can register below a public suffix is not the suffix's.
    let is_host = || {
        has(HOSTS, name) && registrable(name).is_some_and(|registrable| has(DOMAINS, registrable))
    };
    has(DOMAINS, without) || is_host()
}

/// Whether the name is below a domain everybody relies on, and only the domain's owner can have put
/// it there.
pub(super) fn is_below_top(name: &str) -> bool {
    registrable(name).is_some_and(|registrable| registrable != name && has(DOMAINS, registrable))
        && !upwards(name).any(|above| has(HOSTING, above))
}

/// Whether addresses of the network belong to a range that many share.
pub(super) fn is_shared(network: Network) -> bool {
    // INVARIANT: sorted, and none contains another, so only the two neighbours can touch `network`.
    static SORTED: LazyLock<Vec<Network>> = LazyLock::new(|| {
        let mut ranges: Vec<Network> = RANGES.lines().filter_map(Network::read).collect();
        ranges.sort_unstable();
        ranges
    });
    let after = SORTED.partition_point(|range| *range <= network);
    let around = after.checked_sub(1).and_then(|before| SORTED.get(before));
    around.is_some_and(|range| range.contains(network))
        || SORTED
            .get(after)
            .is_some_and(|range| network.contains(*range))
}

/// The name that somebody registered: `example.co.uk` of `www.example.co.uk`.
fn registrable(name: &str) -> Option<&str> {
    let domain = psl::List.domain(name.as_bytes())?;
    std::str::from_utf8(domain.as_bytes()).ok()
}

/// Whether `name` is a line of a text whose lines are sorted by their bytes. Searched where it lies:
/// nothing is built at the start and nothing allocated. The comment at its top sorts before any name.
fn has(text: &str, name: &str) -> bool {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let middle = rest.len() / 2;
        let (before, after) = rest.split_at(middle);
        let newline = |byte: &u8| *byte == b'\n';
        let start = before.iter().rposition(newline).map_or(0, |at| at + 1);
        let end = after
            .iter()
            .position(newline)
            .map_or(rest.len(), |at| middle + at);
        let line = rest.get(start..end).unwrap_or_default();
        rest = match line.cmp(name.as_bytes()) {
            Ordering::Equal => return true,
            Ordering::Less => rest.get(end + 1..).unwrap_or_default(),
            Ordering::Greater => rest.get(..start).unwrap_or_default(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn lines(text: &'static str) -> Vec<&'static str> {
        text.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn the_data_is_sorted_and_every_line_of_it_is_found() {
        for text in [DOMAINS, HOSTS, HOSTING] {
            let lines = lines(text);
            assert!(lines.len() > 90);
            assert!(lines.is_sorted_by(|a, b| a < b));
            for line in lines {
                assert!(has(text, line), "{line}");
                assert!(!has(text, &format!("{line}x")), "{line}");
            }
            assert!(!has(text, ""));
            assert!(!has("", "a"));
        }
    }

    #[test]
    fn every_range_reads_and_none_contains_another() {
        let mut ranges: Vec<Network> = lines(RANGES)
            .into_iter()
            .map(|line| Network::read(line).unwrap_or_else(|| panic!("{line}")))
            .collect();
        assert!(ranges.len() > 7000);
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            assert!(!pair[0].contains(pair[1]) && !pair[1].contains(pair[0]));
        }
    }

    #[test]
    fn the_names_everybody_relies_on_are_top_and_those_of_others_below_them_are_not() {
        for name in [
            "google.com",
            "www.google.com",
            "accounts.google.com",
            "google.de",
            "facebook.com",
            "www.facebook.com",
            "microsoft.com",
            "login.microsoftonline.com",
            "outlook.office365.com",
            "gmail.com",
            "outlook.com",
            "yahoo.com",
            "github.com",
        ] {
            assert!(is_top(name), "{name}");
        }
        for name in ["blog.google.com", "x.y.facebook.com"] {
            assert!(!is_top(name) && is_below_top(name), "{name}");
        }
        for name in [
            "evil.blogspot.com",
            "evil.duckdns.org",
            "a.evil.duckdns.org",
            "evil.github.io",
            "evil.pages.dev",
            "evil.web.app",
            "evil.hopto.org",
            "evil.azurewebsites.net",
            "d1a2b3.cloudfront.net",
            "evil.s3.amazonaws.com",
            "evil.sharepoint.com",
            "evil.weebly.com",
            "google.com.evil.test",
            "goog1e.com",
            "notgoogle.com",
            "evil.test",
        ] {
            assert!(!is_top(name) && !is_below_top(name), "{name}");
        }
    }

    #[test]
    fn addresses_of_clouds_and_content_networks_are_shared() {
        let shared =
            |text: &str| is_shared(Network::read(text).unwrap_or_else(|| panic!("{text}")));
        for text in [
            "104.16.132.229",
            "104.16.0.0/24",
            "2606:4700::1111",
            "52.95.110.1",
        ] {
            assert!(shared(text), "{text}");
        }
        for text in ["185.220.101.1", "198.51.100.7", "2001:db8::1", "::"] {
            assert!(!shared(text), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_sorted_text_holds_its_lines_and_nothing_else(
            names in proptest::collection::btree_set("[a-c.]{1,4}", 0..40),
            asked in "[a-c.]{1,4}",
        ) {
            let mut text = String::from("# A heading.\n#\n");
            for name in &names {
                text.push_str(name);
                text.push('\n');
            }
            prop_assert_eq!(has(&text, &asked), names.contains(&asked));
            let unended = text.trim_end();
            prop_assert_eq!(has(unended, &asked), names.contains(&asked));
        }

        #[test]
        fn a_network_is_shared_when_a_range_touches_it(first: u32, bits in 8_u8..=32, near: prop::sample::Index) {
            // Random addresses hardly ever hit; every second try begins at a range.
            let ranges = lines(RANGES);
            let chosen = ranges[near.index(ranges.len())];
            let address = chosen.split('/').next().unwrap();
            let text = match first % 2 {
                0 if address.contains(':') => format!("{address}/{}", bits + 16),
                0 => format!("{address}/{bits}"),
                _ => format!("{}/{bits}", std::net::Ipv4Addr::from(first)),
            };
            let network = Network::read(&text).unwrap();
            let touched = ranges.iter().filter_map(|range| Network::read(range))
                .any(|range| range.contains(network) || network.contains(range));
            prop_assert_eq!(is_shared(network), touched, "{}", text);
        }
    }

    #[test]
    fn hosting_names_are_known_ones() {
        let known: BTreeSet<_> = lines(HOSTING).into_iter().collect();
        for name in ["duckdns.org", "blogspot.com", "github.io"] {
            assert!(known.contains(name), "{name}");
        }
    }
}
