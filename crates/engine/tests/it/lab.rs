//! A vendor made for the laboratory: a few lines of state, and every way a vendor can fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use quell_connector::ability::Abilities;
use quell_connector::{
    AlertUpdate, BoxFuture, Call, Check, ConfigError, Control, DocumentError, Error, Facts,
    Inventory, Kind, Letter, Lifelines, Notify, Observed, Perform, Plumbing, Progress, Reading,
    Receipt, Result, Row, TakeStock, Tell, Vendor, WriteBack, control, document, perform,
};
use quell_model::alert::{Note, Prevention};
use quell_model::entity::{EmailMessage, File, Host, Process};
use quell_model::property::{
    Containment, HashVerdict, HostContainment, KillProcess, MessagePlace, MessagePlaceValue,
    Verdict,
};
use quell_model::{
    Alert, AlertKind, AlertStatus, AssetClass, AssetFacts, Entity, FileFacts, Notice, Severity,
};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::Notify as Signal;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing goes wrong with this one.
    None,
    /// It fails with this kind and nothing is applied.
    Refuse(Kind),
    /// It is applied and the reply is lost.
    Lose,
    /// The process ends before the vendor applies it.
    CrashBefore,
    /// The process ends after the vendor applied it.
    CrashAfter,
    /// It waits until the test says so.
    Pause,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct HostState {
    pub(crate) contained: bool,
    /// On the way; settles when somebody says so.
    pub(crate) moving: Option<bool>,
    pub(crate) class: AssetClass,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) hosts: BTreeMap<String, HostState>,
    pub(crate) banned: BTreeMap<String, Verdict>,
    /// On how many hosts each hash was seen; the vendor does not say it of others.
    pub(crate) seen: BTreeMap<String, u32>,
    /// Times each process was killed, by host and pid.
    pub(crate) kills: BTreeMap<(String, u32), u32>,
    /// Times a write changed something, by "contain h1".
    pub(crate) applied: BTreeMap<String, u32>,
    /// What goes wrong with the next calls of "read", "write", "perform", "progress", "notify".
    pub(crate) faults: BTreeMap<&'static str, VecDeque<Fault>>,
    /// Writes are accepted and stay on the way.
    pub(crate) slow: bool,
    /// Its machines, when it is asked for all of them.
    pub(crate) inventory: Inventory,
    /// What people were told.
    pub(crate) told: Vec<Notice>,
    /// Letters to single persons, with whom they went to.
    pub(crate) letters: Vec<(String, Letter)>,
    /// What the alerts' console was told.
    /// Messages in quarantine, by id.
    pub(crate) quarantined: BTreeSet<String>,
    pub(crate) comments: Vec<(String, AlertUpdate)>,
}

/// The vendor. Clones share their state, as a vendor outlives our process.
#[derive(Clone, Default)]
pub(crate) struct Lab {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) crash: Arc<Signal>,
    pub(crate) resume: Arc<Signal>,
}

impl Lab {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn host(&self, id: &str, class: AssetClass) {
        self.lock().hosts.insert(
            id.to_owned(),
            HostState {
                class,
                ..HostState::default()
            },
        );
    }

    pub(crate) fn fault(&self, call: &'static str, fault: Fault) {
        self.lock().faults.entry(call).or_default().push_back(fault);
    }

    pub(crate) fn contained(&self, id: &str) -> bool {
        self.lock().hosts[id].contained
    }

    pub(crate) fn applied(&self, what: &str) -> u32 {
        self.lock().applied.get(what).copied().unwrap_or(0)
    }

    pub(crate) fn settle(&self) {
        for host in self.lock().hosts.values_mut() {
            if let Some(to) = host.moving.take() {
                host.contained = to;
            }
        }
    }

    /// Runs `apply` with the fault that is due for `call`.
    async fn call<T>(
        &self,
        call: &'static str,
        apply: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        let fault = self
            .lock()
            .faults
            .get_mut(call)
            .and_then(VecDeque::pop_front);
        match fault {
            None | Some(Fault::None) => apply(&mut self.lock()),
            Some(Fault::Refuse(kind)) => Err(Error::new(kind, "lab", "as the test wants it")),
            Some(Fault::Lose) => {
                let _lost = apply(&mut self.lock());
                Err(Error::new(Kind::MaybeApplied, "lab", "the reply was lost"))
            }
            Some(Fault::Pause) => {
                self.crash.notify_one();
                self.resume.notified().await;
                apply(&mut self.lock())
            }
            Some(Fault::CrashBefore) => self.end().await,
            Some(Fault::CrashAfter) => {
                let _lost = apply(&mut self.lock());
                self.end().await
            }
        }
    }

    /// The process ends here: the test drops the runtime.
    async fn end<T>(&self) -> T {
        self.crash.notify_one();
        std::future::pending().await
    }
}

