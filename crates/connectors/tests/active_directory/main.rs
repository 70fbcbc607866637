//! Active Directory against a real domain controller. Without Samba the tests are listed as ignored;
//! `cargo xtask test` runs them all.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this program is a test, though the harness is its own"
)]

mod connection;
mod enablement;
mod kit;
mod lookup;
mod obstacles;
mod password;
mod probe;
#[path = "../samba/mod.rs"]
mod samba;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

macro_rules! claims {
    ($($module:ident { $($name:ident,)* })*) => {
        vec![$($((concat!(stringify!($module), "::", stringify!($name)), || run($module::$name()))),*),*]
    };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let claims: Vec<(&str, fn())> = claims! {
        connection {
            only_a_trusted_or_a_named_certificate_is_believed,
            what_cannot_work_is_refused_by_its_key,
            another_controller_is_asked_while_one_is_gone_and_the_same_one_verifies,
            a_connection_that_broke_is_replaced_and_only_a_sent_change_is_in_doubt,
            a_controller_that_falls_silent_costs_a_moment_and_not_the_rest_of_the_time,
            a_refused_password_is_not_tried_again_for_a_while,
            why_a_sign_in_is_refused_is_said,
            the_controller_of_another_domain_is_refused,
            whoever_may_not_is_told_what_to_delegate,
        }
        enablement {
            a_disabled_account_cannot_sign_in_until_it_is_enabled,
            taking_back_keeps_what_others_changed_meanwhile,
            an_account_that_was_disabled_already_is_not_touched,
        }
        lookup {
            every_way_to_name_an_account_finds_that_one,
            a_security_identifier_finds_its_account_wherever_it_was_moved,
            what_does_not_name_exactly_one_account_of_the_domain_is_refused,
        }
        obstacles {
            nobody_touches_what_windows_needs_or_quell_itself_through_quell,
            the_last_enabled_domain_administrator_is_left_alone,
            rights_and_services_are_read_from_the_live_record,
            the_domain_and_the_account_of_the_connection_are_known_without_asking,
        }
        password {
            the_old_password_is_refused_and_the_new_one_has_to_be_changed,
            what_cannot_be_forced_or_is_over_is_said,
            only_the_controller_that_made_the_change_can_say_that_it_did_not,
            a_password_against_the_policy_changes_nothing,
            nothing_is_sent_before_password_and_intent_are_durable,
            one_password_is_given_out_however_many_controllers_are_asked,
        }
        probe {
            each_controller_and_each_delegation_has_a_line,
            a_wrong_password_is_tried_at_one_controller_only,
        }
    };
    let missing = !samba::installed();
    let trials = claims.into_iter().map(|(name, claim)| {
        let trial = Trial::test(name, move || {
            claim();
            Ok(())
        });
        trial.with_ignored_flag(missing)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn run(claim: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(claim);
}
