//! The bench for CrowdStrike Falcon.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::conformance::{Bench, Trouble};
use quell_connector::{About, BoxFuture, Connected};
use quell_model::entity::{Entity, File, Host, Process};
use quell_model::{Clock, PropertyId};
use quell_twins::crowdstrike::{
    ApiClient, CLIENT_ID, CLIENT_SECRET, Config, Endpoint, Fleet, HostSpec, Process as Running,
    Scope, Settle,
};
use quell_twins::{Fault, FaultRule};

use crate::support::Lab;

const SHA256: &str = "9f2c7b1d0e4a5c6b8d7e3f1a2b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e";
const PID: u32 = 5260;

/// The Falcon twin with one infected workstation.
pub(crate) struct Falcon(Lab);

pub(crate) fn falcon() -> BoxFuture<'static, Falcon> {
    Box::pin(async {
        let infected =
            HostSpec::workstation("WS-FINANCE-07").running(Running::new(PID, "stealer.exe"));
        Falcon(Lab::start(Config::manual().with_fleet(Fleet::default().with(infected))).await)
    })
}

impl Falcon {
    fn aid(&self) -> String {
        self.0.twin.aid_of("WS-FINANCE-07").unwrap_or_default()
    }

    /// The endpoint of the request that changes something.
    fn endpoint(row: About) -> Endpoint {
        match row {
            About::Property(PropertyId::HostContainment) => Endpoint::Contain,
            About::Property(_) => Endpoint::IocCreate,
            About::OneShot(_) => Endpoint::RtrActiveCommand,
        }
    }
}

impl Bench for Falcon {
    fn connect(&self) -> Connected {
        self.0.connect()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    fn target(&self, row: About) -> Entity {
        match row {
            About::Property(PropertyId::HostContainment) => Host {
                id: Some(self.aid()),
                ..Host::default()
            }
            .into(),
            About::Property(_) => File {
                sha256: Some(SHA256.to_owned()),
                name: Some("stealer.exe".to_owned()),
                ..File::default()
            }
            .into(),
            About::OneShot(_) => Process {
                host_id: Some(self.aid()),
                pid: Some(PID),
                name: Some("stealer.exe".to_owned()),
                ..Process::default()
            }
            .into(),
        }
    }

    fn stranger(&self, row: About, id: &str) -> Entity {
        let id = Some(id.to_owned());
        match row {
            About::Property(PropertyId::HostContainment) => Host {
                id,
                ..Host::default()
            }
            .into(),
            About::Property(_) => File {
                sha256: id,
                ..File::default()
            }
            .into(),
            About::OneShot(_) => Process {
                host_id: id,
                pid: Some(PID),
                name: Some("stealer.exe".to_owned()),
                ..Process::default()
            }
            .into(),
        }
    }

    // Any hash can be banned, so there is none the vendor does not know; what is no hash is refused.
    fn knows_every_target(row: About) -> bool {
        row == About::Property(PropertyId::HashVerdict)
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
                let client = ApiClient::new(CLIENT_ID, CLIENT_SECRET);
                let writes = [Scope::HostsWrite, Scope::IocWrite, Scope::RtrWrite];
                twin.put_client(writes.into_iter().fold(client, ApiClient::without));
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
        self.0.twin.set_settle(Settle {
            containment: by,
            lift: by,
            command: by,
        });
    }

    fn changes(&self, row: About, _: &Entity) -> u64 {
        let calls = self
            .0
            .twin
            .host(&self.aid())
            .map(|host| host.calls)
            .unwrap_or_default();
        match row {
            About::Property(PropertyId::HostContainment) => calls.contain_applied,
            About::Property(_) => self.0.twin.iocs().len().try_into().unwrap_or(u64::MAX),
            About::OneShot(_) => calls.kill_applied,
        }
    }

    fn sign_ins(&self) -> u64 {
        self.0.twin.count(Endpoint::Token)
    }
}
