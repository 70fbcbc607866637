//! The bench for Google Workspace.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::conformance::{Bench, Trouble};
use quell_connector::{About, BoxFuture, Connected};
use quell_model::entity::{Account, Entity};
use quell_model::{Clock, OneShotId};
use quell_twins::google_workspace::{Config, Endpoint, Scope};
use quell_twins::{Fault, FaultRule};

use crate::google_lab::{Lab, USER};

/// The twin with one user and its administrators.
pub(crate) struct Google(Lab);

pub(crate) fn google() -> BoxFuture<'static, Google> {
    Box::pin(async { Google(Lab::start(Config::manual()).await) })
}

impl Google {
    /// The endpoint of the request that changes something.
    fn endpoint(row: About) -> Endpoint {
        match row {
            About::OneShot(OneShotId::RevokeSessions) => Endpoint::UserSignOut,
            _ => Endpoint::UserUpdate,
        }
    }
}

impl Bench for Google {
    fn connect(&self) -> Connected {
        self.0.connect()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    fn target(&self, _: About) -> Entity {
        self.0.account(USER)
    }

    fn stranger(&self, _: About, id: &str) -> Entity {
        Account {
            id: Some(id.to_owned()),
            provider: Some("google_workspace".to_owned()),
            ..Account::default()
        }
        .into()
    }

    fn make(&self, row: About, trouble: Trouble) {
        let (twin, endpoint) = (&self.0.twin, Self::endpoint(row));
        match trouble {
            Trouble::CredentialRevoked => twin.fail_next(endpoint, Fault::TokenRevoked),
            Trouble::CredentialsUseless => {
                for endpoint in Endpoint::ALL {
                    if endpoint != Endpoint::Token {
                        twin.inject(FaultRule::next(endpoint, Fault::TokenRevoked).times(u32::MAX));
                    }
                }
            }
            Trouble::PermissionMissing => twin.delegate_all_but(match endpoint {
                Endpoint::UserSignOut => Scope::UserSecurity,
                _ => Scope::User,
            }),
            Trouble::Throttled(wait) => {
                let retry_after_seconds = wait.map(|wait| wait.as_secs());
                twin.fail_next(
                    endpoint,
                    Fault::Throttled {
                        retry_after_seconds,
                    },
                );
            }
            Trouble::Unavailable => {
                twin.fail_next(endpoint, Fault::StatusBeforeApply { status: 503 })
            }
            Trouble::ReplyLost => twin.fail_next(endpoint, Fault::DropAfterApply),
            Trouble::FailureInBody => twin.fail_next(
                endpoint,
                Fault::ErrorInBody {
                    code: 400,
                    message: "the request could not be carried out".to_owned(),
                },
            ),
        }
    }

    fn slow(&self, _: About, by: Duration) {
        self.0.twin.set_settle(by);
    }

    fn changes(&self, row: About, _: &Entity) -> u64 {
        let user = self.0.twin.user(USER).unwrap_or_default();
        match row {
            About::OneShot(OneShotId::RevokeSessions) => user.sign_outs,
            About::OneShot(_) => user.password_sets,
            About::Property(_) => user.suspensions,
        }
    }

    // Each need has a credential of its own; what counts is how often one of them was asked for.
    fn sign_ins(&self) -> u64 {
        let issued = Scope::ALL.map(|scope| self.0.twin.tokens_issued(scope));
        issued.into_iter().max().unwrap_or_default()
    }
}
