//! Reads a policy folder from disk. What its files mean is `quell-policy`'s business.

use std::path::Path;

use quell_policy::Folder;

use crate::failure::why;

/// Largest file that is read, in bytes; more than any rule text may have.
const LARGEST: u64 = 1 << 20;
/// Largest list, in bytes: some hundred thousand entries.
const LARGEST_LIST: u64 = 64 << 20;

/// The texts of a policy folder.
///
/// # Errors
/// With a sentence about what cannot be read.
pub(crate) fn read(path: &Path) -> Result<Folder, String> {
    let mut folder = Folder::default();
    below(path, "", &mut folder)?;
    Ok(folder)
}

fn below(path: &Path, prefix: &str, folder: &mut Folder) -> Result<(), String> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        format!("`{}` cannot be read: {}", path.display(), why(error))
    };
    let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(path, &error))?;
        let (file, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let name = format!("{prefix}{name}");
        let facts = std::fs::metadata(&file).map_err(|error| unreadable(&file, &error))?;
        if facts.is_dir() && prefix.is_empty() {
            below(&file, &format!("{name}/"), folder)?;
        } else if facts.is_file() && Folder::takes(&name) {
            let largest = if name.ends_with(".csv") {
                LARGEST_LIST
            } else {
                LARGEST
            };
            if facts.len() > largest {
                return Err(format!(
                    "`{}` is larger than {largest} bytes",
                    file.display()
                ));
            }
            let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
            folder.files.insert(name, text);
        }
    }
    Ok(())
}
