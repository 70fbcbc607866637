//! What the demo plays on: simulated tenants of CrowdStrike and Entra ID, a real Quell server with a
//! configuration like any other, and a folder that holds both sides' files.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_connector::SystemClock;
use quell_model::{Clock, IdSource, RandomIds, Secret};
use quell_server::api::{AutomationView, OfferView, OptInRequest};
use quell_twins::crowdstrike::{self, CrowdStrike, Settle};
use quell_twins::entra_id::{self, EntraId};

use super::{sign_ins, story};
use crate::client::Client;
use crate::config::Document;
use crate::failure::{Failure, Result, why};
use crate::range::not_started;
use crate::serve::{self, Running};

/// How long the simulated vendor takes, in the demo.
pub(super) const SETTLE: Settle = Settle {
    containment: Duration::from_millis(1500),
    lift: Duration::from_millis(1500),
    command: Duration::from_millis(600),
};

/// The person in whose name the demo acts.
pub(super) const PERSON: &str = "on-call";
/// How long reads of the simulated identity provider lag behind writes, in the demo.
pub(super) const SIGN_IN_LAG: Duration = Duration::from_millis(800);

/// The connection to the simulated endpoint tool.
pub(super) const CONNECTION: &str = "crowdstrike";
/// The connection to the simulated identity provider.
pub(super) const IDENTITY: &str = "entra-id";

pub(super) struct Stage {
    pub(super) twin: CrowdStrike,
    pub(super) tenant: EntraId,
    pub(super) running: Running,
    /// As the person on call.
    pub(super) person: Client,
    /// As the simulated vendors that push alerts.
    pub(super) vendor: Client,
    /// The person's token.
    pub(super) token: String,
    pub(super) folder: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started: Timestamp,
}

impl Stage {
    pub(super) async fn build(listen: SocketAddr) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let started = clock.now();
        let folder = std::env::temp_dir().join(format!("quell-demo-{}", std::process::id()));
        let made = Self::build_in(&folder, listen, clock, started).await;
        if made.is_err() {
            drop(fs::remove_dir_all(&folder));
        }
        made
    }

    async fn build_in(
        folder: &Path,
        listen: SocketAddr,
        clock: Arc<dyn Clock>,
        started: Timestamp,
    ) -> Result<Self> {
        let twin = CrowdStrike::start(crowdstrike::Config {
            settle: SETTLE,
            fleet: story::fleet(),
            ..crowdstrike::Config::default()
        });
        let twin = twin.await.map_err(|error| not_started(&error))?;
        let tenant = EntraId::start(sign_ins::tenant()).await;
        let tenant = tenant.map_err(|error| not_started(&error))?;
        let (token, push) = (invented("demo"), invented("push"));
        write(folder, "secrets/token", &token)?;
        write(folder, "secrets/push", &push)?;
        write(folder, "secrets/falcon", crowdstrike::CLIENT_SECRET)?;
        write(folder, "secrets/entra", entra_id::CLIENT_SECRET)?;
        write(folder, "policy/policy.toml", POLICY)?;
        let text = configuration(&twin.base_url(), &tenant.base_url());
        write(folder, "quell.toml", &text)?;
        let log = folder.join("quell.log");
        let file = OpenOptions::new().create(true).append(true).open(&log);
        serve::log_to(file.map_err(|error| unwritable(&log, &error))?);
        let config = folder.join("quell.toml");
        let document = Document::open(&config)?;
        let running = Running::start(&document, &config, Some(listen), clock.clone()).await?;
        let url = format!("http://{}", running.address);
        let person = Client::new(&url, Some(Secret::new(token.clone())))?;
        opt_in(&person).await?;
        Ok(Self {
            person,
            vendor: Client::new(&url, Some(Secret::new(push)))?,
            twin,
            tenant,
            running,
            token,
            folder: folder.to_owned(),
            clock,
            started,
        })
    }

    /// Seconds since the start.
    pub(super) fn since(&self, at: Timestamp) -> String {
        let millis = at.duration_since(self.started).as_millis().max(0);
        format!("{}.{}", millis / 1000, millis % 1000 / 100)
    }

    /// Ends everything; the files stay when somebody may still want to read them.
    pub(super) async fn end(self, keep: bool) {
        self.running.stop().await;
        if !keep {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

/// Opts in to all that the simulated vendors can do, in the name of the demo's person.
async fn opt_in(person: &Client) -> Result<()> {
    let view: AutomationView = person.get("/api/v1/automation").await?;
    for OfferView { action, text } in view.offers {
        let agreed = text;
        let order = OptInRequest { action, agreed };
        let _view: AutomationView = person.post("/api/v1/automation/opt-in", &order).await?;
    }
    Ok(())
}

/// The demo's policy: what ships, at connections that are not new.
const POLICY: &str = "\
# A connection asks before everything for its first day. The demo has no day.
[budgets.new-connection]
off = true
";

/// The demo's configuration: nothing in it is special to the demo.
fn configuration(falcon: &str, graph: &str) -> String {
    format!(
        r#"# The configuration the demo runs on.

[[server.tokens]]
name = "{PERSON}"
role = "administrator"
token = "file:secrets/token"

[organization]
id = "northwind"

[policy]
directory = "policy"

[[assets]]
hosts = ["srv-files-*"]
critical = true

[[connections]]
id = "{CONNECTION}"
connector = "crowdstrike"

[connections.intake]
token = "file:secrets/push"

[connections.settings]
base_url = "{falcon}"
client_id = "{}"
client_secret = "file:secrets/falcon"
write_back = true

[connections.settings.poll]
interval = "1s"

[[connections]]
id = "{IDENTITY}"
connector = "entra-id"

[connections.intake]
token = "file:secrets/push"

[connections.settings]
tenant = "{}"
login_url = "{graph}"
graph_url = "{graph}"
client_id = "{}"
client_secret = "file:secrets/entra"
"#,
        crowdstrike::CLIENT_ID,
        entra_id::TENANT,
        entra_id::CLIENT_ID
    )
}

/// A token nobody else has, short enough to be typed.
fn invented(prefix: &str) -> String {
    let id = RandomIds.uuid().simple().to_string();
    format!("{prefix}-{}", id.get(16..).unwrap_or(&id))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    let written = || {
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let mut options = OpenOptions::new();
        options.create_new(true).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        options.open(&path)?.write_all(text.as_bytes())
    };
    written().map_err(|error: std::io::Error| unwritable(&path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!(
        "`{}` cannot be written: {}",
        path.display(),
        why(error)
    ))
}
