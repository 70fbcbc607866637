//! Splitting what a vendor sent into single alert documents.

use std::collections::BTreeMap;

use quell_model::text;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// A document that cannot be read, with the place at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct DocumentError {
    /// JSON path from the document's root (`$.device.device_id`).
    pub path: String,
    /// What is wrong and what was expected.
    pub problem: String,
    /// What there is can be read; the document only lacks what makes it an alert. It may be a pointer
    /// to one.
    pub missing: bool,
}

impl DocumentError {
    /// An error at `path`.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: text::line(&path.into()),
            problem: text::line(&problem.into()),
            missing: false,
        }
    }

    /// An error about a member that is not there.
    pub fn missing(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            missing: true,
            ..Self::new(path, problem)
        }
    }

    /// The same error inside an outer document.
    #[must_use]
    pub fn inside(mut self, outer: &str) -> Self {
        let inner = self.path.strip_prefix('$').unwrap_or(&self.path);
        self.path = format!("{outer}{inner}");
        self
    }
}

/// One document and where it was found, for error messages.
#[derive(Debug)]
pub struct Document<'a> {
    /// JSON path of the document (`$`, `$[3]`, `$.resources[0]`), or `line 4` of NDJSON.
    pub path: String,
    /// Its text.
    pub json: &'a RawValue,
}

/// The alert documents in `body`: a single object, an array of them, newline-delimited objects, or
/// a vendor's list reply, in which case `envelope` names the member that holds the list.
///
/// # Errors
/// When the body is not JSON, or holds something other than objects where documents belong.
pub fn split<'a>(body: &'a str, envelope: &[&str]) -> Result<Vec<Document<'a>>, DocumentError> {
    if too_deep(body) {
        let problem = format!("nested deeper than {DEPTH_LIMIT} levels; no vendor sends that");
        return Err(DocumentError::new("$", problem));
    }
    let mut stream = serde_json::Deserializer::from_str(body).into_iter::<&'a RawValue>();
    let mut documents = Vec::new();
    let mut roots = 0;
    loop {
        match stream.next() {
            None => break,
            Some(Err(error)) => {
                let place = format!("$ (line {}, column {})", error.line(), error.column());
                return Err(DocumentError::new(
                    place,
                    format!("not JSON: {}", reason(&error)),
                ));
            }
            Some(Ok(root)) => {
                roots += 1;
                // A second root makes it NDJSON; only then is "document N" a better name than "$".
                let path = if roots == 1 {
                    "$".to_owned()
                } else {
                    format!("document {roots}: $")
                };
                unwrap(root, &path, envelope, &mut documents)?;
            }
        }
    }
    if roots == 0 {
        return Err(DocumentError::new(
            "$",
            "the body is empty; send one alert document or a list of them",
        ));
    }
    Ok(documents)
}

/// Deepest nesting of a body. The parser itself is safe at any depth while it only skips, but
/// nothing that reads the stored document later should have to be.
const DEPTH_LIMIT: usize = 64;

fn too_deep(body: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    body.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEPTH_LIMIT
    })
}

fn unwrap<'a>(
    root: &'a RawValue,
    path: &str,
    envelope: &[&str],
    into: &mut Vec<Document<'a>>,
) -> Result<(), DocumentError> {
    match root.get().as_bytes().first() {
        Some(b'[') => list(root, path, into),
        // Most bodies are one document; a look at the text saves taking them apart.
        Some(b'{') => {
            for members in envelope {
                if let Some(inner) = enclosed(root, members) {
                    return list(inner, &format!("{path}.{members}"), into);
                }
            }
            push(root, path.to_owned(), into)
        }
        _ => Err(DocumentError::new(
            path,
            "expected an alert document (a JSON object) or a list of them",
        )),
    }
}

/// The list at the end of these members, if there is one.
fn enclosed<'a>(outer: &'a RawValue, members: &str) -> Option<&'a RawValue> {
    members
        .split('.')
        // Most bodies are one document; a look at the text saves taking them apart.
        .try_fold(outer, |outer, member| {
            if !outer.get().starts_with('{') || !outer.get().contains(member) {
                return None;
            }
            // Member names with escapes cannot be borrowed; such a document is no list reply.
            let inside: BTreeMap<&str, &'a RawValue> = read(outer).ok()?;
            inside.get(member).copied()
        })
        .filter(|inner| inner.get().starts_with('['))
}

fn list<'a>(
    list: &'a RawValue,
    path: &str,
    into: &mut Vec<Document<'a>>,
) -> Result<(), DocumentError> {
    let items: Vec<&'a RawValue> = read(list).map_err(|error| error.inside(path))?;
    for (index, item) in items.into_iter().enumerate() {
        push(item, format!("{path}[{index}]"), into)?;
    }
    Ok(())
}

fn push<'a>(
    json: &'a RawValue,
    path: String,
    into: &mut Vec<Document<'a>>,
) -> Result<(), DocumentError> {
    if !json.get().starts_with('{') {
        return Err(DocumentError::new(
            path,
            "expected an alert document (a JSON object)",
        ));
    }
    into.push(Document { path, json });
    Ok(())
}

