//! Every connector, in the order people read them.

use quell_connector::{Connector, connector};

use crate::active_directory::ActiveDirectory;
use crate::crowdstrike::CrowdStrike;
use crate::duo::Duo;
use crate::entra_id::EntraId;
use crate::github::GitHub;
use crate::google_workspace::GoogleWorkspace;
use crate::oidc::Oidc;
use crate::okta::Okta;
use crate::slack::Slack;
use crate::smtp::Smtp;

/// Every connector. A new vendor is one line here.
pub static CATALOG: &[Connector] = &[
    connector::<CrowdStrike>(),
    connector::<EntraId>(),
    connector::<ActiveDirectory>(),
    connector::<Okta>(),
    connector::<GoogleWorkspace>(),
    connector::<Duo>(),
    connector::<GitHub>(),
    connector::<Slack>(),
    connector::<Smtp>(),
    connector::<Oidc>(),
];

/// The connector with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Connector> {
    CATALOG.iter().find(|connector| connector.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_connector_is_found_by_its_own_id_and_no_two_share_one() {
        let ids: BTreeSet<_> = CATALOG.iter().map(|connector| connector.id).collect();
        assert_eq!(ids.len(), CATALOG.len());
        for id in ids {
            assert_eq!(find(id).map(|found| found.id), Some(id));
        }
        assert!(find("no-such-vendor").is_none());
    }

    #[test]
    fn every_row_says_what_it_needs_and_where_the_vendor_documents_it() {
        for connector in CATALOG {
            for row in connector.rows() {
                let name = format!("{} {}", connector.id, row.about.as_str());
                assert!(!row.facts.needs.is_empty(), "{name} needs no permission");
                assert!(row.facts.docs.starts_with("https://"), "{name} has no docs");
            }
        }
    }
}
