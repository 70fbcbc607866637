//! From a question to what Cedar evaluates: the target as an entity with its attributes and lists,
//! the alert's facts as context. Everything that does not depend on the question (types, actions,
//! the values of enumerations) is made once, when a policy loads.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    Context, Entities, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};
use quell_model::entity::IndicatorKind;
use quell_model::{ActionType, AssetClass, Entity, EntityType};

use crate::file;
use crate::question::Question;

/// Who would act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    Auto,
    Approved,
}

impl Mode {
    pub(crate) const ALL: [Self; 2] = [Self::Auto, Self::Approved];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Approved => "approved",
        }
    }
}

/// The name of an entity type in the schema.
pub(crate) const fn type_name(entity: EntityType) -> &'static str {
    match entity {
        EntityType::Host => "Host",
        EntityType::Process => "Process",
        EntityType::File => "File",
        EntityType::Account => "Account",
        EntityType::EmailMessage => "EmailMessage",
        EntityType::NetworkIndicator => "NetworkIndicator",
        EntityType::Sender => "Sender",
        EntityType::CloudInstance => "CloudInstance",
        EntityType::AccessKey => "AccessKey",
        EntityType::InboxRule => "InboxRule",
    }
}

/// The parts of a question that are the same in every question.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    types: BTreeMap<EntityType, EntityTypeName>,
    list: EntityTypeName,
    modes: BTreeMap<Mode, EntityUid>,
    actions: BTreeMap<ActionType, Verb>,
    classes: BTreeMap<AssetClass, RestrictedExpression>,
    indicators: [RestrictedExpression; 3],
    yes: RestrictedExpression,
    no: RestrictedExpression,
}

/// An action type as Cedar knows it.
#[derive(Debug)]
struct Verb {
    uid: EntityUid,
    /// The action with its groups, which rules about a group need to see.
    entities: Entities,
}

/// A question put into Cedar's terms.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    words: &'a Vocabulary,
    action: &'a EntityUid,
    target: EntityUid,
    context: Context,
    pub(crate) entities: Entities,
}

type Attributes = HashMap<String, RestrictedExpression>;

impl Vocabulary {
    /// Fails with a sentence when the schema lacks what the model has; a test holds them equal.
    pub(crate) fn of(schema: &Schema) -> Result<Self, String> {
        let enumerated = |of: &str, id: &str| -> Result<RestrictedExpression, String> {
            Ok(RestrictedExpression::new_entity_uid(uid(&named(of)?, id)))
        };
        let known = schema.action_entities().map_err(|e| e.to_string())?;
        let action = named("Action")?;
        let mut actions = BTreeMap::new();
        for verb in ActionType::ALL {
            let uid = uid(&action, verb.as_str());
            let entity = known
                .get(&uid)
                .ok_or(format!("the schema lacks action `{verb}`"))?;
            let entities =
                Entities::from_entities([entity.clone()], None).map_err(|e| e.to_string())?;
            actions.insert(*verb, Verb { uid, entities });
        }
        let mode = named("Mode")?;
        Ok(Self {
            types: EntityType::ALL
                .iter()
                .map(|entity| Ok((*entity, named(type_name(*entity))?)))
                .collect::<Result<_, String>>()?,
            list: named("List")?,
            modes: Mode::ALL
                .iter()
                .map(|m| (*m, uid(&mode, m.as_str())))
                .collect(),
            actions,
            classes: AssetClass::ALL
                .iter()
                .map(|class| Ok((*class, enumerated("Class", class.as_str())?)))
                .collect::<Result<_, String>>()?,
            indicators: [
                enumerated("IndicatorKind", "domain")?,
                enumerated("IndicatorKind", "ip")?,
                enumerated("IndicatorKind", "url")?,
            ],
            yes: RestrictedExpression::new_bool(true),
            no: RestrictedExpression::new_bool(false),
        })
    }

    /// Puts a question into Cedar's terms; nothing when that cannot be done, which no question of
    /// ours brings about.
    pub(crate) fn put<'a>(&'a self, question: &Question<'_>) -> Option<Facts<'a>> {
        let verb = self.actions.get(&question.action)?;
        let entity_type = self.types.get(&question.target.entity_type())?;
        let key = question.target.key().unwrap_or_default();
        let id = key.split_once(':').map_or("", |(_, id)| id);
        let target = uid(entity_type, id);
        let lists: HashSet<_> = question
            .lists
            .iter()
            .map(|name| uid(&self.list, name))
            .collect();
        let entity =
            cedar_policy::Entity::new(target.clone(), self.attributes(question)?, lists).ok()?;
        Some(Facts {
            words: self,
            action: &verb.uid,
            target,
            context: context(question)?,
            entities: verb.entities.clone().add_entities([entity], None).ok()?,
        })
    }

    pub(crate) fn action(&self, action: ActionType) -> Option<&EntityUid> {
        self.actions.get(&action).map(|verb| &verb.uid)
    }

    pub(crate) fn mode(&self, mode: Mode) -> Option<&EntityUid> {
        self.modes.get(&mode)
    }

