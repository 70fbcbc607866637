//! What every text of the project, prose or code, keeps to.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{SourceFile, nothing_to_complain_of, texts};

/// Folders beside a checkout, which whoever reads this does not have. Put together here, or this
/// file would name them.
fn outside() -> [String; 3] {
    [
        ["..", "shared"].join("/"),
        ["/work", "shared"].join("/"),
        [".", "library"].concat(),
    ]
}

fn names_what_lies_outside(file: &SourceFile) -> Vec<String> {
    let outside = outside();
    let lines = file.text.lines().enumerate();
    let named = lines.filter(|(_, line)| outside.iter().any(|folder| line.contains(folder)));
    named
        .map(|(number, _)| {
            format!(
                "{}:{} names a folder that is not part of the project: say here what stands there",
                file.path.display(),
                number + 1
            )
        })
        .collect()
}

/// The parts of a Markdown text that are prose: no code blocks, no code in a line.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.extend(line.split('`').step_by(2));
        }
        prose.push('\n');
    }
    prose
}

/// Where the links of a Markdown text lead, each with its line number.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text).lines().enumerate() {
        let inline = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', ' ']).next());
        let definition = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "))
            .map(|(_, target)| target.trim());
        links.extend(
            inline
                .chain(definition)
                .map(|target| (number + 1, target.to_owned())),
        );
    }
    links
}

/// The names under which a Markdown text's headings can be linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if !fenced && line.starts_with('#') {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            anchors.insert(kept.collect::<String>().replace(' ', "-"));
        }
    }
    anchors
}

/// `path` without `.` and `..`; nothing if it leads out of the project.
fn resolved(path: &Path) -> Option<PathBuf> {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir if !resolved.pop() => return None,
            _ => {}
        }
    }
    Some(resolved)
}

fn broken_links(files: &[SourceFile], known: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.has_extension("md")) {
        for (number, link) in links(&file.text) {
            let elsewhere = ["http://", "https://", "mailto:"];
            if elsewhere.iter().any(|scheme| link.starts_with(scheme)) {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path.strip_prefix('/') {
                _ if path.is_empty() => Some(file.path.clone()),
                Some(from_root) => resolved(Path::new(from_root)),
                None => resolved(&file.path.with_file_name("").join(path)),
            };
            let place = format!("{}:{number} links to `{link}`", file.path.display());
            let Some(target) = target.filter(|target| known(target)) else {
                complaints.push(format!(
                    "{place}, which is not in the project: mend the path"
                ));
                continue;
            };
            let page = files
                .iter()
                .find(|file| file.path == target && file.has_extension("md"));
            if let Some(page) = page
                && !anchor.is_empty()
                && !anchors(&page.text).contains(anchor)
            {
                complaints.push(format!(
                    "{place}, but {} has no such heading: mend the part after `#`",
                    target.display()
                ));
            }
        }
    }
    complaints
}

/// Whether a file in `changelog.d` is one that a release can collect.
fn misnamed_fragment(file: &SourceFile) -> Option<String> {
    let name = file.path.strip_prefix("changelog.d").ok()?.to_str()?;
    let kinds = ["breaking", "security", "feature", "fix"];
    let parts: Vec<&str> = name.split('.').collect();
    let fits = matches!(parts[..], [slug, kind, "md"] if !slug.is_empty() && kinds.contains(&kind));
    (name != "README.md" && !fits).then(|| {
        format!(
            "changelog.d/{name}: name it `<what-changed>.<{}>.md`; see changelog.d/README.md",
            kinds.join("|")
        )
    })
}

#[test]
fn nothing_names_what_lies_outside_the_project() {
    let complaints: Vec<_> = texts().iter().flat_map(names_what_lies_outside).collect();
    nothing_to_complain_of(&complaints);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let files = texts();
    let known: BTreeSet<PathBuf> = crate::repository::files()
        .unwrap()
        .iter()
        .flat_map(|path| path.ancestors().map(Path::to_path_buf).collect::<Vec<_>>())
        .collect();
    nothing_to_complain_of(&broken_links(&files, |path| known.contains(path)));
}

#[test]
fn every_change_note_can_be_collected() {
    let complaints: Vec<_> = texts().iter().filter_map(misnamed_fragment).collect();
    nothing_to_complain_of(&complaints);
}

mod tests {
    use super::*;

    #[test]
    fn a_folder_outside_is_found_in_any_text() {
        for folder in outside() {
            let file = SourceFile::new("a.rs", &format!("one\n// see {folder}/notes.md\n"));
            let complaints = names_what_lies_outside(&file);
            assert!(complaints[0].starts_with("a.rs:2 "), "{complaints:?}");
        }
        let file = SourceFile::new("a.rs", "let shared = library.work();");
        assert_eq!(names_what_lies_outside(&file), Vec::<String>::new());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found_with_its_line() {
        let files = [
            SourceFile::new(
                "docs/a.md",
                "# A page\n[b](b.md#the-b-page) [up](../README.md)\n",
            ),
            SourceFile::new(
                "docs/b.md",
                "## The `B` page!\n[gone](c.md)\n[out](../../x.md)\n",
            ),
            SourceFile::new(
                "README.md",
                "[a](/docs/a.md#gone) [self](#here) [net](https://example.com/x.md)\n\n# Here\n\
                 `[code](no.md)`\n```\n[block](no.md)\n```\n[docs](docs/)\n\n[ref]: no.md\n",
            ),
        ];
        let known =
            |path: &Path| path == Path::new("docs") || files.iter().any(|file| file.path == path);
        let complaints = broken_links(&files, known);
        let places: Vec<&str> = complaints
            .iter()
            .filter_map(|complaint| complaint.split(' ').next())
            .collect();
        assert_eq!(
            places,
            ["docs/b.md:2", "docs/b.md:3", "README.md:1", "README.md:10"],
            "{complaints:#?}"
        );
    }

    #[test]
    fn a_change_note_names_its_kind() {
        let complaint = |name: &str| misnamed_fragment(&SourceFile::new(name, ""));
        assert_eq!(complaint("changelog.d/README.md"), None);
        assert_eq!(complaint("changelog.d/okta-retry-after.fix.md"), None);
        assert_eq!(complaint("docs/anything.md"), None);
        assert!(complaint("changelog.d/okta.md").is_some());
        assert!(complaint("changelog.d/okta.improvement.md").is_some());
        assert!(complaint("changelog.d/.fix.md").is_some());
    }
}
