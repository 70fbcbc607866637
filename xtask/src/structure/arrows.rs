//! Which crate may use which, and which one alone may use a library.

use super::{Package, nothing_to_complain_of, packages};

/// Each crate of ours and those of ours it may use. A new arrow is argued about here.
const ARROWS: &[(&str, &[&str])] = &[
    (
        // Names everything, because it wires everything; the twins are for `quell demo` only.
        "quell",
        &[
            "quell-server",
            "quell-engine",
            "quell-store",
            "quell-connectors",
            "quell-connector",
            "quell-proof",
            "quell-policy",
            "quell-model",
            "quell-twins",
        ],
    ),
    (
        // The contract is there for row facts: forms and reference pages.
        "quell-server",
        &[
            "quell-engine",
            "quell-store",
            "quell-connector",
            "quell-policy",
            "quell-model",
        ],
    ),
    // Knows rows, never vendors.
    (
        "quell-engine",
        &[
            "quell-policy",
            "quell-store",
            "quell-connector",
            "quell-model",
        ],
    ),
    ("quell-connectors", &["quell-connector", "quell-model"]),
    ("quell-connector", &["quell-model"]),
    // For `quell` alone: a service that decides must not wait for a solver.
    ("quell-proof", &["quell-policy", "quell-model"]),
    ("quell-policy", &["quell-model"]),
    ("quell-store", &["quell-model"]),
    ("quell-model", &[]),
    // Shares nothing with the connectors, or both would repeat one misunderstanding.
    ("quell-twins", &[]),
    ("xtask", &[]),
];

/// What every crate's tests may use: the simulated vendors, and the contract's simulated clock and
/// conformance suite.
const FREE_IN_TESTS: &[&str] = &["quell-twins", "quell-connector"];

/// Libraries that belong to the crates named here. Tests may use them anywhere.
const OWNERS: &[(&str, &[&str], &str)] = &[
    (
        "rusqlite",
        &["quell-store"],
        "ask the store, which has the only SQL",
    ),
    (
        // Vendors are reached through the contract's plane alone. The commands that ask our own
        // server are no vendor calls: they must not retry an order, and explain refusals themselves.
        "reqwest",
        &["quell-connector", "quell"],
        "make the call through its HTTP plane",
    ),
    (
        "ldap3",
        &["quell-connectors"],
        "ask the directory through the `active-directory` connector",
    ),
    (
        "lettre",
        &["quell-connectors"],
        "send mail through the `smtp` connector",
    ),
    (
        // What is not HTTP is a connector's own affair, and still only a connector's.
        "tokio-rustls",
        &["quell-connectors"],
        "reach the vendor through a connector",
    ),
    (
        // Proofs are about the rules themselves, so they need the language these are in.
        "cedar-policy",
        &["quell-policy", "quell-proof"],
        "ask the policy for a decision",
    ),
    (
        "cedar-policy-symcc",
        &["quell-proof"],
        "ask for a proof through its functions",
    ),
];

fn forbidden_arrows(packages: &[Package]) -> Vec<String> {
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut complaints = Vec::new();
    for package in packages {
        let name = &package.name;
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| from == name) else {
            complaints.push(format!(
                "`{name}` is a new crate: give it a row in ARROWS (xtask/src/structure/arrows.rs) and \
                 a place in ARCHITECTURE.md"
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            let free = dependency.development && FREE_IN_TESTS.contains(&to);
            if ours(to) && !free && !allowed.contains(&to) {
                complaints.push(format!(
                    "`{name}` may not use `{to}`: move what it needs to a crate it may use ({}); if the \
                     architecture is what must change, say why in ARCHITECTURE.md and add the arrow to \
                     ARROWS (xtask/src/structure/arrows.rs)",
                    if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") },
                ));
            }
        }
    }
    complaints
}

fn borrowed_libraries(packages: &[Package]) -> Vec<String> {
    let mut complaints = Vec::new();
    for package in packages {
        for (library, owners, instead) in OWNERS {
            let uses = |name: &str| {
                let mut dependencies = package.dependencies.iter();
                dependencies.any(|dependency| dependency.name == name && !dependency.development)
            };
            if !owners.contains(&package.name.as_str()) && uses(library) {
                complaints.push(format!(
                    "only `{}` may depend on `{library}`, but {} does: {instead}",
                    owners.join("`, `"),
                    package.manifest.display()
                ));
            }
        }
    }
    complaints
}

#[test]
fn crates_use_only_the_crates_they_may() {
    nothing_to_complain_of(&forbidden_arrows(&packages()));
}

#[test]
fn libraries_with_an_owner_are_used_by_it_alone() {
    nothing_to_complain_of(&borrowed_libraries(&packages()));
}

mod tests {
    use serde_json::json;

    use super::*;
    use crate::structure::packages_in;

    fn using(name: &str, uses: &str, kind: Option<&str>) -> Vec<Package> {
        let package = |name: &str, dependencies: serde_json::Value| {
            json!({
                "name": name,
                "manifest_path": "/there/Cargo.toml",
                "description": null,
                "dependencies": dependencies,
            })
        };
        let mut packages = vec![package(name, json!([{ "name": uses, "kind": kind }]))];
        if uses.starts_with("quell") && name != uses {
            packages.push(package(uses, json!([])));
        }
        packages_in(&json!({ "packages": packages }))
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_refused() {
        for (from, to) in [
            ("quell-model", "quell-store"),
            ("quell-policy", "quell-store"),
            ("quell-engine", "quell-connectors"),
            ("quell-server", "quell-connectors"),
            ("quell-connectors", "quell-twins"),
            ("quell-twins", "quell-model"),
            ("xtask", "quell"),
        ] {
            for kind in [None, Some("build")] {
                let complaints = forbidden_arrows(&using(from, to, kind));
                assert_eq!(complaints.len(), 1, "{from} to {to}");
                assert!(complaints[0].contains(&format!("`{from}` may not use `{to}`")));
            }
        }
    }

    #[test]
    fn a_drawn_arrow_and_those_of_tests_are_free() {
        for (from, to, kind) in [
            ("quell", "quell-twins", None),
            ("quell-engine", "quell-store", None),
            ("quell-engine", "quell-twins", Some("dev")),
            ("quell-connectors", "quell-connector", Some("dev")),
            ("quell-store", "quell-connector", Some("dev")),
        ] {
            let complaints = forbidden_arrows(&using(from, to, kind));
            assert_eq!(complaints, Vec::<String>::new(), "{from} to {to}");
        }
    }

    #[test]
    fn tests_may_not_use_every_crate() {
        let complaints = forbidden_arrows(&using("quell-engine", "quell-connectors", Some("dev")));
        assert_eq!(complaints.len(), 1);
    }

    #[test]
    fn a_crate_nobody_drew_is_refused() {
        let complaints = forbidden_arrows(&using("quell-extras", "serde", None));
        assert!(
            complaints[0].contains("`quell-extras` is a new crate"),
            "{complaints:?}"
        );
    }

    #[test]
    fn a_library_with_an_owner_is_refused_elsewhere() {
        for (library, owners, _) in OWNERS {
            assert_eq!(
                borrowed_libraries(&using("quell-server", library, None)).len(),
                1
            );
            for owner in *owners {
                assert!(borrowed_libraries(&using(owner, library, None)).is_empty());
            }
            assert!(borrowed_libraries(&using("quell-server", library, Some("dev"))).is_empty());
        }
    }
}
