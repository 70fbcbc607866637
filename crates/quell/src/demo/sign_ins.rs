//! The second act: accounts at risk at the identity provider. Who is in it, what happens, and what the
//! provider's own state must say in the end. Every name and address is made up.

use quell_model::{Action, ActionId, ActionState, ActionType};
use quell_server::api::{PasswordRequest, PasswordView};
use quell_twins::entra_id::{
    App, CLIENT_ID, CLIENT_SECRET, Config, EntraId, RiskSpec, USER_ADMINISTRATOR, UserSpec,
};

use super::stage::{SIGN_IN_LAG, Stage};
use crate::failure::{Failure, Result};

/// The account that is taken over.
pub(super) const TAKEN_OVER: &str = "mara.lund@northwind.example";
/// The account that only looks odd.
pub(super) const TRAVELLER: &str = "jon.aas@northwind.example";
const BYSTANDER: &str = "ida.moe@northwind.example";

/// One risk detection of the story.
pub(super) struct SignIn {
    pub(super) user: &'static str,
    /// What is going on, for the person who watches.
    pub(super) told: &'static str,
    event: &'static str,
    level: &'static str,
    ip: &'static str,
}

impl SignIn {
    pub(super) fn risk(&self) -> RiskSpec {
        RiskSpec {
            event: self.event.to_owned(),
            level: self.level.to_owned(),
            ip: Some(self.ip.to_owned()),
            // Found as it happens: sessions revoked before do not cover it.
            found_after_seconds: 0,
            ..RiskSpec::of(self.user)
        }
    }
}

/// What happens, in order.
pub(super) const SIGN_INS: &[SignIn] = &[
    SignIn {
        user: TAKEN_OVER,
        told: "The program on the finance laptop stole a session: somebody signs in as Mara through an anonymising network.",
        event: "anonymizedIPAddress",
        level: "high",
        ip: "203.0.113.77",
    },
    SignIn {
        user: TAKEN_OVER,
        told: "A second risky sign-in of the same account within a day: they have the password as well.",
        event: "unfamiliarFeatures",
        level: "high",
        ip: "198.51.100.23",
    },
    SignIn {
        user: TRAVELLER,
        told: "Jon signs in from a country he was never seen in. Medium risk: nothing without a person.",
        event: "newCountry",
        level: "medium",
        ip: "192.0.2.140",
    },
];

/// The simulated tenant.
pub(super) fn tenant() -> Config {
    let users = [TAKEN_OVER, TRAVELLER, BYSTANDER];
    Config {
        apps: vec![App::new(CLIENT_ID, CLIENT_SECRET).with_role(USER_ADMINISTRATOR)],
        settle: SIGN_IN_LAG,
        users: users.map(UserSpec::new).to_vec(),
        ..Config::default()
    }
}

/// The action that set a password, if it is known to have.
pub(super) fn reset<'a>(mut actions: impl Iterator<Item = &'a Action>) -> Option<ActionId> {
    let done = |action: &&Action| {
        action.action == ActionType::ResetPassword && action.state == ActionState::Completed
    };
    actions.find(done).map(|action| action.id)
}

/// The temporary password, as the person on call is shown it, once.
pub(super) async fn password(stage: &Stage, id: ActionId) -> Result<String> {
    let path = format!("/api/v1/actions/{id}/password");
    let shown: PasswordView = stage.person.post(&path, &PasswordRequest {}).await?;
    let again: Result<PasswordView> = stage.person.post(&path, &PasswordRequest {}).await;
    match again {
        Ok(_) => Err(Failure::failed("the temporary password was shown twice")),
        Err(_) => Ok(shown.password),
    }
}

/// The accounts, for a person.
pub(super) fn state(tenant: &EntraId) -> Vec<[String; 3]> {
    [TAKEN_OVER, TRAVELLER, BYSTANDER]
        .map(|user| {
            let calls = tenant.calls(user);
            let sessions = match calls.sessions_revoked {
                0 => "as they were".to_owned(),
                times => format!("revoked, {times}×"),
            };
            let password = match tenant.must_change_password(user) {
                Some(true) => "new, to be changed at the next sign-in",
                _ => "as it was",
            };
            [user.to_owned(), sessions, password.to_owned()]
        })
        .to_vec()
}

/// What the provider's own state must be. `shown` is the password that was shown.
pub(super) fn checks(tenant: &EntraId, shown: Option<&str>) -> Vec<(String, bool)> {
    let taken = tenant.calls(TAKEN_OVER);
    let quiet = |user: &str| {
        let calls = tenant.calls(user);
        calls.sessions_revoked + calls.password_set + calls.enablement_changed == 0
    };
    vec![
        (
            format!("the sessions of {TAKEN_OVER} were revoked twice, once for each sign-in"),
            taken.sessions_revoked == 2,
        ),
        (
            "her password was reset once, at the second sign-in, and has to be changed".to_owned(),
            taken.password_set == 1 && tenant.must_change_password(TAKEN_OVER) == Some(true),
        ),
        (
            "the password that was shown once is the one that works".to_owned(),
            shown.is_some() && tenant.password(TAKEN_OVER).as_deref() == shown,
        ),
        (
            format!("{TRAVELLER} was not touched: it waits for a person"),
            quiet(TRAVELLER),
        ),
        (
            "no account was disabled, and nobody else's touched".to_owned(),
            quiet(BYSTANDER) && taken.enablement_changed == 0,
        ),
    ]
}
