//! `host.containment`: many hosts in one request, told apart in the reply.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use quell_connector::coalesce::Coalescer;
use quell_connector::http::Plane;
use quell_connector::{Call, Control, Error, Kind, Observed, Reading, Receipt, Result};
use quell_model::entity::Host;
use quell_model::property::{Containment, HostContainment};
use quell_model::{AssetFacts, text};
use serde_json::json;

use super::api::{self, Answer};
use super::{CrowdStrike, asset, wire};

/// Most hosts read by one request. The vendor takes 5000; this keeps replies small.
const MOST_READ: usize = 1000;
/// Most hosts one action request names. The vendor's own tools differ between 100 and 500.
const MOST_ACTED_ON: usize = 100;
/// Requests of one kind under way at once.
const AT_ONCE: usize = 2;

/// Gathers reads and actions on hosts.
pub(super) struct Hosts {
    reads: Coalescer<String, wire::Device>,
    contains: Coalescer<String, Outcome>,
    lifts: Coalescer<String, Outcome>,
}

/// What became of one host of an action request.
#[derive(Debug, Clone)]
enum Outcome {
    Accepted {
        request_id: Option<String>,
    },
    /// The vendor says the host is in that state. `ours` when an earlier attempt may have put it there.
    AlreadySo {
        error: Error,
        ours: bool,
    },
}

impl Hosts {
    pub(super) fn new(plane: &Arc<Plane>) -> Self {
        let (reader, contain, lift) = (plane.clone(), plane.clone(), plane.clone());
        Self {
            reads: Coalescer::new(
                api::DEVICES_READ,
                MOST_READ,
                AT_ONCE,
                Arc::new(move |cx, ids| {
                    let plane = reader.clone();
                    Box::pin(async move {
                        let answer = api::read_devices(&plane, &cx, &distinct(&ids)).await;
                        each(&ids, answer, found)
                    })
                }),
            ),
            contains: actions(api::DEVICES_CONTAIN, contain),
            lifts: actions(api::DEVICES_LIFT, lift),
        }
    }
}

fn actions(operation: &'static str, plane: Arc<Plane>) -> Coalescer<String, Outcome> {
    Coalescer::new(
        operation,
        MOST_ACTED_ON,
        AT_ONCE,
        Arc::new(move |cx, ids| {
            let plane = plane.clone();
            Box::pin(async move {
                let answer = api::act_on_devices(&plane, &cx, operation, &distinct(&ids)).await;
                each(&ids, answer, acted)
            })
        }),
    )
}

/// The ids in order, each once: two alerts about one host are two callers.
fn distinct(ids: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    ids.iter()
        .filter(|id| seen.insert(id.as_str()))
        .cloned()
        .collect()
}

fn each<A: Named, R>(
    ids: &[String],
    answer: Result<Answer<A>>,
    result: impl Fn(&Sorted<'_, A>, &str) -> Result<R>,
) -> Vec<Result<R>> {
    match &answer {
        Ok(answer) => {
            let sorted = Sorted::new(answer, ids);
            ids.iter().map(|id| result(&sorted, id)).collect()
        }
        Err(error) => ids.iter().map(|_| Err(error.clone())).collect(),
    }
}

/// A reply about many hosts, by host.
struct Sorted<'a, A> {
    answer: &'a Answer<A>,
    resources: HashMap<String, &'a A>,
    /// Errors that name none of the hosts asked about: they count for every host left over.
    common: Option<&'a wire::ApiError>,
}

trait Named {
    fn id(&self) -> Option<&str>;
}

impl Named for wire::Device {
    fn id(&self) -> Option<&str> {
        self.device_id.raw()
    }
}

impl Named for wire::Accepted {
    fn id(&self) -> Option<&str> {
        self.id.raw()
    }
}

impl<'a, A: Named> Sorted<'a, A> {
    fn new(answer: &'a Answer<A>, ids: &[String]) -> Self {
        let key = |resource: &'a A| Some((resource.id()?.to_ascii_lowercase(), resource));
        let about_one = |error: &wire::ApiError| {
            error.names_something() || ids.iter().any(|id| error.is_about(id))
        };
        Self {
            answer,
            resources: answer.resources.iter().filter_map(key).collect(),
            common: answer.errors.iter().find(|error| !about_one(error)),
        }
    }

    fn resource(&self, id: &str) -> Option<&'a A> {
        self.resources.get(&id.to_ascii_lowercase()).copied()
    }

    fn error(&self, id: &str) -> Option<&'a wire::ApiError> {
        self.answer
            .errors
            .iter()
            .find(|error| error.is_about(id))
            .or(self.common)
    }
}

