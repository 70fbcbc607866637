//! From texts to a policy: parse, name, validate, slice. Everything that is wrong is collected, so
//! that one attempt shows all of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::str::FromStr;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    Authorizer, Effect, PolicyId, PolicySet, PrincipalConstraint, Schema, ValidationMode, Validator,
};
use quell_model::Quorum;
use sha2::{Digest, Sha256};

use super::slice::{self, Slices};
use super::{Policy, RESERVED, RuleInfo, SCHEMA, bounds};
use crate::diagnostics::{Diagnostic, Diagnostics, Source, suggestion};
use crate::facts::{Mode, Vocabulary};
use crate::matrix::{self, COMPILED};
use crate::rule::{Rule, Sentence};

/// A rule on its way in.
struct Draft<'a> {
    policy: cedar_policy::Policy,
    source: &'a Source<'a>,
    /// Where it begins in its source, in bytes.
    offset: usize,
}

pub(super) fn load(sources: &[Source<'_>]) -> Result<Policy, Diagnostics> {
    let wrong: Vec<_> = sources.iter().filter_map(bounds::check).collect();
    if !wrong.is_empty() {
        return Err(Diagnostics::new(wrong));
    }
    let first = sources.first().unwrap_or(&SCHEMA);
    bounds::on_large_stack(first, || read(sources))
}

/// Rules among texts that have loaded which are the same but for their names: whoever changes one of
/// them finds that it made no difference.
pub(crate) fn said_twice(sources: &[Source<'_>]) -> Vec<Diagnostic> {
    let Some(first) = sources.first() else {
        return Vec::new();
    };
    let found = bounds::on_large_stack(first, || Ok(twins(sources)));
    found.unwrap_or_else(|wrong| wrong.iter().cloned().collect())
}

fn twins(sources: &[Source<'_>]) -> Vec<Diagnostic> {
    let mut drafts = Vec::new();
    let mut wrong = Vec::new();
    for source in sources {
        parse(source, &mut drafts, &mut wrong);
    }
    let mut first: HashMap<String, &Draft<'_>> = HashMap::new();
    for draft in &drafts {
        let Ok(mut said) = draft.policy.to_json() else {
            continue; // Nothing that was parsed does this.
        };
        if let Some(rule) = said.as_object_mut() {
            rule.remove("annotations");
        }
        match first.entry(said.to_string()) {
            Entry::Occupied(other) => {
                let other = other.get();
                let (file, line) = place(other);
                let id = other.policy.annotation("id").unwrap_or_default();
                let message = format!("the rule says the same as `{id}` at {file}:{line}");
                wrong.push(
                    Diagnostic::at(draft.source, draft.offset, message)
                        .help("remove one of the two"),
                );
            }
            Entry::Vacant(free) => {
                free.insert(draft);
            }
        }
    }
    wrong
}

fn read(sources: &[Source<'_>]) -> Result<Policy, Diagnostics> {
    let schema = schema()?;
    let mut wrong = Vec::new();
    let mut drafts = Vec::new();
    for source in sources {
        parse(source, &mut drafts, &mut wrong);
    }
    let rules = name(&mut drafts, &mut wrong);
    validate(&schema, &drafts, &mut wrong);
    if !wrong.is_empty() {
        return Err(Diagnostics::new(wrong));
    }
    build(&schema, &drafts, rules)
}

fn schema() -> Result<Schema, Diagnostics> {
    let (schema, warnings) = Schema::from_cedarschema_str(SCHEMA.text)
        .map_err(|error| Diagnostics::from(diagnostic(&SCHEMA, 0, &DetailedError::from(&error))))?;
    let warnings: Vec<_> = warnings
        .map(|warning| diagnostic(&SCHEMA, 0, &DetailedError::from(&warning)))
        .collect();
    if warnings.is_empty() {
        Ok(schema)
    } else {
        Err(Diagnostics::new(warnings))
    }
}

fn parse<'a>(source: &'a Source<'a>, drafts: &mut Vec<Draft<'a>>, wrong: &mut Vec<Diagnostic>) {
    let set = match PolicySet::from_str(source.text) {
        Ok(set) => set,
        Err(errors) => {
            let details = errors.iter().map(DetailedError::from);
            wrong.extend(details.map(|detail| diagnostic(source, 0, &detail)));
            return;
        }
    };
    for template in set.templates() {
        let offset = template.as_ref().loc().map_or(0, |loc| loc.start());
        wrong.push(
            Diagnostic::at(source, offset, "templates are not supported")
                .help("write the rule without ?principal and ?resource"),
        );
    }
    drafts.extend(set.policies().map(|policy| Draft {
        policy: policy.clone(),
        source,
        offset: policy.as_ref().loc().map_or(0, |loc| loc.start()),
    }));
}

/// Gives each rule the name and the sentence it asks for.
fn name(drafts: &mut [Draft<'_>], wrong: &mut Vec<Diagnostic>) -> HashMap<PolicyId, Rule> {
    let mut rules: HashMap<PolicyId, Rule> = HashMap::new();
    let mut first: HashMap<PolicyId, String> = HashMap::new();
    for (index, draft) in drafts.iter_mut().enumerate() {
        // Rules are told apart from here on, whatever they are called.
        let id = draft.policy.annotation("id").unwrap_or_default().to_owned();
        let reason = draft
            .policy
            .annotation("reason")
            .unwrap_or_default()
            .to_owned();
        let mut complain = |message: String, help: &str| {
            wrong.push(Diagnostic::at(draft.source, draft.offset, message).help(help));
        };

        let well_formed = !id.is_empty()
            && id
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let key = if id.is_empty() {
            complain(
                "the rule has no @id".into(),
                "put @id(\"…\") in front of it",
            );
            PolicyId::new(format!("?{index}"))
        } else if !well_formed {
            complain(
                format!("the @id `{id}` is not well formed"),
                "use lower-case letters, digits and -",
            );
            PolicyId::new(format!("?{index}"))
        } else if RESERVED.contains(&id.as_str()) {
            complain(
                format!("the @id `{id}` is one of Quell's own"),
                "choose another one",
            );
            PolicyId::new(format!("?{index}"))
        } else {
            PolicyId::new(&id)
        };
        let key = match first.entry(key.clone()) {
            Entry::Occupied(other) => {
                complain(
                    format!("the @id `{id}` is used twice"),
                    &format!("it is also at {}", other.get()),
                );
                PolicyId::new(format!("?{index}"))
            }
            Entry::Vacant(free) => {
                let place = Diagnostic::at(draft.source, draft.offset, "");
                free.insert(format!("{}:{}", place.file, place.line));
                key
            }
        };
        draft.policy = draft.policy.new_id(key.clone());

        let quorum = asked(&draft.policy).unwrap_or_else(|(message, help)| {
            complain(message, &help);
            Quorum::ONE
        });
        if draft.policy.annotation("reason").is_none() {
            complain(
                "the rule has no @reason".into(),
                "put @reason(\"…\") in front of it: the sentence people read",
            );
            continue;
        }
        match Sentence::parse(&reason) {
            Ok(sentence) => {
                rules.insert(
                    key,
                    Rule {
                        id,
                        sentence,
                        quorum,
                    },
                );
            }
            Err(message) => complain(message, "people read the @reason with every decision"),
        }
    }
    rules
}

/// What people write at a rule.
const ANNOTATIONS: [&str; 4] = ["id", "reason", APPROVERS, ROLE];
const APPROVERS: &str = "approvers";
const ROLE: &str = "role";

/// Who has to say yes, as the rule's annotations have it; or what is wrong with them, and what to do.
fn asked(rule: &cedar_policy::Policy) -> Result<Quorum, (String, String)> {
    for (name, _) in rule.annotations() {
        // A rule may carry notes of one's own; one that was meant to be ours would ask for too little.
        let meant = suggestion(name, &ANNOTATIONS);
        if !ANNOTATIONS.contains(&name) && meant.starts_with("did you mean") {
            return Err((format!("nothing reads @{name}"), meant));
        }
    }
    let (approvers, role) = (rule.annotation(APPROVERS), rule.annotation(ROLE));
    if approvers.is_none() && role.is_none() {
        return Ok(Quorum::ONE);
    }
    let alone = matches!(
        rule.principal_constraint(),
        PrincipalConstraint::Eq(mode) if mode.id().unescaped() == Mode::Auto.as_str()
    );
    if rule.effect() != Effect::Forbid || !alone {
        return Err((
            "@approvers and @role say who decides, and this rule leaves nothing to decide".into(),
            "put them at a forbid with principal == Mode::\"auto\"".into(),
        ));
    }
    let number = match approvers {
        None => 1,
        Some(text) => text.parse().map_err(|_| {
            (
                "@approvers is no number".to_owned(),
                "write @approvers(\"2\")".into(),
            )
        })?,
    };
    matrix::quorum(number, role).map_err(|message| (message, "of @approvers and @role".into()))
}

/// Hash of all that a rule says; where it stands is none of it.
fn digest(rule: &cedar_policy::Policy) -> Result<String, String> {
    let mut said = rule.to_json().map_err(|error| error.to_string())?;
    if let Some(annotations) = said
        .get_mut("annotations")
        .and_then(|all| all.as_object_mut())
    {
        annotations.remove(matrix::ORIGIN);
    }
    let digest = Sha256::digest(said.to_string().as_bytes());
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Warnings count as errors: a rule that can never apply is a rule somebody relies on in vain.
fn validate(schema: &Schema, drafts: &[Draft<'_>], wrong: &mut Vec<Diagnostic>) {
    let by_id: HashMap<_, _> = drafts
        .iter()
        .map(|draft| (draft.policy.id(), draft))
        .collect();
    let Ok(set) = PolicySet::from_policies(drafts.iter().map(|draft| draft.policy.clone())) else {
        return; // Two rules of one name, already complained about.
    };
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let errors = result
        .validation_errors()
        .map(|error| (error.policy_id(), DetailedError::from(error)));
    let warnings = result
        .validation_warnings()
        .map(|warning| (warning.policy_id(), DetailedError::from(warning)));
    for (id, detail) in errors.chain(warnings) {
        let found = match by_id.get(id) {
            Some(draft) => diagnostic(draft.source, draft.offset, &detail),
            None => diagnostic(&SCHEMA, 0, &detail),
        };
        wrong.push(found);
    }
}

fn build(
    schema: &Schema,
    drafts: &[Draft<'_>],
    rules: HashMap<PolicyId, Rule>,
) -> Result<Policy, Diagnostics> {
    let broken = |message: String| Diagnostics::from(Diagnostic::at(&SCHEMA, 0, message));
    let words = Vocabulary::of(schema).map_err(broken)?;
    let groups = schema
        .action_entities()
        .map_err(|error| broken(error.to_string()))?;

    let mut slices = Slices::new();
    let mut listing = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let actions = slice::actions(&draft.policy, &words, &groups);
        slices
            .add(&draft.policy, &actions, &words)
            .map_err(|message| {
                Diagnostics::from(Diagnostic::at(draft.source, draft.offset, message))
            })?;
        if let Some(rule) = rules.get(draft.policy.id()) {
            let (file, line) = place(draft);
            let digest = digest(&draft.policy).map_err(|message| {
                Diagnostics::from(Diagnostic::at(draft.source, draft.offset, message))
            })?;
            listing.push(RuleInfo {
                id: rule.id.clone(),
                reason: rule.sentence.template(),
                forbids: draft.policy.effect() == Effect::Forbid,
                quorum: rule.quorum,
                digest,
                actions,
                file,
                line,
            });
        }
    }
    listing.sort_by(|a, b| (&a.file, a.line, &a.id).cmp(&(&b.file, b.line, &b.id)));
    Ok(Policy {
        words,
        authorizer: Authorizer::new(),
        slices,
        rules,
        listing,
    })
}

/// Where people find a rule: one that was made from the matrix, at its cell.
fn place(draft: &Draft<'_>) -> (String, usize) {
    let made = (draft.source.name == COMPILED).then(|| draft.policy.annotation(matrix::ORIGIN));
    let origin = made.flatten().and_then(|origin| {
        let (file, line) = origin.rsplit_once(':')?;
        Some((file.to_owned(), line.parse().ok()?))
    });
    origin.unwrap_or_else(|| {
        let line = Diagnostic::at(draft.source, draft.offset, "").line;
        (draft.source.name.to_owned(), line)
    })
}

fn diagnostic(source: &Source<'_>, fallback: usize, detail: &DetailedError) -> Diagnostic {
    let offset = detail
        .source_locations
        .first()
        .map_or(fallback, |label| label.loc.start);
    let label = detail
        .source_locations
        .first()
        .and_then(|label| label.label.as_deref());
    let message = match label {
        Some(label) if !detail.message.contains(label) => format!("{}: {label}", detail.message),
        _ => detail.message.clone(),
    };
    let found = Diagnostic::at(source, offset, message);
    match &detail.help {
        Some(help) => found.help(help),
        None => found,
    }
}
