//! CrowdStrike Falcon: host containment, process kill through Real Time Response, custom hash
//! indicators, alerts by polling or by id, status and comments written back to them, and an inventory
//! of hosts.
//!
//! This file is the identity and the table; everything else lives in the file of its concern.

mod alerts;
mod api;
mod asset;
mod auth;
mod config;
mod dialect;
mod feed;
mod hashes;
mod hosts;
mod probe;
mod processes;
mod region;
mod stock;
mod wire;
mod write_back;

use std::sync::Arc;
use std::time::Duration;

use quell_connector::ability::Abilities;
use quell_connector::http::{Plane, Url};
use quell_connector::vendor::{Normalise, Reference};
use quell_connector::{
    Call, Check, ConfigError, Facts, Lifelines, Plumbing, Row, Vendor, control, perform,
};
use quell_model::property::{HashVerdict, HostContainment, KillProcess};

pub use alerts::{composite_id_in, normalise};
pub use config::{Config, Poll};
pub use region::Region;

use crate::lenient;
use auth::Credentials;
use hosts::Hosts;
use processes::Guests;

/// One tenant of CrowdStrike Falcon.
pub struct CrowdStrike {
    plane: Arc<Plane>,
    hosts: Hosts,
    guests: Guests,
    poll: Poll,
    write_back: bool,
    /// Hosts of the API.
    home: Vec<String>,
}

/// Where sensors report to, in every cloud.
const SENSOR_CLOUD: &str = "cloudsink.net";

/// The sensor's own programs: its service and helper on Windows, its daemons on Linux and macOS.
const SENSOR: [&str; 5] = [
    "CSFalconService.exe",
    "CSFalconContainer.exe",
    "falcon-sensor",
    "falcon-sensor-bpf",
    "falcond",
];

impl Vendor for CrowdStrike {
    const ID: &'static str = "crowdstrike";
    const NAME: &'static str = "CrowdStrike Falcon";
    const NORMALISE: Option<Normalise> = Some(normalise);
    const REFERENCE: Option<Reference> = Some(composite_id_in);
    const ENVELOPE: &'static [&'static str] = &["resources"];
    const STOCK: &'static [&'static str] = &["Hosts: read"];
    const ROWS: &'static [Row<Self>] = &[
        control::<Self, HostContainment>(Facts {
            needs: &["Hosts: read", "Hosts: write"],
            settle: Duration::from_secs(180),
            docs: "https://www.falconpy.io/Service-Collections/Hosts.html#performactionv2",
            quirks: &[
                "An offline host stays pending until it checks in; the command is not lost.",
                "A sensor in reduced functionality mode never confirms.",
                "A contained host still reaches the Falcon cloud and the containment allow list.",
            ],
        }),
        perform::<Self, KillProcess>(Facts {
            needs: &[
                "Hosts: read",
                "Real time response: read",
                "Real time response: write",
            ],
            settle: Duration::from_secs(60),
            docs: "https://www.falconpy.io/Service-Collections/Real-Time-Response.html",
            quirks: &[
                "The host must be online; a kill is never queued for later, because pids are reused.",
                "The host's response policy must allow Real Time Response.",
                "Event Streams detections carry no operating system pid, so nothing can be killed from one.",
            ],
        }),
        control::<Self, HashVerdict>(Facts {
            needs: &["IOC Management: read", "IOC Management: write"],
            settle: Duration::from_secs(15),
            docs: "https://www.falconpy.io/Service-Collections/IOC.html",
            quirks: &[
                "A ban stops new executions; it does not end a running process.",
                "“Custom blocking” must be on in the host's prevention policy for a ban to bite.",
                "SHA-1 is not supported.",
                "With `IOCs: read` as well, Quell knows on how many hosts a file was seen and asks before it bans a common one; without it, name and path alone decide.",
            ],
        }),
    ];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        let home = config.home()?;
        let credentials = Credentials::new(&config, &plumbing, home.clone())?;
        let plane = Arc::new(Plane::new(
            &plumbing,
            &config.http,
            dialect::DIALECT,
            home.allowed(),
            Box::new(credentials),
        )?);
        Ok(Self {
            hosts: Hosts::new(&plane),
            guests: Guests::default(),
            poll: config.poll.checked()?,
            write_back: config.write_back,
            home: home.allowed(),
            plane,
        })
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            feed: self.poll.enabled.then(|| self.clone() as _),
            fetch: Some(self.clone()),
            write_back: self.write_back.then(|| self.clone() as _),
            take_stock: Some(self.clone()),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        let hosts = self.home.iter().map(String::as_str);
        Lifelines {
            hosts: hosts.chain([SENSOR_CLOUD]).map(str::to_owned).collect(),
            programs: SENSOR.map(str::to_owned).into(),
            senders: Vec::new(),
            accounts: Vec::new(),
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        probe::probe(self, cx).await
    }
}

/// Where a connection starts: the base URL first asked, and whether the vendor may name another.
#[derive(Debug, Clone)]
struct Home {
    base: Url,
    /// The cloud `base` belongs to; none for a base URL that is not CrowdStrike's own.
    region: Option<Region>,
}
