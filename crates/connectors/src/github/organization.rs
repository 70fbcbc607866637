//! `org`: a disabled account is one that is not a member of the organization.
//!
//! Blocking an account besides would keep it from commenting on public repositories and takes no access
//! away that removal leaves: nobody comes back without an owner's invitation. So removal is all there is.

use quell_connector::contract::{Instead, Obstacle};
use quell_connector::{Call, Error, Kind, Observed, Reading, Receipt, Result};
use quell_model::entity::Account;
use quell_model::property::Enablement;
use quell_model::text;
use serde_json::json;

use super::accounts::{Person, facts, obstacle, odd, refusal};
use super::wire::{Membership, User};
use super::{GitHub, api};

impl GitHub {
    /// The membership, or nothing when the person is not in the organization.
    async fn membership(&self, cx: &Call, login: &str) -> Result<Option<Membership>> {
        let request = self.api.membership(login).answers(&[404]);
        let reply = self.api.send(cx, request).await?;
        if reply.status.is_success() {
            return reply.json().map(Some);
        }
        // GitHub also answers so to who may not know. Only an owner's token proves that nobody is there; an
        // App without the permission is refused instead.
        if let Some(own) = self.own_login(cx).await? {
            let reply = self
                .api
                .send(cx, self.api.membership(own).answers(&[404]))
                .await?;
            let owner = reply.status.is_success() && reply.json::<Membership>()?.is_owner();
            if !owner {
                let detail = format!(
                    "the token's user is no owner of the organization, and lacks `{}`",
                    api::MEMBERS
                );
                return Err(Error::new(
                    Kind::PermissionMissing,
                    api::MEMBERSHIP_READ,
                    detail,
                ));
            }
        }
        Ok(None)
    }

    pub(super) async fn membership_of(
        &self,
        cx: &Call,
        account: &Account,
    ) -> Result<Observed<Enablement>> {
        let person = self.person(cx, account).await?;
        let membership = self.membership(cx, &person.login).await?;
        let owner = membership.as_ref().is_some_and(Membership::is_owner);
        Ok(Observed {
            asset: facts(owner),
            obstacle: self.obstacle_in_organization(cx, &person, owner).await?,
            ..Observed::of(reading(membership.as_ref())?)
        })
    }

    async fn obstacle_in_organization(
        &self,
        cx: &Call,
        person: &Person,
        owner: bool,
    ) -> Result<Option<Obstacle>> {
        if let Some(obstacle) = self.obstacle_of(cx, person).await? {
            return Ok(Some(obstacle));
        }
        if !owner {
            return Ok(None);
        }
        let owners: Vec<User> = self.api.send(cx, self.api.owners()).await?.json()?;
        let login = text::line(&person.login);
        Ok(Some(if owners.len() <= 1 {
            let said = format!("`{login}` is the only owner of the organization.");
            obstacle("last-administrator", said, Instead::Nothing)
        } else {
            let said = format!(
                "`{login}` is an owner of the organization; Quell could remove it but only invite it back as a member. Remove it at GitHub."
            );
            obstacle("not-in-this-state", said, Instead::Person)
        }))
    }

    pub(super) async fn set_membership(
        &self,
        cx: &Call,
        account: &Account,
        want: &Enablement,
    ) -> Result<Receipt> {
        let person = self.person(cx, account).await?;
        let membership = self.membership(cx, &person.login).await?;
        let evidence = json!({
            "id": person.user.id.raw(),
            "login": person.login,
            "role": membership.as_ref().and_then(|held| held.role.line()),
        });
        match (want, membership) {
            (Enablement::Disabled, None) | (Enablement::Enabled, Some(_)) => {
                Ok(Receipt::unchanged(evidence))
            }
            (Enablement::Disabled, Some(held)) => {
                let found = self
                    .obstacle_in_organization(cx, &person, held.is_owner())
                    .await?;
                if let Some(obstacle) = found {
                    return Err(refusal(api::MEMBERSHIP_REMOVE, obstacle));
                }
                let request = self.api.remove(&person.login).answers(&[404]);
                let reply = self.api.send(cx, request).await?;
                match reply.status.as_u16() {
                    204 => Ok(Receipt::of(evidence)),
                    // Gone already: by an earlier attempt of ours, or by somebody else since it was read.
                    404 if reply.after_doubt => Ok(Receipt::of(evidence)),
                    404 => Ok(Receipt::unchanged(evidence)),
                    _ => Err(odd(api::MEMBERSHIP_REMOVE)),
                }
            }
            (Enablement::Enabled, None) => {
                // Owners are never removed by Quell, so whoever it removed was a member.
                let request = self.api.invite(&person.login, &json!({ "role": "member" }));
                let held: Membership = self.api.send(cx, request).await?.json()?;
                match held.state.raw() {
                    Some("pending") => Ok(Receipt::of(json!({
                        "id": person.user.id.raw(),
                        "login": person.login,
                        "role": "member",
                        "note": "Invited; the person must accept. Teams and forks do not come back.",
                    }))),
                    Some("active") => Ok(Receipt::of(evidence)),
                    _ => Err(odd(api::MEMBERSHIP_SET)),
                }
            }
        }
    }
}

fn reading(membership: Option<&Membership>) -> Result<Reading<Enablement>> {
    let Some(membership) = membership else {
        return Ok(Reading::Settled(Enablement::Disabled));
    };
    match membership.state.raw() {
        Some("active") => Ok(Reading::Settled(Enablement::Enabled)),
        // Until the person accepts.
        Some("pending") => Ok(Reading::Moving {
            to: Enablement::Enabled,
        }),
        other => {
            let state = text::line(other.unwrap_or_default());
            let detail = format!("the membership is `{state}`, a state Quell does not know");
            Err(Error::new(
                Kind::ReplyUnreadable,
                api::MEMBERSHIP_READ,
                detail,
            ))
        }
    }
}