impl Control<HostContainment> for Lab {
    async fn read(&self, _: &Call, target: &Host) -> Result<Observed<Containment>> {
        self.call("read", |state| {
            let host = find(state, target)?;
            let value = |contained| {
                if contained {
                    Containment::Contained
                } else {
                    Containment::Released
                }
            };
            let reading = match host.moving {
                Some(to) => Reading::Moving { to: value(to) },
                None => Reading::Settled(value(host.contained)),
            };
            Ok(Observed {
                asset: AssetFacts {
                    class: host.class,
                    ..AssetFacts::default()
                },
                ..Observed::of(reading)
            })
        })
        .await
    }

    async fn write(&self, _: &Call, target: &Host, want: &Containment) -> Result<Receipt> {
        self.call("write", |state| {
            let slow = state.slow;
            let want = *want == Containment::Contained;
            let host = find(state, target)?;
            if host.moving.unwrap_or(host.contained) == want {
                return Ok(Receipt::unchanged(json!({ "code": 409 })));
            }
            if slow {
                host.moving = Some(want);
            } else {
                host.contained = want;
            }
            let id = target.id.clone().unwrap();
            let verb = if want { "contain" } else { "release" };
            *state.applied.entry(format!("{verb} {id}")).or_default() += 1;
            Ok(Receipt::of(json!({ "accepted": true })))
        })
        .await
    }
}

fn find<'a>(state: &'a mut State, target: &Host) -> Result<&'a mut HostState> {
    let id = target.id.clone().unwrap_or_default();
    state
        .hosts
        .get_mut(&id)
        .ok_or_else(|| Error::new(Kind::TargetNotFound, "lab", "no such host"))
}

impl Control<HashVerdict> for Lab {
    async fn read(&self, _: &Call, target: &File) -> Result<Observed<Verdict>> {
        self.call("read", |state| {
            let hash = target.sha256.clone().unwrap_or_default();
            let verdict = state.banned.get(&hash).cloned().unwrap_or(Verdict::Neutral);
            Ok(Observed {
                file: FileFacts {
                    prevalence: state.seen.get(&hash).copied(),
                    ..FileFacts::default()
                },
                ..Observed::of(Reading::Settled(verdict))
            })
        })
        .await
    }

    async fn write(&self, _: &Call, target: &File, want: &Verdict) -> Result<Receipt> {
        self.call("write", |state| {
            state
                .banned
                .insert(target.sha256.clone().unwrap_or_default(), want.clone());
            Ok(Receipt::default())
        })
        .await
    }
}

impl Control<MessagePlace> for Lab {
    async fn read(&self, _: &Call, target: &EmailMessage) -> Result<Observed<MessagePlaceValue>> {
        self.call("read", |state| {
            let id = target.message_id.clone().unwrap_or_default();
            let place = match state.quarantined.contains(&id) {
                true => MessagePlaceValue::Quarantine,
                false => MessagePlaceValue::Folder {
                    name: "inbox".into(),
                },
            };
            Ok(Observed::of(Reading::Settled(place)))
        })
        .await
    }

    async fn write(
        &self,
        _: &Call,
        target: &EmailMessage,
        want: &MessagePlaceValue,
    ) -> Result<Receipt> {
        self.call("write", |state| {
            let id = target.message_id.clone().unwrap_or_default();
            match want {
                MessagePlaceValue::Quarantine => drop(state.quarantined.insert(id)),
                _ => drop(state.quarantined.remove(&id)),
            }
            Ok(Receipt::default())
        })
        .await
    }
}

impl Perform<KillProcess> for Lab {
    async fn perform(&self, cx: &Call, target: &Process) -> Result<Receipt> {
        self.call("prepare", |_| Ok(())).await?;
        cx.intend().await?;
        self.call("perform", |state| {
            let key = (
                target.host_id.clone().unwrap_or_default(),
                target.pid.unwrap_or_default(),
            );
            *state.kills.entry(key).or_default() += 1;
            Ok(Receipt::of(json!({ "session": "s1" })))
        })
        .await
    }

    async fn progress(&self, _: &Call, _: &Process, receipt: &Receipt) -> Result<Progress> {
        let note = receipt.evidence["session"].to_string();
        self.call("progress", |_| Ok(Progress::Done { note })).await
    }
}

impl Notify for Lab {
    fn notify<'a>(
        &'a self,
        _: &'a Call,
        _: &'a str,
        notices: &'a [Notice],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.call("notify", move |state| {
            state.told.extend_from_slice(notices);
            Ok(())
        }))
    }
}

impl Tell for Lab {
    fn tell<'a>(
        &'a self,
        _: &'a Call,
        _: &'a str,
        to: &'a str,
        letter: &'a Letter,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.call("tell", move |state| {
            state.letters.push((to.to_owned(), letter.clone()));
            Ok(())
        }))
    }
}

impl WriteBack for Lab {
    fn write_back<'a>(
        &'a self,
        _: &'a Call,
        alert: &'a str,
        update: &'a AlertUpdate,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.call("write_back", move |state| {
            state.comments.push((alert.to_owned(), update.clone()));
            Ok(())
        }))
    }
}

