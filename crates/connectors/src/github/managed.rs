//! `emu`: a disabled account is a managed user that is not active.
//!
//! SCIM knows people by their name at the identity provider. GitHub hides the login of an inactive user, so
//! the SCIM id is what is acted on.

use quell_connector::{Call, Error, Kind, Observed, Reading, Receipt, Result};
use quell_model::entity::Account;
use quell_model::property::Enablement;
use serde_json::json;

use super::accounts::{facts, is_ours, odd, present};
use super::wire::{ManagedUser, ManagedUsers};
use super::{GitHub, api};

/// What a SCIM id looks like; GitHub's other ids are numbers.
fn is_scim_id(id: &str) -> bool {
    id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

impl GitHub {
    async fn managed(&self, cx: &Call, account: &Account) -> Result<ManagedUser> {
        let id = present(account.id.as_ref()).filter(|_| is_ours(account));
        if let Some(id) = id.filter(|id| is_scim_id(id)) {
            return self.api.send(cx, self.api.managed_by_id(id)).await?.json();
        }
        // A quote would end the filter; no identity provider has names with one.
        let name = present(account.principal.as_ref()).filter(|name| !name.contains(['"', '\\']));
        let Some(name) = name else {
            let detail = "the alert names nobody by the user name of the identity provider, and SCIM knows no other";
            return Err(Error::new(Kind::TargetNotFound, api::MANAGED_FIND, detail));
        };
        let found: ManagedUsers = self
            .api
            .send(cx, self.api.managed_by_name(name))
            .await?
            .json()?;
        let mut found = found.resources;
        found.retain(|user| {
            let own = user.user_name.raw().unwrap_or_default();
            own.to_lowercase() == name.to_lowercase()
        });
        let several = found.len() > 1;
        match found.pop() {
            Some(user) if !several => Ok(user),
            Some(_) => {
                let detail = format!("several managed users are called `{name}`");
                Err(Error::new(Kind::TargetAmbiguous, api::MANAGED_FIND, detail))
            }
            None => {
                let detail = format!("no managed user is called `{name}`");
                Err(Error::new(Kind::TargetNotFound, api::MANAGED_FIND, detail))
            }
        }
    }

    pub(super) async fn activity_of(
        &self,
        cx: &Call,
        account: &Account,
    ) -> Result<Observed<Enablement>> {
        let user = self.managed(cx, account).await?;
        // The enterprise's setup user is not managed, so no managed owner is ever the last one.
        let owner = user
            .roles
            .iter()
            .any(|role| role.value.raw() == Some("enterprise_owner"));
        Ok(Observed {
            asset: facts(owner),
            ..Observed::of(Reading::Settled(value(&user)?))
        })
    }

    pub(super) async fn set_activity(
        &self,
        cx: &Call,
        account: &Account,
        want: &Enablement,
    ) -> Result<Receipt> {
        let user = self.managed(cx, account).await?;
        let id = user.id.raw().filter(|id| is_scim_id(id)).ok_or_else(|| {
            let detail = "GitHub's record of the managed user has no id";
            Error::new(Kind::ReplyUnreadable, api::MANAGED_READ, detail)
        })?;
        let evidence = json!({ "scim_id": id });
        if value(&user)? == *want {
            return Ok(Receipt::unchanged(evidence));
        }
        let active = *want == Enablement::Enabled;
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "value": { "active": active } }],
        });
        let changed: ManagedUser = self
            .api
            .send(cx, self.api.change_managed(id, &body))
            .await?
            .json()?;
        if changed.active != Some(active) {
            return Err(odd(api::MANAGED_CHANGE));
        }
        Ok(Receipt::of(evidence))
    }
}

fn value(user: &ManagedUser) -> Result<Enablement> {
    match user.active {
        Some(true) => Ok(Enablement::Enabled),
        Some(false) => Ok(Enablement::Disabled),
        None => {
            let detail = "GitHub does not say whether the managed user is active";
            Err(Error::new(Kind::ReplyUnreadable, api::MANAGED_READ, detail))
        }
    }
}
