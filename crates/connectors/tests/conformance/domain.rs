//! The bench for Active Directory: a Samba domain controller of its own, behind two doors that the
//! connection takes for two domain controllers.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::clock::SimClock;
use quell_connector::conformance::{Bench, Trouble};
use quell_connector::settings::SecretRef;
use quell_connector::{About, BoxFuture, Connected, Plumbing, SecretSource};
use quell_connectors::catalog;
use quell_model::entity::{Account, Entity};
use quell_model::{Clock, Secret};
use serde_json::json;

use crate::samba::front::{Fault, Front};
use crate::samba::people::DOMAIN;
use crate::samba::{PASSWORD, Samba};

/// A domain with one user to act on.
pub(crate) struct Domain {
    samba: Samba,
    front: Front,
    servers: Vec<String>,
    clock: Arc<SimClock>,
}

pub(crate) fn domain() -> BoxFuture<'static, Domain> {
    Box::pin(async {
        let samba = Samba::start();
        let mut front = Front::open(&samba).await;
        let doors = [front.address, front.another(&samba, samba.address).await];
        Domain {
            samba,
            front,
            servers: doors.iter().map(ToString::to_string).collect(),
            clock: Arc::default(),
        }
    })
}

struct OneSecret;

impl SecretSource for OneSecret {
    fn resolve(&self, _: &SecretRef) -> Result<Secret, String> {
        Ok(Secret::new(PASSWORD.to_owned()))
    }
}

impl Bench for Domain {
    fn connect(&self) -> Connected {
        let settings = json!({
            "domain": "corp.example.test",
            "servers": self.servers,
            "username": "quell@corp.example.test",
            "password": "env:AD_PASSWORD",
            "ca_file": self.samba.authority(),
        });
        let plumbing = Plumbing {
            connection: "corp".parse().expect("a connection id"),
            clock: self.clock.clone(),
            secrets: Arc::new(OneSecret),
        };
        let connector = catalog::find("active-directory").expect("the catalog lists it");
        connector
            .build(settings, plumbing)
            .expect("the connection can be built")
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn target(&self, _: About) -> Entity {
        Account {
            principal: Some("bob@corp.example.test".to_owned()),
            ..Account::default()
        }
        .into()
    }

    fn stranger(&self, _: About, id: &str) -> Entity {
        Account {
            principal: Some(format!("{id}@corp.example.test")),
            ..Account::default()
        }
        .into()
    }

    fn leaves_out(_: About, case: &str) -> Option<&'static str> {
        match case {
            "throttled_with_a_wait" => Some("LDAP has no way to say how long to wait"),
            "slow_to_settle" | "slow_to_be_done" => {
                Some("a domain controller shows its own changes at once, and that one is asked")
            }
            _ => None,
        }
    }

    fn make(&self, row: About, trouble: Trouble) {
        match trouble {
            // The credential of LDAP is the connection that is signed in.
            Trouble::CredentialRevoked => self.front.fail_change(Fault::Answer(
                1,
                "000004DC: LdapErr: DSID-0C090A5C, comment: a successful bind must be completed, data 0, v4563",
            )),
            Trouble::CredentialsUseless => {
                let quell = format!("CN=quell,CN=Users,{DOMAIN}");
                self.samba.set_password(&quell, "Another-one-5678!");
            }
            Trouble::PermissionMissing => self.samba.move_elsewhere("bob"),
            Trouble::Throttled(_) => self.front.fail_change(Fault::Answer(51, "00002024: busy")),
            Trouble::Unavailable => self.front.fail_change(match row {
                About::Property(_) => Fault::Answer(52, "0000200F: unavailable"),
                // Nobody knows whether it was done before the connection ended.
                About::OneShot(_) => Fault::Swallow,
            }),
            Trouble::ReplyLost => self.front.fail_change(Fault::LoseReply),
            // LDAP has one place for failures, the result code.
            Trouble::FailureInBody => {
                self.front.fail_change(Fault::Answer(53, "0000052D: unwilling"));
            }
        }
    }

    fn slow(&self, _: About, _: Duration) {}

    fn changes(&self, _: About, _: &Entity) -> u64 {
        self.front.changes()
    }

    fn sign_ins(&self) -> u64 {
        self.front.binds()
    }
}
