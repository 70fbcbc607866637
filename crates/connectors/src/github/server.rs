//! `ghes`: a disabled account is one that is suspended on the Enterprise Server.

use quell_connector::{Call, Error, Kind, Observed, Reading, Receipt, Result};
use quell_model::entity::Account;
use quell_model::property::Enablement;
use serde_json::json;

use super::accounts::{Person, facts, odd, refusal};
use super::{GitHub, api};

impl GitHub {
    pub(super) async fn suspension_of(
        &self,
        cx: &Call,
        account: &Account,
    ) -> Result<Observed<Enablement>> {
        let person = self.person(cx, account).await?;
        // The token's user administers the server too, so nobody else is ever the last administrator.
        Ok(Observed {
            asset: facts(person.user.site_admin.is_set()),
            obstacle: self.obstacle_of(cx, &person).await?,
            ..Observed::of(Reading::Settled(value(&person)?))
        })
    }

    pub(super) async fn set_suspension(
        &self,
        cx: &Call,
        account: &Account,
        want: &Enablement,
    ) -> Result<Receipt> {
        let person = self.person(cx, account).await?;
        let evidence = json!({ "id": person.user.id.raw(), "login": person.login });
        if value(&person)? == *want {
            return Ok(Receipt::unchanged(evidence));
        }
        let (operation, request) = match want {
            Enablement::Disabled => {
                if let Some(obstacle) = self.obstacle_of(cx, &person).await? {
                    return Err(refusal(api::SUSPEND, obstacle));
                }
                let body = json!({ "reason": format!("Quell {}", cx.reference()) });
                (api::SUSPEND, self.api.suspend(&person.login, &body))
            }
            Enablement::Enabled => (api::UNSUSPEND, self.api.unsuspend(&person.login)),
        };
        let reply = self.api.send(cx, request).await?;
        match reply.status.as_u16() {
            204 => Ok(Receipt::of(evidence)),
            _ => Err(odd(operation)),
        }
    }
}

fn value(person: &Person) -> Result<Enablement> {
    match &person.user.suspended_at {
        Some(at) if at.raw().is_some() => Ok(Enablement::Disabled),
        Some(_) => Ok(Enablement::Enabled),
        None => {
            let detail = format!(
                "the server does not say whether the user is suspended; the credentials lack `{}`",
                api::SITE_ADMIN
            );
            Err(Error::new(Kind::PermissionMissing, api::USER_READ, detail))
        }
    }
}
