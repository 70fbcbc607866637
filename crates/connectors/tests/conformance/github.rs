//! GitHub's twin with one person, once for each product.

#[path = "../support/github.rs"]
mod lab;

use std::sync::Arc;
use std::time::Duration;

use quell_connector::conformance::{Bench, Case, Trouble};
use quell_connector::{About, BoxFuture, Connected};
use quell_model::Clock;
use quell_model::entity::{Account, Entity};
use quell_twins::github::{Config, Credential, Endpoint, ManagedUser, OWNER, Right, TOKEN, User};
use quell_twins::{Fault, FaultRule};

use crate::support::clock;
use lab::Lab;

const LOGIN: &str = "hubert";
const NAME: &str = "hubert@corp.example";

/// An organization through an App, a server and an enterprise through tokens.
pub(crate) struct Forge<const PRODUCT: char>(Lab);

pub(crate) const ORG: char = 'o';
pub(crate) const GHES: char = 'g';
pub(crate) const EMU: char = 'e';

/// The cases of one product, told apart by its name.
pub(crate) fn cases<const PRODUCT: char>(product: &str) -> Vec<Case> {
    let mut cases = crate::cases("github", forge::<PRODUCT>);
    for case in &mut cases {
        case.name = format!("{}::{product}", case.name);
    }
    cases
}

fn forge<const PRODUCT: char>() -> BoxFuture<'static, Forge<PRODUCT>> {
    Box::pin(async {
        let config = Config::manual()
            .with_users([User::member(LOGIN)])
            .with_managed([ManagedUser::active(NAME)]);
        let accepts_after = Some(Duration::ZERO);
        Forge(
            Lab::start(Config {
                accepts_after,
                ..config
            })
            .await,
        )
    })
}

impl<const PRODUCT: char> Bench for Forge<PRODUCT> {
    fn connect(&self) -> Connected {
        match PRODUCT {
            GHES => self.0.connect("ghes"),
            EMU => self.0.connect("emu"),
            _ => self.0.connect_app(),
        }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    fn target(&self, row: About) -> Entity {
        let id = match PRODUCT {
            EMU => self.0.twin.scim_id_of(NAME),
            _ => self.0.twin.id_of(LOGIN).map(|id| id.to_string()),
        };
        self.stranger(row, &id.unwrap_or_default())
    }

    fn stranger(&self, _: About, id: &str) -> Entity {
        let account = Account {
            id: Some(id.to_owned()),
            provider: Some("github".to_owned()),
            ..Account::default()
        };
        account.into()
    }

    fn make(&self, _: About, trouble: Trouble) {
        let (twin, endpoint) = (
            &self.0.twin,
            match PRODUCT {
                GHES => Endpoint::Suspend,
                EMU => Endpoint::ChangeManaged,
                _ => Endpoint::RemoveMembership,
            },
        );
        let fault = match trouble {
            Trouble::CredentialRevoked => Fault::TokenRevoked,
            Trouble::CredentialsUseless => {
                for endpoint in Endpoint::ALL {
                    if endpoint != Endpoint::InstallationToken {
                        twin.inject(FaultRule::next(endpoint, Fault::TokenRevoked).times(u32::MAX));
                    }
                }
                return;
            }
            Trouble::PermissionMissing if PRODUCT == ORG => {
                twin.grant_app(&[Right::Members]);
                return;
            }
            Trouble::PermissionMissing => {
                let rights = [Right::Members];
                twin.put_credential(Credential::personal(TOKEN, OWNER, &rights));
                return;
            }
            Trouble::Throttled(wait) => Fault::Throttled {
                retry_after_seconds: wait.map(|wait| wait.as_secs()),
            },
            Trouble::Unavailable => Fault::StatusBeforeApply { status: 503 },
            Trouble::ReplyLost => Fault::DropAfterApply,
            Trouble::FailureInBody => Fault::ErrorInBody {
                code: 500,
                message: "the request could not be carried out".to_owned(),
            },
        };
        twin.fail_next(endpoint, fault);
    }

    fn slow(&self, _: About, by: Duration) {
        self.0.twin.set_settle(by);
    }

    fn changes(&self, _: About, _: &Entity) -> u64 {
        self.0
            .twin
            .changes(if PRODUCT == EMU { NAME } else { LOGIN })
    }

    fn signs_in() -> bool {
        PRODUCT == ORG
    }

    fn sign_ins(&self) -> u64 {
        self.0.twin.count(Endpoint::InstallationToken)
    }
}
