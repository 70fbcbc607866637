//! The bench for Microsoft Entra ID.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::conformance::{Bench, Trouble};
use quell_connector::{About, BoxFuture, Connected};
use quell_model::entity::{Account, Entity};
use quell_model::{Clock, OneShotId};
use quell_twins::entra_id::{
    App, CLIENT_ID, CLIENT_SECRET, Config, Endpoint, Permission, UserSpec,
};
use quell_twins::{Fault, FaultRule};

use crate::support::clock;
use lab::Lab;

#[path = "../support/entra_id.rs"]
mod lab;

const USER: &str = "noor@northwind.example";

/// The twin with one user whose sign-in is risky.
pub(crate) struct Entra(Lab);

pub(crate) fn entra() -> BoxFuture<'static, Entra> {
    Box::pin(async { Entra(Lab::start(Config::manual().with_user(UserSpec::new(USER))).await) })
}

impl Entra {
    /// The endpoint of the request that changes something.
    fn endpoint(row: About) -> Endpoint {
        match row {
            About::OneShot(OneShotId::RevokeSessions) => Endpoint::RevokeSessions,
            _ => Endpoint::UserUpdate,
        }
    }
}

fn account(id: &str) -> Entity {
    Account {
        id: Some(id.to_owned()),
        provider: Some("entra_id".to_owned()),
        ..Account::default()
    }
    .into()
}

impl Bench for Entra {
    fn connect(&self) -> Connected {
        self.0.connect()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    fn target(&self, _: About) -> Entity {
        account(&self.0.twin.id_of(USER).unwrap_or_default())
    }

    fn stranger(&self, _: About, id: &str) -> Entity {
        account(id)
    }

    fn make(&self, row: About, trouble: Trouble) {
        let (twin, endpoint) = (&self.0.twin, Self::endpoint(row));
        let fault = match trouble {
            Trouble::CredentialRevoked => Fault::TokenRevoked,
            Trouble::CredentialsUseless => {
                for endpoint in Endpoint::ALL {
                    if endpoint != Endpoint::Token {
                        let rule = FaultRule::next(endpoint, Fault::TokenRevoked);
                        twin.inject(rule.times(u32::MAX));
                    }
                }
                return;
            }
            Trouble::PermissionMissing => {
                let app = App::new(CLIENT_ID, CLIENT_SECRET);
                let writes = [
                    Permission::UserEnableDisable,
                    Permission::UserRevokeSessions,
                    Permission::UserPasswordProfile,
                ];
                return twin.put_app(writes.into_iter().fold(app, App::without));
            }
            Trouble::Throttled(wait) => Fault::Throttled {
                retry_after_seconds: wait.map(|wait| wait.as_secs()),
            },
            Trouble::Unavailable => Fault::StatusBeforeApply { status: 503 },
            Trouble::ReplyLost => Fault::DropAfterApply,
            Trouble::FailureInBody => Fault::ErrorInBody {
                code: 400,
                message: "the request could not be carried out".to_owned(),
            },
        };
        twin.fail_next(endpoint, fault);
    }

    fn slow(&self, _: About, by: Duration) {
        self.0.twin.set_settle(by);
    }

    fn changes(&self, row: About, _: &Entity) -> u64 {
        let calls = self.0.twin.calls(USER);
        match row {
            About::Property(_) => calls.enablement_changed,
            About::OneShot(OneShotId::RevokeSessions) => calls.sessions_revoked,
            About::OneShot(_) => calls.password_set,
        }
    }

    fn sign_ins(&self) -> u64 {
        self.0.twin.count(Endpoint::Token)
    }
}
