//! The page about the command line, from the command line itself.

use super::markdown::Page;

pub(super) fn page() -> String {
    let mut page = Page::new("Command line", INTRODUCTION.trim());
    let mut command = crate::cli::command().term_width(100);
    command.build();
    page.code("text", &command.render_long_help().to_string());
    let mut commands: Vec<clap::Command> = command.get_subcommands().cloned().collect();
    commands.sort_by_key(|command| command.get_name().to_owned());
    for command in commands
        .iter_mut()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        describe(command, &mut page);
    }
    page.end()
}

fn describe(command: &mut clap::Command, page: &mut Page) {
    let inner: Vec<clap::Command> = command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
        .cloned()
        .collect();
    // Some do something by themselves as well.
    if !command.is_subcommand_required_set() {
        let name = command
            .get_bin_name()
            .unwrap_or(command.get_name())
            .to_owned();
        page.heading(&format!("`{name}`"));
        // Every command has these; said once they need not be repeated for each.
        let everywhere = |arg: clap::Arg| {
            let hide = matches!(arg.get_id().as_str(), "format" | "help" | "url");
            if hide { arg.hide(true) } else { arg }
        };
        let mut wide = command.clone().term_width(100).mut_args(everywhere);
        page.code("text", &wide.render_long_help().to_string());
    }
    for mut inner in inner {
        describe(&mut inner, page);
    }
}

const INTRODUCTION: &str = r#"
Every command and option; `--format` and `--help`, which all of them take, stand only here, and so does `--url` of those that ask
a server: its address, instead of QUELL_URL. Colours
appear only on a terminal and never with `NO_COLOR`. With `--format json` a command prints one JSON document on standard output; when it fails, that document is
`{"error": {"code", "message", …}}`, and the sentence for people goes to standard error as always.
"#;