/// Reads a document into a typed form.
///
/// # Errors
/// With the JSON path of the member that does not fit.
pub fn read<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Result<T, DocumentError> {
    from_str(json.get())
}

/// Reads JSON text into a typed form.
///
/// # Errors
/// With the JSON path of the member that does not fit.
pub fn from_str<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, DocumentError> {
    // Keeping track of the path costs as much as the reading, so it is kept only for what fails.
    if let Ok(read) = serde_json::from_str(json) {
        return Ok(read);
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => "$".to_owned(),
            path if path.starts_with('[') => format!("${path}"),
            path => format!("$.{path}"),
        };
        DocumentError::new(path, reason(error.inner()))
    })
}

/// As [`from_str()`], for owned types read from bytes.
///
/// # Errors
/// With the JSON path of the member that does not fit.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, DocumentError> {
    let text = std::str::from_utf8(json).map_err(|_| DocumentError::new("$", "not UTF-8 text"))?;
    from_str(text)
}

/// The parser's sentence without its position, which the path replaces.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text.get(..at).unwrap_or(&text).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(body: &str) -> Vec<String> {
        split(body, &["resources"])
            .unwrap()
            .into_iter()
            .map(|d| d.path)
            .collect()
    }

    #[test]
    fn every_shape_a_vendor_sends_is_split_into_documents() {
        assert_eq!(paths(r#"{"id":1}"#), ["$"]);
        assert_eq!(paths(r#"[{"id":1},{"id":2}]"#), ["$[0]", "$[1]"]);
        assert_eq!(paths("{\"id\":1}\n\n{\"id\":2}\n"), ["$", "document 2: $"]);
        assert_eq!(
            paths(r#"{"meta":{},"resources":[{"id":1}],"errors":[]}"#),
            ["$.resources[0]"]
        );
        assert_eq!(paths(r#"{"resources":[]}"#), Vec::<String>::new());
    }

    #[test]
    fn a_list_further_inside_is_found_by_its_members() {
        let body = r#"{"stat":"OK","response":{"events":[{"id":1},{"id":2}],"metadata":{}}}"#;
        let paths = |envelope: &[&str]| {
            let documents = split(body, envelope).unwrap();
            documents.into_iter().map(|d| d.path).collect::<Vec<_>>()
        };
        let found = ["$.response.events[0]", "$.response.events[1]"];
        assert_eq!(paths(&["data.events", "response.events"]), found);
        assert_eq!(paths(&["response.logs", "response.metadata.x"]), ["$"]);
    }

    #[test]
    fn what_is_not_a_document_is_refused_with_its_place() {
        let problem = |body: &str| split(body, &["resources"]).unwrap_err();
        assert_eq!(problem("").path, "$");
        assert_eq!(problem("[1]").path, "$[0]");
        assert_eq!(problem(r#"{"resources":[{},"x"]}"#).path, "$.resources[1]");
        assert!(problem("{\"a\":").to_string().contains("not JSON"));
    }

    #[test]
    fn deep_nesting_is_refused_and_brackets_in_texts_do_not_count() {
        let texts = format!(r#"{{"a":"\"{}"}}"#, "[{".repeat(1000));
        assert!(split(&texts, &[]).is_ok());
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(split(&nested, &[]).is_err());
    }

    /// Bodies of every shape, to be damaged.
    const BODIES: [&str; 4] = [
        r#"{"id":"a","device":{"device_id":"b","tags":["x","\u00e9\n"]},"n":-1.5e3}"#,
        r#"[{"id":1},{"id":2,"list":[[],{}]}]"#,
        "{\"id\":1}\n{\"id\":2}\n",
        r#"{"meta":{"pagination":{"after":"z"}},"resources":[{"id":1},{"id":2}],"errors":null}"#,
    ];

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_damaged_body_is_split_or_refused_and_what_is_split_is_part_of_it(
            which in 0..BODIES.len(),
            damage in proptest::collection::vec(
                (proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>(), 0..3_u8), 0..6),
        ) {
            let mut bytes = BODIES[which].as_bytes().to_vec();
            for (at, byte, how) in damage {
                let at = at.index(bytes.len().max(1)).min(bytes.len());
                match how {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, byte),
                    _ => bytes.get_mut(at).into_iter().for_each(|place| *place = byte),
                }
            }
            let Ok(body) = String::from_utf8(bytes) else { return Ok(()) };
            if let Ok(documents) = split(&body, &["resources"]) {
                for document in documents {
                    assert!(document.json.get().starts_with('{'));
                    assert!(body.contains(document.json.get()));
                }
            }
        }
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        #[derive(Debug, Deserialize)]
        struct Device {
            #[expect(dead_code, reason = "only its type matters here")]
            device_id: String,
        }
        #[derive(Debug, Deserialize)]
        struct Alert {
            #[expect(dead_code, reason = "only its type matters here")]
            device: Device,
        }
        let error = from_str::<Alert>(r#"{"device":{"device_id":7}}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "$.device.device_id: invalid type: integer `7`, expected a string"
        );
    }
}
