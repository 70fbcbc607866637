//! The command line: what can be asked for, and the help a person reads.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::failure::Result;
use crate::output::{self, Format};
use crate::{client, config, demo, plan, policy, range, reference, serve};

/// Automated security remediation: decides by your policy, acts through your security tools,
/// proves that it happened, and can take it back.
#[derive(Debug, Parser)]
#[command(
    name = "quell",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    help_template = HELP,
    after_help = EXIT_CODES
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Who reads the output: a person, or a program (one JSON document).
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_default_value = true,
        value_name = "FORMAT",
        hide_possible_values = true,
        help = "Output for a person (`human`) or for a program (`json`) [default: human]"
    )]
    format: Format,
}

/// Commands by what somebody wants; a test holds it complete.
const HELP: &str = "\
{about}.

{usage-heading} {usage}

Look at it:
  demo               Watch a simulated attack being answered, from first alert to undo
  plan               Say what would be done about an alert, and why; touches nothing
  range              Run the simulated vendors, for load tests and rehearsals

Run it:
  config check       Say what is wrong with a configuration, with file, line and column
  config schema      Print the configuration's JSON schema, for editors
  serve              Run the server

Decide what it may do (a folder of texts, under version control):
  policy init        Make a policy folder to start from
  policy check       Say what is wrong with it, with file, line and column
  policy show        Print who decides about what, and the rules behind it
  policy test        Run its examples
  policy prove       Prove what it can never do, or that a change permits nothing new
  policy backtest    Replay stored alerts: what a changed policy would decide otherwise
  policy apply       Put it in force on the running server, in your name
  policy explain     Say why an action was decided as it was, with the facts of that moment

Work with it (asks the server at QUELL_URL, as whoever QUELL_TOKEN belongs to):
  actions            List actions: what was decided, and where each stands
  show               Everything about one action: why, what happened when, who said yes
  approve            Say yes to an action that waits for a person
  reject             Say no to it
  revert             Take an action back
  password           Show the temporary password that a reset set, once
  opt-in             Let Quell do an action type that was in shadow mode; say what is opted in to
  opt-out            Put an action type back into shadow mode, at once
  pause              Stop all automation at once, or one connection; queued work included
  resume             Let it go on
  lists              What must not be touched: list, add, remove, import, export, check, history
  connections check  Find out what each connection's credentials really allow

Options:
{options}{after-help}";

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 what was given cannot be used (document, configuration, option).
`quell COMMAND --help` says more about a command.";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Plan(plan::Arguments),
    Range(range::Arguments),
    /// The configuration file.
    Config {
        #[command(subcommand)]
        command: config::Command,
    },
    Serve(serve::Arguments),
    /// What Quell may do.
    Policy {
        #[command(subcommand)]
        command: policy::Command,
    },
    Actions(client::actions::Arguments),
    Show(client::show::Arguments),
    Approve(client::answer::Arguments),
    Reject(client::answer::Arguments),
    Revert(client::orders::Revert),
    Password(client::password::Arguments),
    OptIn(client::opt_in::In),
    OptOut(client::opt_in::Out),
    Pause(client::orders::Pause),
    Resume(client::orders::Resume),
    Lists(client::lists::Arguments),
    /// The accounts that Quell acts through.
    Connections {
        #[command(subcommand)]
        command: client::connections::Command,
    },
    #[command(hide = true)]
    Generate(reference::Arguments),
}

/// The command line as clap knows it, for the reference page.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
        .mut_subcommand("approve", |approve| {
            approve.about("Says yes to an action that waits for a person")
        })
        .mut_subcommand("reject", |reject| {
            reject.about("Says no to an action that waits for a person")
        })
}

/// Runs the program with these arguments, the first being its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = command()
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are printed this way too, and are no failure.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let format = cli.format;
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if format == Format::Json {
                output::say(&format!("{}\n", failure.json()));
            }
            output::remark(&failure.to_string());
            failure.exit_code()
        }
    }
}

impl Cli {
    fn run(self) -> Result<()> {
        let format = self.format;
        match self.command {
            Command::Demo(arguments) => demo::run(&arguments),
            Command::Plan(arguments) => plan::run(&arguments, format),
            Command::Range(arguments) => range::run(&arguments, format),
            Command::Config { command } => config::run(&command, format),
            Command::Serve(arguments) => serve::run(&arguments),
            Command::Policy { command } => policy::run(&command, format),
            Command::Actions(arguments) => client::actions::run(&arguments, format),
            Command::Show(arguments) => client::show::run(&arguments, format),
            Command::Approve(arguments) => client::answer::run(&arguments, true, format),
            Command::Reject(arguments) => client::answer::run(&arguments, false, format),
            Command::Revert(arguments) => client::orders::revert(&arguments, format),
            Command::Password(arguments) => client::password::run(&arguments, format),
            Command::OptIn(arguments) => client::opt_in::opt_in(&arguments, format),
            Command::OptOut(arguments) => client::opt_in::opt_out(&arguments, format),
            Command::Pause(arguments) => client::orders::pause(&arguments, format),
            Command::Resume(arguments) => client::orders::resume(&arguments, format),
            Command::Lists(arguments) => client::lists::run(&arguments, format),
            Command::Connections { command } => client::connections::run(&command, format),
            Command::Generate(arguments) => reference::run(&arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_command() {
        for command in command().get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = format!("\n  {}", command.get_name());
            assert!(HELP.contains(&name), "{name}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
