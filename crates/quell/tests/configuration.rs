//! What the configuration says about mistakes, and that the shipped example has none.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may fail the test where they stand"
)]

use std::path::Path;

use quell::config::{Document, schema};
use serde_json::Value;

const EXAMPLE: &str = include_str!("../../../quell.example.toml");

const SOUND: &str = r#"[server]
listen = "127.0.0.1:7835"

[organization]
id = "northwind"

[[connections]]
id = "falcon"
connector = "crowdstrike"
[connections.settings]
client_id = "abc"
client_secret = "env:FALCON"
"#;

/// Every complaint about a text, as `line:column message (help)`.
fn complaints(text: &str) -> Vec<String> {
    let Err(failure) = Document::read("quell.toml", text, Path::new("/nowhere")) else {
        return Vec::new();
    };
    let problems = failure.problems().iter();
    problems
        .map(|problem| {
            let help = problem
                .help
                .as_ref()
                .map_or(String::new(), |help| format!(" ({help})"));
            format!(
                "{}:{} {}{help}",
                problem.line, problem.column, problem.message
            )
        })
        .collect()
}

/// The only complaint after `from` became `to` in a sound text.
#[track_caller]
fn complaint(from: &str, to: &str) -> String {
    assert!(SOUND.contains(from), "{from}");
    let found = complaints(&SOUND.replacen(from, to, 1));
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn a_sound_configuration_is_taken() {
    assert_eq!(complaints(SOUND), Vec::<String>::new());
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_one() {
    for (from, to, expected) in [
        (
            "listen =",
            "lisen =",
            "2:1 unknown key `lisen` (did you mean `listen`?)",
        ),
        (
            "[server]",
            "[sever]",
            "1:2 unknown key `sever` (did you mean `server`?)",
        ),
        (
            "client_secret =",
            "member_cd = \"x\"\nclient_secret =",
            "12:1 unknown key `member_cd` (did you mean `member_cid`?)",
        ),
        (
            "id = \"northwind\"",
            "id = \"northwind\"\nzzz = 1",
            "6:1 unknown key `zzz` (known here: `id`, `incident_window`, `fleet`)",
        ),
        (
            "id = \"northwind\"",
            "id = \"northwind\"\napproval_deadline = \"4h\"",
            "6:1 `approval_deadline` has moved (it is `deadline` under [approvals] in the policy folder's policy.toml)",
        ),
        (
            "id = \"northwind\"",
            "id = \"northwind\"\nopt_in = {}",
            "6:1 `opt_in` has moved (start the server, and say `quell opt-in ACTION` to it)",
        ),
    ] {
        assert_eq!(complaint(from, to), expected);
    }
}

#[test]
fn a_value_of_the_wrong_type_says_what_was_expected() {
    for (from, to, expected) in [
        (
            "listen = \"127.0.0.1:7835\"",
            "listen = 7835",
            "2:10 expected a text in quotes, found a whole number",
        ),
        (
            "listen = \"127.0.0.1:7835\"",
            "tokens = \"me\"",
            "2:10 expected a list in brackets, found a text in quotes",
        ),
        (
            "client_id = \"abc\"",
            "client_id = \"abc\"\nwrite_back = \"yes\"",
            "12:14 expected true or false, found a text in quotes",
        ),
        (
            "client_id = \"abc\"",
            "client_id = \"abc\"\nregion = \"eu-2\"",
            "12:10 `eu-2` is not one of the values (did you mean `eu-1`?)",
        ),
        (
            "connector = \"crowdstrike\"",
            "connector = \"crowdstike\"",
            "9:13 `crowdstike` is not one of the values (did you mean `crowdstrike`?)",
        ),
        (
            "id = \"northwind\"",
            "id = \"northwind\"\nincident_window = 24",
            "6:19 expected a text in quotes, found a whole number",
        ),
        (
            "id = \"northwind\"",
            "id = \"northwind\"\nincident_window = \"soon\"",
            "6:19 `incident_window` is not a duration; write a number with its unit, for example \"30s\" or \"4h\"",
        ),
        (
            "id = \"northwind\"",
            "id = \"North Wind\"",
            "5:6 `North Wind` is not an organization id",
        ),
        (
            "listen = \"127.0.0.1:7835\"",
            "listen = \"here\"",
            "2:10 `listen` is not an address with a port; write for example \"127.0.0.1:7835\"",
        ),
    ] {
        let found = complaint(from, to);
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
}

#[test]
fn a_missing_key_is_told_at_the_table_that_lacks_it() {
    let found = complaint("client_id = \"abc\"\n", "");
    assert_eq!(
        found,
        "10:1 `client_id` is missing (Id of the API client made in the Falcon console.)"
    );
    let found = complaint("[organization]\nid = \"northwind\"\n", "");
    assert_eq!(
        found,
        "1:1 `organization` is missing (The organization that is protected.)"
    );
    let text = SOUND.split("[connections.settings]").next().unwrap();
    let expected = "7:1 `settings` is missing; the connector needs `client_id`, `client_secret`";
    assert_eq!(complaints(text), [expected]);
}

#[test]
fn a_secret_written_down_is_refused_and_never_repeated() {
    for secret in [
        "hunter2-very-secret",
        "env:",
        "sk_live_4242",
        "https://u:hunter2@h",
    ] {
        let text = SOUND.replace("env:FALCON", secret);
        let found = complaints(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("12:17 `client_secret` must say where the secret is kept"),
            "{found:?}"
        );
        let failure = Document::read("quell.toml", &text, Path::new("")).unwrap_err();
        let said = format!("{failure} {}", failure.json());
        assert!(!said.contains(secret) || secret == "env:", "{said}");
    }
    // Not even when the TOML itself is broken.
    let text = SOUND.replace("\"env:FALCON\"", "\"hunter2-very-secret");
    assert!(
        !complaints(&text).concat().contains("hunter2"),
        "{:?}",
        complaints(&text)
    );
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = SOUND
        .replace("listen", "listn")
        .replace("id = \"falcon\"", "idd = 1");
    let found = complaints(&text);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[0].starts_with("2:1 ") && found[2].starts_with("8:1 "),
        "{found:?}"
    );
}

#[test]
fn what_no_schema_can_say_is_said_too() {
    let twice = format!("{SOUND}{}", SOUND.split("\n\n").nth(2).unwrap());
    assert_eq!(
        complaints(&twice),
        ["14:6 the connection id `falcon` is used twice"]
    );
    let both = SOUND.replace(
        "[connections.settings]",
        "intake = { token = \"env:A\", signing_secret = \"env:B\" }\n[connections.settings]",
    );
    assert_eq!(
        complaints(&both),
        ["10:10 `intake` needs either a `token` or a `signing_secret`"]
    );
}

#[test]
fn a_connection_that_cannot_work_is_named_by_its_key() {
    // A variable that is set wherever tests run.
    let text = SOUND.replace("env:FALCON", "env:PATH").replace(
        "client_id = \"abc\"",
        "client_id = \"abc\"\npoll.interval = \"10ms\"",
    );
    let document = Document::read("quell.toml", &text, Path::new("/nowhere")).unwrap();
    let clock: std::sync::Arc<dyn quell_model::Clock> =
        std::sync::Arc::new(quell_connector::SystemClock);
    let failure = document.connections(&clock).err().unwrap();
    let problem = &failure.problems()[0];
    assert_eq!((problem.line, problem.column), (12, 17), "{problem}");
    assert!(
        problem
            .message
            .starts_with("`poll.interval` must be at least a second"),
        "{problem}"
    );
}

/// The example with every setting that is off turned on.
fn everything_on() -> String {
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| !c.is_whitespace()) => setting.to_owned(),
        _ => line.to_owned(),
    };
    EXAMPLE
        .lines()
        .map(uncommented)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_example_is_sound_as_it_ships() {
    assert_eq!(complaints(EXAMPLE), Vec::<String>::new());
}

#[test]
fn the_example_is_sound_with_everything_turned_on_but_what_excludes_each_other() {
    // Either of the two authenticates a sender.
    let text = everything_on().replace("signing_secret =", "# signing_secret =");
    assert_eq!(complaints(&text), Vec::<String>::new());
}

#[test]
fn the_example_has_every_key_there_is() {
    let example: toml::Table = everything_on().parse().unwrap();
    let example = serde_json::to_value(example).unwrap();
    let schema = schema();
    let mut missing = Vec::new();
    lacking(&schema, &schema, &example, "", &mut missing);
    let connections = example["connections"].as_array().unwrap();
    for (connector, settings) in schema["x-settings"].as_object().unwrap() {
        let connection = connections.iter().find(|c| c["connector"] == *connector);
        let Some(connection) = connection else {
            missing.push(format!("a connection of {connector}"));
            continue;
        };
        lacking(
            &schema,
            settings,
            &connection["settings"],
            connector,
            &mut missing,
        );
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// The keys of a schema that an example lacks. In a list, any entry may have a key.
fn lacking(root: &Value, schema: &Value, example: &Value, path: &str, missing: &mut Vec<String>) {
    let schema = resolved(root, schema);
    if let Some(items) = schema.get("items") {
        let mut merged = serde_json::Map::new();
        for entry in example.as_array().into_iter().flatten() {
            for (key, value) in entry.as_object().into_iter().flatten() {
                merged.insert(key.clone(), value.clone());
            }
        }
        if resolved(root, items).get("properties").is_some() {
            lacking(root, items, &Value::Object(merged), path, missing);
        }
        return;
    }
    for (key, member) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let path = format!("{path}.{key}");
        match example.get(key) {
            None => missing.push(path),
            Some(value) => lacking(root, member, value, &path, missing),
        }
    }
}

fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut schema = schema;
    loop {
        let options = schema.get("anyOf").and_then(Value::as_array);
        let some = options.and_then(|all| all.iter().find(|option| option["type"] != "null"));
        let reference = schema.get("$ref").and_then(Value::as_str);
        schema = match (reference, some) {
            (Some(reference), _) => root.pointer(reference.trim_start_matches('#')).unwrap(),
            (None, Some(some)) => some,
            (None, None) => return schema,
        };
    }
}

/// What is wrong with asking people this way, once the connections are built.
fn asking(ask_user: &str) -> Vec<String> {
    let folder = std::env::temp_dir();
    let text = format!(
        "[organization]\nid = \"northwind\"\n[ask_user]\n{ask_user}\n\
         [[connections]]\nid = \"login\"\nconnector = \"oidc\"\n[connections.settings]\n\
         issuer = \"https://login.northwind.example\"\nclient_id = \"quell\"\n\
         [[connections]]\nid = \"mail\"\nconnector = \"smtp\"\n[connections.settings]\n\
         host = \"localhost\"\ntls = \"none\"\nfrom = \"quell@northwind.example\"\n\
         to = [\"soc@northwind.example\"]\n"
    );
    let clock: std::sync::Arc<dyn quell_model::Clock> =
        std::sync::Arc::new(quell_connector::SystemClock);
    let parts = Document::read("quell.toml", &text, &folder)
        .and_then(|document| document.parts(&clock).map(drop));
    let Err(failure) = parts else {
        return Vec::new();
    };
    let problems = failure.problems().iter();
    problems.map(|problem| problem.message.clone()).collect()
}

#[test]
fn people_are_asked_by_connections_that_can_do_it() {
    let ask = |sign_in: &str, tell_by: &str, url: &str| {
        asking(&format!(
            "sign_in = \"{sign_in}\"\ntell_by = \"{tell_by}\"\npublic_url = \"{url}\""
        ))
    };
    for good in [
        "https://quell.example",
        "https://quell.example:8443/",
        "http://127.0.0.1:7835",
    ] {
        assert_eq!(ask("login", "mail", good), Vec::<String>::new(), "{good}");
    }
    for bad in [
        "quell.example",
        "http://quell.example",
        "https://quell.example/quell",
        "https://quell.example?x",
        "https://user:secret@quell.example",
    ] {
        let wrong = ask("login", "mail", bad);
        assert_eq!(wrong.len(), 1, "{bad} {wrong:?}");
        assert!(wrong[0].contains("public_url"), "{wrong:?}");
    }
    let wrong = ask("mail", "login", "https://quell.example");
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].contains("cannot sign people in"), "{wrong:?}");
    assert!(wrong[1].contains("cannot write to a person"), "{wrong:?}");
    let wrong = ask("nobody", "mail", "https://quell.example");
    assert!(
        wrong[0].contains("there is no connection `nobody`"),
        "{wrong:?}"
    );
}
