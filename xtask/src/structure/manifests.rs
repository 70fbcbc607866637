//! What every crate's manifest has.

use toml::Table;

use super::{Package, nothing_to_complain_of, packages};
use crate::repository::root;

fn incomplete(package: &Package, manifest: &str) -> Vec<String> {
    let path = package.manifest.display();
    let table: Table = match manifest.parse() {
        Ok(table) => table,
        Err(error) => return vec![format!("{path} is not TOML: {error}")],
    };
    let inherits = |section: &str, key: Option<&str>| {
        let section = table.get(section)?;
        let value = key.map_or(Some(section), |key| section.get(key))?;
        value.get("workspace")?.as_bool()
    };
    let mut complaints = Vec::new();
    if inherits("lints", None) != Some(true) {
        complaints.push(format!(
            "{path} leaves the lints out: add `[lints]` with `workspace = true`"
        ));
    }
    for key in ["version", "edition", "rust-version", "license", "publish"] {
        if inherits("package", Some(key)) != Some(true) {
            complaints.push(format!(
                "{path} has its own {key}: write `{key}.workspace = true`"
            ));
        }
    }
    if package
        .description
        .as_deref()
        .unwrap_or_default()
        .is_empty()
    {
        complaints.push(format!(
            "{path} has no `description`: say in one sentence what the crate owns"
        ));
    }
    complaints
}

#[test]
fn every_manifest_inherits_what_the_crates_share_and_says_what_the_crate_owns() {
    let complaints: Vec<String> = packages()
        .iter()
        .flat_map(|package| {
            let manifest = std::fs::read_to_string(root().join(&package.manifest)).unwrap();
            incomplete(package, &manifest)
        })
        .collect();
    nothing_to_complain_of(&complaints);
}

mod tests {
    use super::*;

    fn package(description: Option<&str>) -> Package {
        Package {
            name: "quell-new".to_owned(),
            manifest: "crates/new/Cargo.toml".into(),
            description: description.map(str::to_owned),
            dependencies: Vec::new(),
        }
    }

    const COMPLETE: &str = "
        package = { version.workspace = true, edition.workspace = true, rust-version.workspace = true, \
                    license.workspace = true, publish.workspace = true }
        [lints]
        workspace = true
    ";

    #[test]
    fn a_complete_manifest_passes_however_it_is_spelled() {
        assert_eq!(
            incomplete(&package(Some("Owns it.")), COMPLETE),
            Vec::<String>::new()
        );
        let dotted = COMPLETE.replace("[lints]\n        workspace = true", "[lints.workspace]");
        assert_eq!(
            incomplete(&package(Some("Owns it.")), &dotted).len(),
            1,
            "not `true`"
        );
    }

    #[test]
    fn each_thing_left_out_is_named() {
        let complaints = incomplete(&package(None), "package.version = \"1.0.0\"");
        assert_eq!(complaints.len(), 7, "{complaints:?}");
        for word in ["`[lints]`", "`version.workspace = true`", "`description`"] {
            assert!(
                complaints.iter().any(|complaint| complaint.contains(word)),
                "{word}"
            );
        }
        assert!(
            complaints
                .iter()
                .all(|complaint| complaint.starts_with("crates/new/Cargo.toml "))
        );
    }
}
