//! How many machines a tenant has, and which of them are domain controllers.

use std::collections::BTreeMap;

use quell_connector::{BoxFuture, Call, Error, Inventory, Kind, Result, TakeStock};
use quell_model::AssetClass;
use quell_model::entity::Host;

use super::api::{self, Answer};
use super::{CrowdStrike, asset, wire};

/// Hosts of one page, whose records are then read by one request. The vendor lists 5000 at a time and
/// reads as many; this keeps replies small.
const PAGE: usize = 1000;

/// What the vendor calls a domain controller in `product_type_desc`.
const DOMAIN_CONTROLLERS: &str = "product_type_desc:'Domain Controller'";

impl CrowdStrike {
    /// The vendor's own number of hosts.
    async fn machines(&self, cx: &Call) -> Result<u64> {
        let page = api::search_devices(&self.plane, cx, None, 1, 0).await?;
        total(&page)
    }

    /// All domain controllers, by device id.
    async fn domain_controllers(&self, cx: &Call) -> Result<BTreeMap<String, Host>> {
        let mut found = BTreeMap::new();
        let mut offset = 0;
        let mut counted = None;
        loop {
            let filter = Some(DOMAIN_CONTROLLERS);
            let page = api::search_devices(&self.plane, cx, filter, PAGE, offset).await?;
            let total = total(&page)?;
            let ids: Vec<String> = page
                .resources
                .iter()
                .filter_map(|id| id.raw().map(str::to_owned))
                .collect();
            if !ids.is_empty() {
                found.extend(self.hosts_of(cx, &ids).await?);
            }
            offset += ids.len();
            // INVARIANT: half an inventory is none. A host that comes or goes between two pages moves
            // the others, and an offset then passes one over.
            let listed = count(found.len());
            if counted.is_some_and(|counted| counted != total)
                || listed > total
                || ids.is_empty() && listed < total
            {
                let detail = format!(
                    "the vendor counts {total} domain controllers and listed {listed}; they changed meanwhile"
                );
                return Err(
                    Error::new(Kind::VendorUnavailable, api::DEVICES_SEARCH, detail)
                        .request_id(page.reply.request_id.clone()),
                );
            }
            if listed == total {
                return Ok(found);
            }
            counted = Some(total);
        }
    }

    /// The records of these hosts, all of them.
    async fn hosts_of(&self, cx: &Call, ids: &[String]) -> Result<BTreeMap<String, Host>> {
        let answer = api::read_devices(&self.plane, cx, ids).await?;
        if let Some(error) = answer.failure(false) {
            return Err(error);
        }
        let hosts: BTreeMap<_, _> = answer.resources.iter().filter_map(host).collect();
        if hosts.len() != ids.len() {
            let detail = "the vendor's reply left some of the hosts out";
            return Err(api::unreadable(&answer.reply, false, detail));
        }
        Ok(hosts)
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The vendor's number of all hosts that match, whatever the page holds.
fn total(page: &Answer<super::lenient::Text>) -> Result<u64> {
    if let Some(error) = page.failure(false) {
        return Err(error);
    }
    page.meta
        .pagination
        .as_ref()
        .and_then(|pagination| u64::try_from(pagination.total.0?).ok())
        .ok_or_else(|| {
            let detail = "the vendor's reply does not say how many hosts there are";
            api::unreadable(&page.reply, false, detail)
        })
}

fn host(device: &wire::Device) -> Option<(String, Host)> {
    let id = device.device_id.line()?;
    let host = Host {
        id: Some(id.clone()),
        name: device.hostname.line(),
        class: AssetClass::DomainController,
        platform: device.platform_name.raw().map(asset::platform),
        os_version: device.os_version.line(),
        domain: device.machine_domain.line(),
        local_ip: device.local_ip.line(),
        external_ip: device.external_ip.line(),
        tags: device.tags.iter().filter_map(|tag| tag.line()).collect(),
    };
    Some((id, host))
}

impl TakeStock for CrowdStrike {
    fn take_stock<'a>(&'a self, cx: &'a Call) -> BoxFuture<'a, Result<Inventory>> {
        Box::pin(async move {
            let machines = self.machines(cx).await?;
            let domain_controllers = self.domain_controllers(cx).await?;
            Ok(Inventory {
                machines,
                domain_controllers: domain_controllers.into_values().collect(),
            })
        })
    }
}