fn found(sorted: &Sorted<'_, wire::Device>, id: &str) -> Result<wire::Device> {
    if let Some(device) = sorted.resource(id) {
        return Ok(device.clone());
    }
    match sorted
        .error(id)
        .map(|error| error.meaning(&sorted.answer.reply, false))
    {
        Some(error) if error.kind != Kind::TargetNotFound => Err(error),
        _ => Err(Error::new(
            Kind::TargetNotFound,
            api::DEVICES_READ,
            format!(
                "CrowdStrike shows no host `{id}`: it is unknown, hidden, or another customer's"
            ),
        )
        .request_id(sorted.answer.reply.request_id.clone())),
    }
}

fn acted(sorted: &Sorted<'_, wire::Accepted>, id: &str) -> Result<Outcome> {
    let reply = &sorted.answer.reply;
    if sorted.resource(id).is_some() {
        return Ok(Outcome::Accepted {
            request_id: reply.request_id.clone(),
        });
    }
    let Some(error) = sorted.error(id) else {
        return Err(api::unreadable(
            reply,
            true,
            "the vendor's reply left this host out",
        ));
    };
    let meaning = error.meaning(reply, true);
    if error.code.0 == Some(409) {
        return Ok(Outcome::AlreadySo {
            error: meaning,
            ours: reply.after_doubt,
        });
    }
    Err(meaning)
}

impl CrowdStrike {
    /// The live record of a host.
    async fn device(&self, cx: &Call, host: &Host) -> Result<wire::Device> {
        self.hosts.reads.ask(cx, device_id(host)?).await
    }
}

fn device_id(host: &Host) -> Result<String> {
    host.id
        .as_deref()
        .and_then(text::present)
        .map(str::to_owned)
        .ok_or_else(|| {
            let detail = "the host has no device id; a name may belong to several";
            Error::new(Kind::Unsupported, "host.containment", detail)
        })
}

fn reading(device: &wire::Device) -> Result<Reading<Containment>> {
    let status = device.status.raw().unwrap_or_default().to_ascii_lowercase();
    Ok(match status.as_str() {
        "normal" => Reading::Settled(Containment::Released),
        "contained" => Reading::Settled(Containment::Contained),
        "containment_pending" => Reading::Moving {
            to: Containment::Contained,
        },
        "lift_containment_pending" => Reading::Moving {
            to: Containment::Released,
        },
        other => {
            let detail =
                format!("the host's containment is `{other}`, a state Quell does not know");
            return Err(Error::new(Kind::ReplyUnreadable, api::DEVICES_READ, detail));
        }
    })
}

fn facts(device: &wire::Device) -> AssetFacts {
    let class = asset::class(asset::Words {
        product_type_desc: device.product_type_desc.raw(),
        product_type: device.product_type.raw(),
        platform: device.platform_name.raw(),
        os_version: device.os_version.raw(),
    });
    asset::facts(class, device.tags.iter().filter_map(|tag| tag.raw()))
}

impl Control<HostContainment> for CrowdStrike {
    async fn read(&self, cx: &Call, host: &Host) -> Result<Observed<Containment>> {
        let device = self.device(cx, host).await?;
        Ok(Observed {
            asset: facts(&device),
            ..Observed::of(reading(&device)?)
        })
    }

    async fn write(&self, cx: &Call, host: &Host, want: &Containment) -> Result<Receipt> {
        let id = device_id(host)?;
        let actions = match want {
            Containment::Contained => &self.hosts.contains,
            Containment::Released => &self.hosts.lifts,
        };
        match actions.ask(cx, id.clone()).await? {
            Outcome::Accepted { request_id } => {
                Ok(Receipt::of(json!({ "host": id, "request": request_id })))
            }
            Outcome::AlreadySo { error, ours } => {
                // The vendor also answers so while the opposite is under way, so its word is not enough.
                let device = self.device(cx, host).await?;
                let status = device.status.raw().unwrap_or_default();
                let evidence = json!({ "host": id, "status": status, "request": error.request_id });
                match reading(&device)? {
                    Reading::Settled(now) | Reading::Moving { to: now } if now == *want => {
                        Ok(if ours {
                            Receipt::of(evidence)
                        } else {
                            Receipt::unchanged(evidence)
                        })
                    }
                    Reading::Moving { .. } => {
                        let detail = format!(
                            "nothing was done: the host is in state `{status}` and takes no other order until that has ended"
                        );
                        Err(Error::new(Kind::VendorUnavailable, error.operation, detail)
                            .code(409)
                            .request_id(error.request_id.as_deref().map(str::to_owned)))
                    }
                    _ => Err(error),
                }
            }
        }
    }
}
