//! What a request can look like beyond what the schema says, as rules of our own that forbid everything
//! else. It follows `crates/policy/src/facts.rs`, which makes requests; a test holds the two together.

/// What Quell makes of an alert is never outside these; the schema cannot say so. Without them a
/// severity of minus nine would be a counter-example.
pub(crate) const POSSIBLE: &[&str] = &[
    "forbid (principal, action, resource) unless { context.severity >= 1 && context.severity <= 5 };",
    "forbid (principal, action, resource) when { context has confidence }
     unless { context.confidence >= 0 && context.confidence <= 100 };",
    "forbid (principal, action, resource) when { resource has prevalence && resource.prevalence < 0 };",
    "forbid (principal, action, resource) when { resource has recipients && resource.recipients < 0 };",
    "forbid (principal, action, resource is File)
     unless { resource.unnamed == !(resource has name || resource has path) };",
];

/// What an uninteresting request looks like, the most telling first. Whatever of it a counter-example
/// can have it gets, so that only what matters stands out.
pub(crate) const PLAIN: &[&str] = &[
    "forbid (principal == Mode::\"approved\", action, resource);",
    "forbid (principal, action, resource) unless { resource.labels.isEmpty() };",
    "forbid (principal, action, resource) when { resource.critical };",
    "forbid (principal, action, resource) when { resource in [List::\"never\", List::\"ask\", List::\"not-allowed\"] };",
    "forbid (principal, action, resource) when { context has confidence };",
    "forbid (principal, action, resource) unless { context.severity == 4 };",
    "forbid (principal, action, resource) unless { context.source == \"example\" };",
    "forbid (principal, action, resource) unless { context.detection == \"example\" };",
    "forbid (principal, action, resource) when { resource has unnamed && resource.unnamed };",
    "forbid (principal, action, resource) when {
       resource has vital && resource.vital || resource has system_file && resource.system_file
       || resource has well_known && resource.well_known || resource has os_signed
       || resource has prevalence || resource has whole_domain && resource.whole_domain
       || resource has special && resource.special || resource has shared && resource.shared
     };",
    "forbid (principal, action, resource) when {
       resource has path || resource has platform || resource has principal || resource has domain
       || resource has provider || resource has account || resource has region || resource has user
       || resource has mailbox || resource has sender
     };",
    "forbid (principal, action, resource) when { resource has name } unless { resource.name == \"example\" };",
    "forbid (principal, action, resource) when { resource has name };",
    "forbid (principal, action, resource) when { resource has value } unless { resource.value == \"example\" };",
    "forbid (principal, action, resource) when { resource has class } unless { resource.class == Class::\"workstation\" };",
];

#[cfg(test)]
mod tests {
    use quell_model::action::Basis;
    use quell_model::entity::{EmailMessage, File, Host};
    use quell_model::{ActionType, AssetFacts, Entity, FileFacts, Outcome, Severity};
    use quell_policy::{Policy, Question, Source};

    use super::*;

    fn policy(rules: &[&str]) -> Policy {
        let mut text =
            String::from("@id(\"all\") @reason(\"All.\") permit (principal, action, resource);\n");
        for (index, rule) in rules.iter().enumerate() {
            text.push_str(&format!(
                "@id(\"rule-{index}\") @reason(\"Rule.\") {rule}\n"
            ));
        }
        let source = Source {
            name: "facts",
            text: &text,
        };
        Policy::load(&[source]).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    #[test]
    fn every_request_that_is_made_is_possible() {
        let policy = policy(POSSIBLE);
        let text = || Some("x".to_owned());
        let file = |name, path| File {
            name,
            path,
            ..File::default()
        };
        let targets: [(ActionType, Entity); 7] = [
            (ActionType::ContainHost, Host::default().into()),
            (ActionType::BlockHash, file(None, None).into()),
            (ActionType::BlockHash, file(text(), None).into()),
            (ActionType::BlockHash, file(None, text()).into()),
            (ActionType::BlockHash, file(text(), text()).into()),
            (ActionType::QuarantineEmail, EmailMessage::default().into()),
            (
                ActionType::QuarantineEmail,
                EmailMessage {
                    recipients: vec!["a".to_owned(); 3],
                    ..EmailMessage::default()
                }
                .into(),
            ),
        ];
        let severities = [
            Severity::Informational,
            Severity::Medium,
            Severity::Critical,
        ];
        let numbers = [None, Some(0), Some(1), Some(100), Some(101), Some(u8::MAX)];
        for (action, target) in &targets {
            for (severity, confidence) in
                severities.into_iter().flat_map(|s| numbers.map(|n| (s, n)))
            {
                for prevalence in [None, Some(0), Some(u32::MAX)] {
                    let question = Question {
                        action: *action,
                        target,
                        asset: &AssetFacts::default(),
                        basis: &Basis {
                            severity,
                            confidence,
                            source: String::new(),
                            detection: String::new(),
                        },
                        file: FileFacts {
                            os_signed: None,
                            prevalence,
                        },
                        lists: &[],
                        entry: None,
                    };
                    let decision = policy.decide(&question);
                    assert_eq!(
                        decision.outcome,
                        Outcome::Auto,
                        "{question:#?} {decision:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_plain_can_be_asked_for() {
        // Loading refuses what the schema does not know and what can never apply.
        let _loaded = policy(PLAIN);
    }
}
