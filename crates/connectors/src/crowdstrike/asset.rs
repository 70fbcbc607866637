//! What Falcon's words about a machine mean, the same for live records and for alerts.

use std::collections::BTreeSet;

use quell_model::{AssetClass, AssetFacts};

/// Prefix of the tags set in the console or through the API. Sensor grouping tags, which whoever
/// administers the machine can set, keep their prefix, so that nobody on a compromised host can
/// give it a label that policy trusts.
const CONSOLE_TAG: &str = "falcongroupingtags/";

/// The words a device record has about what it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Words<'a> {
    pub(super) product_type_desc: Option<&'a str>,
    pub(super) product_type: Option<&'a str>,
    pub(super) platform: Option<&'a str>,
    pub(super) os_version: Option<&'a str>,
}

/// The class of a machine. What several members say, the vendor's own sentence says first.
pub(super) fn class(words: Words<'_>) -> AssetClass {
    let is = |word: Option<&str>, wanted: &str| {
        word.is_some_and(|w| w.trim().eq_ignore_ascii_case(wanted))
    };
    match words.product_type_desc {
        desc if is(desc, "workstation") => return AssetClass::Workstation,
        desc if is(desc, "server") => return AssetClass::Server,
        desc if is(desc, "domain controller") => return AssetClass::DomainController,
        desc if is(desc, "mobile") => return AssetClass::Mobile,
        _ => {}
    }
    // Numbers as Windows counts its product types.
    match words.product_type.map(str::trim) {
        Some("1") => return AssetClass::Workstation,
        Some("2") => return AssetClass::DomainController,
        Some("3") => return AssetClass::Server,
        _ => {}
    }
    if is(words.platform, "ios") || is(words.platform, "android") {
        return AssetClass::Mobile;
    }
    let server = |os: &str| os.to_ascii_lowercase().contains("windows server");
    if words.os_version.is_some_and(server) {
        return AssetClass::Server;
    }
    AssetClass::Unknown
}

/// The operating system family.
pub(super) fn platform(name: &str) -> String {
    match name.trim().to_ascii_lowercase().as_str() {
        "mac" | "macos" | "mac os" => "macos".to_owned(),
        other => quell_model::text::line(other),
    }
}

/// Facts from a class and the vendor's tags.
pub(super) fn facts<'a>(class: AssetClass, tags: impl Iterator<Item = &'a str>) -> AssetFacts {
    let mut labels = BTreeSet::new();
    for tag in tags {
        let tag = quell_model::text::line(tag).to_lowercase();
        if let Some(short) = tag.strip_prefix(CONSOLE_TAG)
            && !short.is_empty()
        {
            labels.insert(short.to_owned());
        }
        if !tag.is_empty() {
            labels.insert(tag);
        }
    }
    AssetFacts {
        class,
        labels,
        ..AssetFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_wins_over_the_number_and_the_number_over_the_operating_system() {
        let words = Words {
            product_type_desc: Some("Domain Controller"),
            product_type: Some("3"),
            os_version: Some("Windows Server 2022"),
            platform: Some("Windows"),
        };
        assert_eq!(class(words), AssetClass::DomainController);
        let words = Words {
            product_type_desc: None,
            ..words
        };
        assert_eq!(class(words), AssetClass::Server);
        let words = Words {
            product_type: None,
            ..words
        };
        assert_eq!(class(words), AssetClass::Server);
        assert_eq!(class(Words::default()), AssetClass::Unknown);
    }

    #[test]
    fn only_tags_set_in_the_console_become_short_labels() {
        let tags = [
            "FalconGroupingTags/Red-Team",
            "SensorGroupingTags/break-glass",
        ];
        let labels = facts(AssetClass::Unknown, tags.into_iter()).labels;
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        assert_eq!(
            labels,
            [
                "falcongroupingtags/red-team",
                "red-team",
                "sensorgroupingtags/break-glass"
            ]
        );
    }
}
