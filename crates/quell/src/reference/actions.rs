//! The page about what Quell can do.

use quell_connectors::catalog::CATALOG;
use quell_model::{ActionState, ActionType, Effect};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::connectors;
use super::markdown::{Page, table};
use super::members::values;

pub(super) fn page() -> String {
    let mut page = Page::new("Actions", INTRODUCTION.trim());
    let rows = ActionType::ALL.iter().map(|action| {
        let by: Vec<String> = CATALOG
            .iter()
            .filter(|connector| connectors::actions(connector).contains(action))
            .map(|connector| format!("[{}](connectors/{}.md)", connector.name, connector.id))
            .collect();
        [
            format!("`{action}`"),
            action.target().words().to_owned(),
            action.impact().to_owned(),
            match action.effect() {
                Effect::Set { property, to } => format!("`{}` = `{to}`", property.as_str()),
                Effect::Once(one_shot) => format!("once: `{}`", one_shot.as_str()),
            },
            action
                .revert()
                .map_or_else(String::new, |back| format!("`{back}`")),
            by.join(", "),
        ]
    });
    page.text(&table(
        [
            "Action",
            "Target",
            "What people notice",
            "Effect",
            "Taken back by",
            "Connectors",
        ],
        rows,
    ));
    page.heading("States");
    page.text(
        "Every change of state is kept with its time, what made it happen, and what was seen.",
    );
    let settings = SchemaSettings::draft2020_12().into_generator();
    let schema: Value = settings.into_root_schema_for::<ActionState>().into();
    let meanings = values(&schema, &schema);
    let rows = ActionState::ALL.iter().map(|state| {
        let meaning = meanings.iter().find(|(name, _)| name == state.as_str());
        let next: Vec<String> = state
            .next()
            .iter()
            .map(|next| format!("`{}`", next.as_str()))
            .collect();
        [
            format!("`{}`", state.as_str()),
            meaning.map_or_else(String::new, |(_, about)| about.clone()),
            next.join(", "),
        ]
    });
    page.text(&table(["State", "Meaning", "What may follow"], rows));
    page.end()
}

const INTRODUCTION: &str = r#"
What Quell can do. An action either sets a property of its target to a value, and can then read it,
confirm it and take it back, or is a deed that is done once and cannot be. Actions without a
connector are words of the vocabulary that no shipped connector serves yet.
"#;
