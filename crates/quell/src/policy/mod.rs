//! `quell policy`: writing, checking, showing and testing what Quell may do. Works on a folder of texts
//! and calls nobody, so that it runs where the folder is under version control.

mod apply;
mod backtest;
mod check;
mod explain;
mod prove;
mod show;
mod test;

use std::path::{Path, PathBuf};

use quell_connector::SystemClock;
use quell_model::Clock;
use quell_policy::{Example, Folder, Loaded, Settings};
use quell_proof::Property;
use serde_json::json;

use crate::failure::{Failure, Result, why};
use crate::folder;
use crate::output::{self, Format};

/// What can be done with a policy.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a policy folder to start from: the shipped matrix, examples and properties.
    Init(Place),
    /// Says what is wrong with a policy: unknown names, rules that can never decide, contradictions.
    Check(check::Arguments),
    /// Prints who decides about what, and the rules that follow from it.
    Show(show::Arguments),
    /// Runs the examples of a policy and says where it decides otherwise than expected.
    Test(Place),
    /// Proves that a policy can never do what must not be, or that a change permits nothing new.
    Prove(prove::Arguments),
    /// Replays the stored alerts and says what a changed policy would decide otherwise. Asks the server.
    Backtest(backtest::Arguments),
    /// Puts the policy that is written down where the server runs in force, in your name. Asks the server.
    Apply(apply::Arguments),
    /// Says why an action was decided as it was, and what was known at that moment. Asks the server.
    Explain(explain::Arguments),
}

/// The folder a command is about.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The policy folder.
    #[arg(value_name = "FOLDER", default_value = "policy")]
    folder: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// With everything that is wrong with the folder; for `test`, when an example is not as expected.
pub fn run(command: &Command, format: Format) -> Result<()> {
    match command {
        Command::Init(place) => init(&place.folder, format),
        Command::Check(arguments) => check::run(arguments, format),
        Command::Show(arguments) => show::run(arguments, format),
        Command::Test(place) => test::run(&place.folder, format),
        Command::Prove(arguments) => prove::run(arguments, format),
        Command::Backtest(arguments) => backtest::run(arguments, format),
        Command::Apply(arguments) => apply::run(arguments, format),
        Command::Explain(arguments) => explain::run(arguments, format),
    }
}

/// Reads and checks a folder.
///
/// # Errors
/// With everything that is wrong.
fn load(path: &Path) -> Result<Loaded> {
    let texts = folder::read(path).map_err(|message| {
        Failure::bad_input(message).hint("`quell policy init` makes a folder to start from")
    })?;
    Ok(texts.load(&path.display().to_string(), SystemClock.now())?)
}

/// A list to start from: where the columns are, and the two kinds of entry everybody needs.
const LISTS: &str = "\
subject,value,strength,actions,connection,reason,author,expires
host,quell-01,never,,,Quell runs here.,,
account,breakglass@northwind.example,never,,,The way in when nothing else works.,,
";

/// The files of a new folder.
fn beginning() -> [(&'static str, &'static str); 4] {
    [
        ("policy.toml", Settings::builtin_source().text),
        ("lists/protected.csv", LISTS),
        ("tests/examples.toml", Example::shipped().text),
        (
            "properties/properties.cedar",
            Property::shipped_source().text,
        ),
    ]
}

fn init(path: &Path, format: Format) -> Result<()> {
    let failed = |file: &Path, error: &std::io::Error| {
        Failure::failed(format!(
            "`{}` cannot be written: {}",
            file.display(),
            why(error)
        ))
    };
    for (name, _) in beginning() {
        let file = path.join(name);
        if file.exists() {
            let message = format!("`{}` is there already; nothing was written", file.display());
            return Err(Failure::bad_input(message));
        }
    }
    let mut written = Vec::new();
    for (name, text) in beginning() {
        let file = path.join(name);
        let folder = file.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        std::fs::write(&file, text).map_err(|error| failed(&file, &error))?;
        written.push(file.display().to_string());
    }
    if format == Format::Json {
        return output::json(&json!({ "written": written }));
    }
    output::say(&format!(
        "wrote {}\n\nChange them, then: quell policy check {folder} && quell policy test {folder}\n",
        written.join("\n      "),
        folder = path.display()
    ));
    Ok(())
}

/// What ships, as if it were a folder without files.
fn shipped() -> Result<Loaded> {
    Ok(Folder::default().load("", SystemClock.now())?)
}
