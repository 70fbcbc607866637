//! From a file to a checked configuration, or to everything that is wrong with it.

use std::path::{Path, PathBuf};

use quell_connector::http::Plane;
use quell_policy::Diagnostic;
use serde_json::Value;

use super::Config;
use super::check::{Checked, Places, check};
use super::schema::{schema, settings};
use crate::failure::{Failure, Result, why};
use crate::secrets;

/// A configuration file that was read without a mistake.
#[derive(Debug)]
pub struct Document {
    /// What it says.
    pub config: Config,
    /// What works and should still be looked at, one sentence each.
    pub warnings: Vec<String>,
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) places: Places,
}

impl Document {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, or with every mistake in it.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let failure = Failure::bad_input(format!("`{name}` cannot be read: {}", why(&error)));
            match error.kind() {
                std::io::ErrorKind::NotFound => failure
                    .hint("copy quell.example.toml to start one, or name another with --config"),
                _ => failure,
            }
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Self::read(&name, &text, &folder)
    }

    /// Checks a text that stands in `folder` under `name`.
    ///
    /// # Errors
    /// With every mistake in it.
    pub fn read(name: &str, text: &str, folder: &Path) -> Result<Self> {
        let schema = schema();
        let choose = |path: &str, key: &str, table: &Value| {
            // Only connections have members whose shape depends on a neighbour.
            let connection = path.starts_with("connections[") && path.ends_with(']');
            if !connection || key != "settings" {
                return None;
            }
            settings(&schema, table.get("connector")?.as_str()?).cloned()
        };
        let Checked {
            value,
            source: places,
            mut problems,
            secrets,
        } = check(name, text, &schema, &choose);
        if problems.is_empty() {
            missing_settings(&value, &schema, &places, &mut problems);
        }
        if !problems.is_empty() {
            return Err(Failure::of_problems(name, problems));
        }
        let config: Config = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let message = plainly(&error.inner().to_string());
            Failure::of_problems(name, vec![places.problem(&path, message)])
        })?;
        let mut document = Self {
            config,
            warnings: Vec::new(),
            name: name.to_owned(),
            folder: folder.to_path_buf(),
            places,
        };
        document.sanity()?;
        for (path, reference) in &secrets {
            if let Some(file) = secrets::exposed_file(reference, folder) {
                let file = file.display();
                document.warnings.push(format!(
                    "{path}: everybody on this machine can read `{file}`; `chmod 600` keeps it secret"
                ));
            }
        }
        Ok(document)
    }

    /// A problem at a path of the file.
    pub(super) fn problem(&self, path: &str, message: impl Into<String>) -> Diagnostic {
        self.places.problem(path, message)
    }

    /// What no schema can say.
    fn sanity(&mut self) -> Result<()> {
        let config = &self.config;
        let mut problems = Vec::new();
        if !config.organization.incident_window.is_positive() {
            problems.push(self.problem(
                "organization.incident_window",
                "must be longer than nothing; write for example \"24h\"",
            ));
        }
        if config
            .server
            .listen
            .parse::<std::net::SocketAddr>()
            .is_err()
        {
            let message = "is not an address with a port; write for example \"127.0.0.1:7835\"";
            problems.push(self.problem("server.listen", message));
        }
        let twice = |what: &str, names: Vec<&str>, path: &dyn Fn(usize) -> String| {
            let mut problems = Vec::new();
            for (index, name) in names.iter().enumerate() {
                if names.iter().take(index).any(|earlier| earlier == name) {
                    let message = format!("the {what} `{name}` is used twice");
                    problems.push(self.problem(&path(index), message));
                }
            }
            problems
        };
        let ids = config.connections.iter().map(|c| c.id.as_str()).collect();
        problems.extend(twice("connection id", ids, &|i| {
            format!("connections[{i}].id")
        }));
        let names = config
            .server
            .tokens
            .iter()
            .map(|t| t.name.as_str())
            .collect();
        problems.extend(twice("name", names, &|i| {
            format!("server.tokens[{i}].name")
        }));
        if let Some(ask) = &config.ask_user
            && !is_origin(&ask.public_url)
        {
            let message = "must be https, a host and no path; write for example \"https://quell.example.com\"";
            problems.push(self.problem("ask_user.public_url", message));
        }
        for (index, rule) in config.assets.iter().enumerate() {
            if rule.hosts.is_empty() {
                problems.push(self.problem(
                    &format!("assets[{index}]"),
                    "names no `hosts`, so it is about nothing",
                ));
            }
        }
        for (index, connection) in config.connections.iter().enumerate() {
            let unclear =
                |intake: &super::Intake| intake.token.is_some() == intake.signing_secret.is_some();
            if connection.intake.as_ref().is_some_and(unclear) {
                let path = format!("connections[{index}].intake");
                problems.push(self.problem(&path, "needs either a `token` or a `signing_secret`"));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Failure::of_problems(&self.name, problems))
        }
    }
}

/// Whether it is the address of a server that browsers keep cookies of that are for encrypted connections
/// only: https, or this machine.
fn is_origin(text: &str) -> bool {
    Plane::base_url("public_url", text)
        .is_ok_and(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
}

/// What a parser said, for somebody who does not know parsers.
pub(super) fn plainly(message: &str) -> String {
    if message.contains("duration") {
        return "is not a duration; write a number with its unit, for example \"30s\" or \"4h\""
            .to_owned();
    }
    message.to_owned()
}

/// A connection without a settings table lacks whatever its connector requires.
fn missing_settings(
    value: &Value,
    schema: &Value,
    places: &Places,
    problems: &mut Vec<Diagnostic>,
) {
    let connections = value.get("connections").and_then(Value::as_array);
    for (index, connection) in connections.into_iter().flatten().enumerate() {
        let written = connection.get("settings").is_some();
        let wanted = connection
            .get("connector")
            .and_then(Value::as_str)
            .and_then(|connector| settings(schema, connector))
            .and_then(|settings| {
                super::resolve(schema, settings)
                    .0
                    .get("required")?
                    .as_array()
            });
        if let (false, Some(wanted)) = (written, wanted) {
            let names: Vec<String> = wanted
                .iter()
                .filter_map(Value::as_str)
                .map(|name| format!("`{name}`"))
                .collect();
            let message = format!(
                "`settings` is missing; the connector needs {}",
                names.join(", ")
            );
            problems.push(places.problem(&format!("connections[{index}]"), message));
        }
    }
}
