//! Identity detections (`product` idp): accounts in the directory, and where they came from. They
//! have no `device`.

use quell_connector::{DocumentError, document};
use quell_model::AlertKind;
use quell_model::entity::{Account, Host};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::lenient::Text;
use super::draft::Draft;

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an alert document (a JSON object)")]
pub(super) struct Document {
    #[serde(alias = "SourceAccountName")]
    source_account_name: Text,
    #[serde(alias = "SourceAccountSamAccountName")]
    source_account_sam_account_name: Text,
    #[serde(alias = "SourceAccountDomain")]
    source_account_domain: Text,
    #[serde(alias = "SourceAccountUpn")]
    source_account_upn: Text,
    #[serde(alias = "SourceAccountObjectSid")]
    source_account_object_sid: Text,
    #[serde(alias = "SourceAccountObjectGuid")]
    source_account_object_guid: Text,
    #[serde(alias = "SourceAccountOktaId")]
    source_account_okta_id: Text,
    #[serde(alias = "SourceAccountAzureId")]
    source_account_azure_id: Text,
    #[serde(alias = "SourceEndpointHostName")]
    source_endpoint_host_name: Text,
    #[serde(alias = "SourceEndpointSensorId")]
    source_endpoint_sensor_id: Text,
    #[serde(alias = "SourceEndpointIpAddress")]
    source_endpoint_ip_address: Text,
    #[serde(alias = "SourceEndpointAddressIP4")]
    source_endpoint_address_ip4: Text,
    #[serde(alias = "SourceEndpointAddressIP6")]
    source_endpoint_address_ip6: Text,
    #[serde(alias = "TargetAccountName")]
    target_account_name: Text,
    #[serde(alias = "TargetAccountSamAccountName")]
    target_account_sam_account_name: Text,
    #[serde(alias = "TargetAccountDomain")]
    target_account_domain: Text,
    #[serde(alias = "TargetAccountUpn")]
    target_account_upn: Text,
    #[serde(alias = "TargetAccountObjectSid")]
    target_account_object_sid: Text,
    #[serde(alias = "TargetAccountObjectGuid")]
    target_account_object_guid: Text,
}

/// One account's members.
struct Named<'a> {
    name: &'a Text,
    sam: &'a Text,
    domain: &'a Text,
    upn: &'a Text,
    sid: &'a Text,
    guid: &'a Text,
    okta: Option<&'a Text>,
    azure: Option<&'a Text>,
}

impl Named<'_> {
    fn account(self) -> Account {
        // Cloud directories put the principal where the account name belongs.
        let mail = |text: &&Text| text.raw().is_some_and(|name| name.contains('@'));
        let principal = self
            .upn
            .line()
            .or_else(|| Some(self.name).filter(mail)?.line());
        let name = self.sam.line().or_else(|| {
            self.name
                .line()
                .filter(|name| Some(name) != principal.as_ref())
        });
        let directory = self.sid.line().or_else(|| self.guid.line());
        let okta = self.okta.and_then(Text::line);
        let azure = self.azure.and_then(Text::line);
        let provider = match (&directory, self.domain.raw(), &okta, &azure) {
            (None, None, Some(_), _) => "okta",
            (None, None, None, Some(_)) => "entra_id",
            _ => "active_directory",
        };
        Account {
            id: directory.or(okta).or(azure),
            name,
            domain: self.domain.line(),
            principal,
            provider: Some(provider.to_owned()),
            sid: self.sid.line(),
        }
    }
}

pub(super) fn read(json: &RawValue, draft: &mut Draft) -> Result<(), DocumentError> {
    let document: Document = document::read(json)?;
    let source = Named {
        name: &document.source_account_name,
        sam: &document.source_account_sam_account_name,
        domain: &document.source_account_domain,
        upn: &document.source_account_upn,
        sid: &document.source_account_object_sid,
        guid: &document.source_account_object_guid,
        okta: Some(&document.source_account_okta_id),
        azure: Some(&document.source_account_azure_id),
    };
    let target = Named {
        name: &document.target_account_name,
        sam: &document.target_account_sam_account_name,
        domain: &document.target_account_domain,
        upn: &document.target_account_upn,
        sid: &document.target_account_object_sid,
        guid: &document.target_account_object_guid,
        okta: None,
        azure: None,
    };
    let before = draft.entities.len();
    draft.account(source.account());
    draft.account(target.account());
    if draft.entities.len() == before {
        draft.note(
            "source_account_name",
            "The document names no account, so none can be acted on.",
        );
    }
    let addresses = [
        (
            "source_endpoint_address_ip4",
            &document.source_endpoint_address_ip4,
        ),
        (
            "source_endpoint_address_ip6",
            &document.source_endpoint_address_ip6,
        ),
        (
            "source_endpoint_ip_address",
            &document.source_endpoint_ip_address,
        ),
    ];
    let host = Host {
        id: document.source_endpoint_sensor_id.line(),
        name: document.source_endpoint_host_name.line(),
        ..Host::default()
    };
    // A sign-in to a web application comes from no machine that is known; that is nothing to note.
    if host.id.is_some() || host.name.is_some() {
        draft.host("source_endpoint_sensor_id", host, &Default::default());
    }
    for (field, address) in addresses {
        draft.ip(field, address);
    }
    Ok(())
}

/// Words in a detection's name that say it is about signing in. Compared without spaces, case and
/// punctuation, because the vendor writes both `AnomalousGeoLocationAccess` and
/// `Unusual user geolocation`.
const SIGN_IN: &[&str] = &[
    "login",
    "logon",
    "signin",
    "authentication",
    "geolocation",
    "impossibletravel",
    "badreputation",
    "ipreputation",
    "bruteforce",
    "passwordspray",
    "credentialstuffing",
    "mfa",
];

/// A risky sign-in when the detection is about signing in, else something an account did.
pub(super) fn kind<'a>(names: impl Iterator<Item = &'a str>) -> AlertKind {
    for name in names {
        let letters: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if SIGN_IN.iter().any(|word| letters.contains(word)) {
            return AlertKind::RiskySignIn;
        }
    }
    AlertKind::IdentityActivity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_is_told_from_what_an_account_does_in_the_directory() {
        let kind = |name: &str| kind([name].into_iter());
        for name in [
            "AnomalousGeoLocationAccess",
            "Unusual login to an endpoint",
            "Access from IP with bad reputation",
            "Password spray",
            "MFA bombing",
        ] {
            assert_eq!(kind(name), AlertKind::RiskySignIn, "{name}");
        }
        for name in [
            "IdpEntityPrivilegeEscalationUser",
            "Suspicious LDAP search (Kerberos misconfiguration)",
        ] {
            assert_eq!(kind(name), AlertKind::IdentityActivity, "{name}");
        }
    }
}
