//! What would be cut off with a destination or a sender: everybody, many others, or an attacker.

use std::sync::LazyLock;

use quell_model::ActionType;
use quell_model::Outcome::{Ask, Auto, Never};
use quell_model::entity::{IndicatorKind, NetworkIndicator, Sender};
use quell_policy::Policy;

use crate::support::{Case, builtin, rule_ids, with_matrix};

/// A block of a destination.
pub(crate) fn block(value: &str) -> Case {
    let kind = if value.contains('/') || value.parse::<std::net::IpAddr>().is_ok() {
        IndicatorKind::Ip
    } else {
        IndicatorKind::Domain
    };
    let value = value.to_owned();
    Case::new(ActionType::BlockIndicator)
        .with(|case| case.target = NetworkIndicator { kind, value }.into())
}

/// Blockers of addresses, 2018 to 2026: private networks, everybody's suffixes and half the internet
/// are no targets.
#[test]
fn what_would_cut_off_everybody_is_not_blocked_even_after_a_yes() {
    for value in [
        "10.0.0.1",
        "127.0.0.1",
        "8.0.0.0/8",
        "0.0.0.0/0",
        "com",
        "co.uk",
        "localhost",
    ] {
        let decision = block(value).decide(builtin());
        assert_eq!(
            (decision.outcome, rule_ids(&decision)),
            (Never, vec!["never-special"]),
            "{value}"
        );
        assert!(decision.reasons[0].text.ends_with('.'), "{decision:?}");
    }
    for value in ["198.51.101.7", "evil.example.org"] {
        assert_eq!(block(value).decide(builtin()).outcome, Ask, "{value}");
    }
    let everybody = Case::new(ActionType::BlockSender).with(|case| {
        let value = "co.uk".to_owned();
        case.target = Sender { value }.into();
    });
    assert_eq!(everybody.decide(builtin()).outcome, Never);
}

/// September 2022: an update marked every domain of Google as malicious, and everybody was cut off for
/// an hour. April 2017: another vendor's marked Facebook.
#[test]
fn google_2022_and_facebook_2017_are_not_blocked_even_after_a_yes() {
    for value in [
        "google.com",
        "www.google.com",
        "accounts.google.com",
        "mail.google.com",
        "docs.google.com",
        "google.de",
        "google.co.jp",
        "gstatic.com",
        "www.googleapis.com",
        "youtube.com",
        "gmail.com",
        "facebook.com",
        "www.facebook.com",
        "graph.facebook.com",
        "fbcdn.net",
    ] {
        let decision = block(value).decide(relaxed());
        assert_eq!(
            (decision.outcome, rule_ids(&decision)),
            (Never, vec!["never-special"]),
            "{value}"
        );
    }
    let everybody = Case::new(ActionType::BlockSender).with(|case| {
        let value = "gmail.com".to_owned();
        case.target = Sender { value }.into();
    });
    assert_eq!(everybody.decide(relaxed()).outcome, Never);
    let one = Case::new(ActionType::BlockSender).with(|case| {
        let value = "mallory@gmail.com".to_owned();
        case.target = Sender { value }.into();
    });
    assert_eq!(one.decide(relaxed()).outcome, Auto);
}

/// Blocks left to Quell.
fn relaxed() -> &'static Policy {
    static RELAXED: LazyLock<Policy> = LazyLock::new(|| {
        with_matrix(
            "[actions.block_indicator]\nany = \"auto\"\n[actions.block_sender]\nany = \"auto\"",
        )
    });
    &RELAXED
}

#[test]
fn what_others_share_asks_and_where_attackers_live_is_blocked() {
    for value in ["104.16.132.229", "2606:4700::1", "blog.google.com"] {
        let decision = block(value).decide(relaxed());
        assert_eq!(
            (decision.outcome, rule_ids(&decision)),
            (Ask, vec!["ask-shared"]),
            "{value}"
        );
    }
    for value in ["evil.duckdns.org", "evil.blogspot.com", "185.220.101.1"] {
        assert_eq!(block(value).decide(relaxed()).outcome, Auto, "{value}");
    }
}
