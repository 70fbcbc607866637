//! Cloud detections (`product` fcs): who called the cloud's control plane, with which key, on what.

use quell_connector::{DocumentError, document};
use quell_model::entity::{AccessKey, Account, CloudInstance};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::lenient::{List, Text};
use super::draft::Draft;
use super::endpoint::{Device, Machine, provider};

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an alert document (a JSON object)")]
struct Document {
    device: Option<Device>,
    agent_id: Text,
    cloud_provider: Text,
    cloud_account_id: Text,
    cloud_region: Text,
    resource_id: Text,
    user_name: Text,
    user_principal_id: Text,
    aws_access_key_id: Text,
    aws_user_account_id: Text,
    source_ip_address: Text,
    source_ip_addresses: List<Text>,
    source_ips: List<Text>,
}

pub(super) fn read(json: &RawValue, draft: &mut Draft) -> Result<(), DocumentError> {
    let document: Document = document::read(json)?;
    // A posture alert has a device block that only repeats the cloud account.
    let has_device = document.agent_id.raw().is_some()
        || document
            .device
            .as_ref()
            .is_some_and(|device| device.device_id.raw().is_some());
    if has_device {
        let machine = Machine {
            device: document.device.as_ref(),
            id: document.agent_id.line(),
            platform: &Text::default(),
            mobile: false,
        };
        machine.add(draft);
    }
    let cloud = document.cloud_provider.raw().map(provider);
    document.actor(draft, cloud.as_deref());
    document.resource(draft, cloud.as_deref());
    let addresses = [("source_ip_address", &document.source_ip_address)].into_iter();
    let addresses = addresses
        .chain(
            document
                .source_ip_addresses
                .iter()
                .map(|ip| ("source_ip_addresses", ip)),
        )
        .chain(document.source_ips.iter().map(|ip| ("source_ips", ip)));
    for (field, address) in addresses {
        draft.ip(field, address);
    }
    Ok(())
}

impl Document {
    fn actor(&self, draft: &mut Draft, cloud: Option<&str>) {
        let name = self.user_name.line();
        let account = Account {
            id: self.user_principal_id.line(),
            principal: name.clone().filter(|name| name.contains('@')),
            name,
            domain: self.cloud_account_id.line(),
            provider: cloud.map(str::to_owned),
            sid: None,
        };
        if account.id.is_none() && account.name.is_none() {
            draft.note(
                "user_name",
                "The document does not say who did it, so no account can be acted on.",
            );
        }
        draft.account(account);
        if let Some(id) = self.aws_access_key_id.line() {
            draft.add(AccessKey {
                provider: Some("aws".to_owned()),
                account: self
                    .aws_user_account_id
                    .line()
                    .or_else(|| self.cloud_account_id.line()),
                user: self.user_name.line(),
                id: Some(id),
            });
        }
    }

    fn resource(&self, draft: &mut Draft, cloud: Option<&str>) {
        let Some(id) = self.resource_id.line() else {
            draft.note(
                "resource_id",
                "The document names no resource, so none can be stopped.",
            );
            return;
        };
        let lower = id.to_ascii_lowercase();
        let is_instance = match cloud {
            Some("azure") => lower.contains("/virtualmachines/"),
            Some("gcp") => lower.contains("/instances/"),
            _ => lower.starts_with("i-"),
        };
        if !is_instance {
            draft.note(
                "resource_id",
                &format!("`{id}` is not an instance, so there is nothing to stop."),
            );
            return;
        }
        draft.instance(CloudInstance {
            provider: cloud.map(str::to_owned),
            account: self.cloud_account_id.line(),
            region: self.cloud_region.line(),
            id: Some(id),
        });
    }
}