    fn attributes(&self, question: &Question<'_>) -> Option<Attributes> {
        let mut to = Attributes::with_capacity(10);
        let labels = question.asset.labels.iter().map(|label| text(label));
        set(&mut to, "labels", RestrictedExpression::new_set(labels));
        set(&mut to, "critical", self.flag(question.asset.critical));
        match question.target {
            Entity::Host(host) => {
                set(
                    &mut to,
                    "class",
                    self.classes.get(&question.class())?.clone(),
                );
                some(&mut to, "name", host.name.as_deref());
                some(&mut to, "platform", host.platform.as_deref());
            }
            Entity::Process(process) => {
                let (name, path) = (process.name.as_deref(), process.path.as_deref());
                set(
                    &mut to,
                    "class",
                    self.classes.get(&question.class())?.clone(),
                );
                some(&mut to, "name", name);
                some(&mut to, "path", path);
                set(&mut to, "vital", self.flag(file::is_vital(name, path)));
            }
            Entity::File(target) => {
                let (name, path) = (target.name.as_deref(), target.path.as_deref());
                let well_known =
                    name.is_some_and(file::is_well_known) || path.is_some_and(file::is_well_known);
                set(
                    &mut to,
                    "class",
                    self.classes.get(&question.class())?.clone(),
                );
                some(&mut to, "name", name);
                some(&mut to, "path", path);
                set(
                    &mut to,
                    "unnamed",
                    self.flag(name.is_none() && path.is_none()),
                );
                set(
                    &mut to,
                    "system_file",
                    self.flag(path.is_some_and(file::is_system)),
                );
                set(&mut to, "well_known", self.flag(well_known));
                if let Some(signed) = question.file.os_signed {
                    set(&mut to, "os_signed", self.flag(signed));
                }
                if let Some(machines) = question.file.prevalence {
                    set(
                        &mut to,
                        "prevalence",
                        RestrictedExpression::new_long(machines.into()),
                    );
                }
            }
            Entity::Account(account) => {
                some(&mut to, "name", account.name.as_deref());
                some(&mut to, "principal", account.principal.as_deref());
                some(&mut to, "domain", account.domain.as_deref());
                some(&mut to, "provider", account.provider.as_deref());
            }
            Entity::EmailMessage(message) => {
                let recipients = i64::try_from(message.recipients.len()).ok()?;
                some(&mut to, "sender", message.sender.as_deref());
                set(
                    &mut to,
                    "recipients",
                    RestrictedExpression::new_long(recipients),
                );
            }
            Entity::NetworkIndicator(indicator) => {
                let [domain, ip, url] = &self.indicators;
                let kind = match indicator.kind {
                    IndicatorKind::Domain => domain,
                    IndicatorKind::Ip => ip,
                    IndicatorKind::Url => url,
                };
                set(&mut to, "kind", kind.clone());
                set(&mut to, "value", text(&indicator.value));
                set(&mut to, "special", self.flag(question.special().is_some()));
                set(&mut to, "shared", self.flag(question.shared().is_some()));
            }
            Entity::Sender(sender) => {
                set(&mut to, "value", text(&sender.value));
                set(
                    &mut to,
                    "whole_domain",
                    self.flag(!sender.value.contains('@')),
                );
                set(&mut to, "special", self.flag(question.special().is_some()));
                set(&mut to, "shared", self.flag(question.shared().is_some()));
            }
            Entity::CloudInstance(instance) => {
                set(
                    &mut to,
                    "class",
                    self.classes.get(&question.class())?.clone(),
                );
                some(&mut to, "provider", instance.provider.as_deref());
                some(&mut to, "account", instance.account.as_deref());
                some(&mut to, "region", instance.region.as_deref());
            }
            Entity::AccessKey(key) => {
                some(&mut to, "provider", key.provider.as_deref());
                some(&mut to, "account", key.account.as_deref());
                some(&mut to, "user", key.user.as_deref());
            }
            Entity::InboxRule(rule) => {
                some(&mut to, "mailbox", rule.mailbox.as_deref());
                some(&mut to, "name", rule.name.as_deref());
            }
        }
        Some(to)
    }

    fn flag(&self, value: bool) -> RestrictedExpression {
        if value {
            self.yes.clone()
        } else {
            self.no.clone()
        }
    }
}

impl Facts<'_> {
    /// The request for one mode. It is not validated against the schema again: a test does that for
    /// every kind of question, and validation costs more than the decision.
    pub(crate) fn request(&self, mode: Mode, schema: Option<&Schema>) -> Option<Request> {
        Request::new(
            self.words.modes.get(&mode)?.clone(),
            self.action.clone(),
            self.target.clone(),
            self.context.clone(),
            schema,
        )
        .ok()
    }
}

fn context(question: &Question<'_>) -> Option<Context> {
    let long = |number: u8| RestrictedExpression::new_long(number.into());
    let facts = [
        Some(("severity", long(question.basis.severity.level()))),
        question
            .confidence()
            .map(|confidence| ("confidence", long(confidence))),
        Some(("source", text(&question.basis.source))),
        Some(("detection", text(&question.basis.detection))),
    ];
    let facts = facts
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_owned(), value));
    Context::from_pairs(facts).ok()
}

fn named(name: &str) -> Result<EntityTypeName, String> {
    EntityTypeName::from_str(name).map_err(|e| e.to_string())
}

fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn set(to: &mut Attributes, name: &str, value: RestrictedExpression) {
    to.insert(name.to_owned(), value);
}

fn some(to: &mut Attributes, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        set(to, name, text(value));
    }
}

#[cfg(test)]
mod tests;
