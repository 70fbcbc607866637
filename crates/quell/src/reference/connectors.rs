//! One page per connector, from its rows and its configuration.

use quell_connector::Connector;
use quell_connector::contract::About;
use quell_model::{ActionType, Effect};
use serde_json::Value;

use super::configuration;
use super::markdown::{Page, table};

/// The action types a connector can do.
pub(super) fn actions(connector: &Connector) -> Vec<ActionType> {
    let rows = connector.rows();
    let serves = |action: &ActionType| rows.iter().any(|row| row.about == about(*action));
    ActionType::ALL.iter().copied().filter(serves).collect()
}

fn about(action: ActionType) -> About {
    match action.effect() {
        Effect::Set { property, .. } => About::Property(property),
        Effect::Once(one_shot) => About::OneShot(one_shot),
    }
}

pub(super) fn page(connector: &Connector) -> String {
    let mut page = Page::new(connector.name, &format!("Connector `{}`.", connector.id));
    if connector.normalise.is_some() {
        let list = match connector.envelope {
            [] => String::new(),
            names => format!(
                ", or a list reply with its documents in `{}`",
                names.join("`, `")
            ),
        };
        page.heading("Alerts");
        page.text(&format!(
            "Its alerts can be pushed to `POST /api/v1/intake/{{connection}}`: one document, an array, one a line{list}. `quell plan --source {}` says what would be done about one.",
            connector.id
        ));
    }
    if !connector.stock.is_empty() {
        page.heading("Machines");
        page.text(&format!(
            "Quell learns from it how many machines there are and which of them are domain controllers. Permissions it needs: {}.",
            connector.stock.join(", ")
        ));
    }
    let rows = connector.rows();
    if !rows.is_empty() {
        page.heading("What it can do");
        let lines = rows.iter().map(|row| {
            let actions: Vec<String> = actions(connector)
                .into_iter()
                .filter(|action| about(*action) == row.about)
                .map(|action| format!("`{action}`"))
                .collect();
            let needs: Vec<String> = row
                .facts
                .needs
                .iter()
                .map(|need| (*need).to_owned())
                .collect();
            [
                actions.join(", "),
                needs.join(", "),
                format!("{} s", row.facts.settle.as_secs()),
                format!("[vendor's page]({})", row.facts.docs),
            ]
        });
        page.text(&table(
            [
                "Actions",
                "Permissions it needs",
                "Normally shows within",
                "",
            ],
            lines,
        ));
        page.text("`quell connections check` names each permission that is missing.");
        let surprises: Vec<String> = rows
            .iter()
            .flat_map(|row| row.facts.quirks.iter().map(|quirk| format!("- {quirk}")))
            .collect();
        if !surprises.is_empty() {
            page.heading("What may surprise");
            page.text(&surprises.join("\n"));
        }
    }
    page.heading("Settings");
    let schema = crate::config::schema();
    let settings = schema
        .pointer(&format!("/x-settings/{}", connector.id))
        .unwrap_or(&Value::Null);
    page.text(&format!(
        "Under `[connections.settings]` of a connection with `connector = \"{}\"`. What every connection has stands in [configuration](../configuration.md#connections).",
        connector.id
    ));
    configuration::tables(&mut page, &schema, settings, "connections.settings");
    page.end()
}
