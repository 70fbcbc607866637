//! Leaving out a rule that ships: which, what it changes, and what may stand in its place.

use jiff::Timestamp;
use quell_model::{ActionType, Outcome};
use quell_policy::{Diagnostics, Folder, Loaded};

use crate::support::{Case, rule_ids};

fn load(files: &[(&str, &str)]) -> Result<Loaded, Diagnostics> {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    Folder { files }.load("", Timestamp::UNIX_EPOCH)
}

fn common_file() -> Case {
    Case::new(ActionType::BlockHash).with(|case| case.file.prevalence = Some(500))
}

const OFF: (&str, &str) = ("policy.toml", "[rules]\noff = [\"ask-ban-common\"]");

#[test]
fn a_rule_that_is_left_out_decides_nothing_and_the_others_stay_where_they_are() {
    let all = load(&[]).unwrap();
    assert_eq!(common_file().decide(&all.policy).outcome, Outcome::Ask);
    let fewer = load(&[OFF]).unwrap();
    assert_eq!(common_file().decide(&fewer.policy).outcome, Outcome::Auto);
    let left: Vec<_> = all
        .policy
        .rules()
        .iter()
        .filter(|rule| rule.id != "ask-ban-common")
        .cloned()
        .collect();
    assert_eq!(fewer.policy.rules(), left);
    let texts: String = fewer.rules.iter().map(|(_, text)| text.as_str()).collect();
    assert!(!texts.contains("ask-ban-common"), "proofs would see it");
}

#[test]
fn a_rule_of_one_s_own_may_take_the_name_of_one_that_is_left_out_and_of_no_other() {
    let own = (
        "own.cedar",
        "@id(\"ask-ban-common\") @reason(\"Seen on {prevalence} machines.\")\n\
         forbid (principal == Mode::\"auto\", action == Action::\"block_hash\", resource)\n\
         when { resource has prevalence && resource.prevalence >= 20 };",
    );
    let replaced = load(&[OFF, own]).unwrap();
    let case = common_file().with(|case| case.file.prevalence = Some(20));
    assert_eq!(rule_ids(&case.decide(&replaced.policy)), ["ask-ban-common"]);
    let wrong = load(&[own]).unwrap_err().to_string();
    assert!(
        wrong.contains("own.cedar:1:1: the @id `ask-ban-common` is used twice"),
        "{wrong}"
    );
}

#[test]
fn what_cannot_be_left_out_is_refused_at_its_line() {
    let check = |id: &str, expected: &str| {
        let text = format!("[rules]\noff = [\n  \"{id}\",\n]");
        let wrong = load(&[("policy.toml", &text)]).unwrap_err().to_string();
        assert!(
            wrong.starts_with("policy.toml:3:3: `rules.off`: "),
            "{wrong}"
        );
        assert!(wrong.contains(expected), "{wrong}");
    };
    check("ask-ban-comon", "did you mean `ask-ban-common`?");
    check(
        "contain-host-vip",
        "no hand-written rule that ships is named `contain-host-vip`",
    );
    check(
        "never-list",
        "`never-list` cannot be left out: without it a never list",
    );
    check("ask-list", "cannot be left out");
    check("never-special", "cuts off everybody");
    check("approve-reversal", "nothing could be taken back");
    check("ask-key-deletion", "cannot be taken back");
    check("ask-vital-process", "the machine goes down");
}