impl TakeStock for Lab {
    fn take_stock<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Result<Inventory>> {
        Box::pin(self.call("take_stock", |state| Ok(state.inventory.clone())))
    }
}

/// The same vendor as a channel to people.
#[derive(Clone)]
pub(crate) struct Channel(pub(crate) Lab);

const FACTS: Facts = Facts {
    needs: &[],
    settle: Duration::from_secs(120),
    docs: "https://lab.example/",
    quirks: &[],
};

impl Vendor for Lab {
    const ID: &'static str = "lab";
    const NAME: &'static str = "Laboratory";
    const ROWS: &'static [Row<Self>] = &[
        control::<Self, HostContainment>(FACTS),
        control::<Self, HashVerdict>(FACTS),
        control::<Self, MessagePlace>(FACTS),
        perform::<Self, KillProcess>(FACTS),
    ];
    const NORMALISE: Option<quell_connector::vendor::Normalise> = Some(normalise);
    type Config = ();

    fn build(_: (), _: Plumbing) -> std::result::Result<Self, ConfigError> {
        Ok(Self::default())
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            write_back: Some(self.clone()),
            take_stock: Some(self.clone()),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        Lifelines {
            hosts: vec!["api.lab.example".into(), "192.0.2.7".into()],
            programs: vec!["labsensor.exe".into()],
            senders: vec!["lab.example".into()],
            accounts: vec!["svc-quell".into()],
        }
    }

    async fn probe(&self, _: &Call) -> Vec<Check> {
        Vec::new()
    }
}

impl Vendor for Channel {
    const ID: &'static str = "channel";
    const NAME: &'static str = "Channel";
    const ROWS: &'static [Row<Self>] = &[];
    type Config = ();

    fn build(_: (), _: Plumbing) -> std::result::Result<Self, ConfigError> {
        Ok(Self(Lab::default()))
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            notify: Some(Arc::new(self.0.clone())),
            tell: Some(Arc::new(self.0.clone())),
            ..Abilities::default()
        }
    }

    async fn probe(&self, _: &Call) -> Vec<Check> {
        Vec::new()
    }
}

#[derive(Deserialize)]
struct Document {
    id: String,
    host: String,
    #[serde(default)]
    class: AssetClass,
    #[serde(default)]
    pid: Option<u32>,
    /// The name of the process and of its file.
    #[serde(default = "loader")]
    file: String,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default = "high")]
    severity: Severity,
    #[serde(default)]
    confidence: Option<u8>,
    detection: Option<String>,
    #[serde(default)]
    doubt: bool,
    /// When the activity was; some moment, when missing.
    #[serde(default)]
    time: Option<Timestamp>,
    /// The alert is about this message and not about a machine.
    #[serde(default)]
    message: Option<String>,
}

fn loader() -> String {
    "loader.exe".to_owned()
}

const fn high() -> Severity {
    Severity::High
}

fn normalise(json: &RawValue) -> std::result::Result<Alert, DocumentError> {
    let document: Document = document::read(json)?;
    if let Some(id) = &document.message {
        let message = EmailMessage {
            message_id: Some(id.clone()),
            sender: Some("news@partner.example".into()),
            subject: Some("Invoice".into()),
            ..EmailMessage::default()
        };
        let entities = vec![message.into()];
        return Ok(alert(AlertKind::PhishingEmail, document, entities));
    }
    let mut entities = vec![
        Host {
            id: Some(document.host.clone()),
            name: Some(document.host.to_uppercase()),
            class: document.class,
            ..Host::default()
        }
        .into(),
    ];
    if let Some(pid) = document.pid {
        let process = Process {
            host_id: Some(document.host.clone()),
            pid: Some(pid),
            name: Some(document.file.clone()),
            ..Process::default()
        };
        entities.push(process.into());
    }
    if let Some(sha256) = &document.sha256 {
        let file = File {
            sha256: Some(sha256.clone()),
            name: Some(document.file.clone()),
            host_id: Some(document.host.clone()),
            ..File::default()
        };
        entities.push(file.into());
    }
    Ok(alert(AlertKind::MaliciousProcess, document, entities))
}

fn alert(kind: AlertKind, document: Document, entities: Vec<Entity>) -> Alert {
    Alert {
        occurrence: None,
        source: "lab".into(),
        id: document.id,
        title: "Something bad".into(),
        description: None,
        severity: document.severity,
        confidence: document.confidence,
        kind,
        detection: document.detection.unwrap_or("LabPattern".into()),
        time: document
            .time
            .unwrap_or(Timestamp::constant(1_790_000_000, 0)),
        updated: None,
        techniques: Vec::new(),
        status: AlertStatus::New,
        console_url: None,
        tenant: None,
        prevention: Prevention::default(),
        asset: AssetFacts {
            class: document.class,
            ..AssetFacts::default()
        },
        entities,
        notes: document
            .doubt
            .then(|| Note {
                field: "host".into(),
                text: "Two hosts are named.".into(),
                doubt: true,
            })
            .into_iter()
            .collect(),
    }
}
