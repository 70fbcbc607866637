//! The bench for Okta.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::conformance::{Bench, Trouble};
use quell_connector::{About, BoxFuture, Connected};
use quell_model::entity::Entity;
use quell_model::{Clock, OneShotId};
use quell_twins::okta::{Config, Endpoint, Settle, UserSpec};
use quell_twins::{Fault, FaultRule};

use crate::okta_lab::{Lab, by_id};

const LOGIN: &str = "mara.lind@acme.example";

/// The Okta twin with one user.
pub(crate) struct Okta(Lab);

pub(crate) fn okta() -> BoxFuture<'static, Okta> {
    Box::pin(async { Okta(Lab::start(Config::manual().with(UserSpec::active(LOGIN))).await) })
}

impl Okta {
    /// The endpoint of the request that changes something.
    fn endpoint(row: About) -> Endpoint {
        match row {
            About::Property(_) => Endpoint::Suspend,
            About::OneShot(OneShotId::ResetPassword) => Endpoint::PasswordReplace,
            About::OneShot(_) => Endpoint::SessionsClear,
        }
    }
}

impl Bench for Okta {
    fn connect(&self) -> Connected {
        self.0.connect()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    fn target(&self, _: About) -> Entity {
        by_id(&self.0.twin.id_of(LOGIN).unwrap_or_default())
    }

    fn stranger(&self, _: About, id: &str) -> Entity {
        by_id(id)
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
            Trouble::PermissionMissing => {
                twin.put_app(twin.app().without("okta.users.manage"));
            }
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
                twin.fail_next(endpoint, Fault::StatusBeforeApply { status: 503 });
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
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.twin.set_settle(Settle {
            status_millis: millis,
            log_millis: millis,
        });
    }

    fn changes(&self, row: About, _: &Entity) -> u64 {
        let user = self.0.twin.user(LOGIN);
        let calls = user.map(|user| user.calls).unwrap_or_default();
        match row {
            About::Property(_) => calls.suspended,
            About::OneShot(OneShotId::ResetPassword) => calls.password_resets,
            About::OneShot(_) => calls.sessions_cleared,
        }
    }

    fn sign_ins(&self) -> u64 {
        self.0.twin.count(Endpoint::Token)
    }
}
