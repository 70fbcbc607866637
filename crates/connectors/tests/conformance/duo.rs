//! Duo's twin with one user.

#[path = "../support/duo.rs"]
mod lab;

use std::sync::Arc;
use std::time::Duration;

use quell_connector::conformance::{Bench, Trouble};
use quell_connector::{About, BoxFuture, Connected};
use quell_model::Clock;
use quell_model::entity::{Account, Entity};
use quell_twins::duo::{Application, Config, Endpoint, Right, User};
use quell_twins::{Fault, FaultRule};

use crate::support::clock;
use lab::Lab;

const NAME: &str = "alice";

pub(crate) struct Bank(Lab);

pub(crate) fn duo() -> BoxFuture<'static, Bank> {
    Box::pin(async { Bank(Lab::start(Config::manual().with_users([User::active(NAME)])).await) })
}

impl Bench for Bank {
    fn connect(&self) -> Connected {
        self.0.connect()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    fn target(&self, row: About) -> Entity {
        let user = self.0.twin.user(NAME).unwrap_or_default();
        self.stranger(row, &user.user_id)
    }

    fn stranger(&self, _: About, id: &str) -> Entity {
        let account = Account {
            id: Some(id.to_owned()),
            provider: Some("duo".to_owned()),
            ..Account::default()
        };
        account.into()
    }

    fn make(&self, _: About, trouble: Trouble) {
        let (twin, endpoint) = (&self.0.twin, Endpoint::ModifyUser);
        let fault = match trouble {
            Trouble::CredentialRevoked => Fault::TokenRevoked,
            Trouble::CredentialsUseless => {
                twin.inject(FaultRule::anywhere(Fault::TokenRevoked).times(u32::MAX));
                return;
            }
            Trouble::PermissionMissing => {
                let rights = [Right::ReadResource, Right::ReadLog];
                twin.put_application(Application::with(&rights));
                return;
            }
            Trouble::Throttled(wait) => Fault::Throttled {
                retry_after_seconds: wait.map(|wait| wait.as_secs()),
            },
            Trouble::Unavailable => Fault::StatusBeforeApply { status: 503 },
            Trouble::ReplyLost => Fault::DropAfterApply,
            Trouble::FailureInBody => Fault::ErrorInBody {
                code: 50000,
                message: "the request could not be carried out".to_owned(),
            },
        };
        twin.fail_next(endpoint, fault);
    }

    fn slow(&self, _: About, by: Duration) {
        self.0.twin.set_settle(by);
    }

    fn changes(&self, _: About, _: &Entity) -> u64 {
        self.0.twin.changes(NAME)
    }

    fn signs_in() -> bool {
        false
    }

    fn sign_ins(&self) -> u64 {
        0
    }
}
