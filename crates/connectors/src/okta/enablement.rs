//! `account.enabled`: suspending users and letting them in again.

use quell_connector::{
    Call, Control, Error, Instead, Kind, Observed, Obstacle, Reading, Receipt, Result,
};
use quell_model::entity::Account;
use quell_model::property::{AccountEnabled, Enablement};
use quell_model::text;
use serde_json::json;

use super::accounts::{Deed, Found, Life, life, obstacle};
use super::{Okta, api};

fn value(life: Life) -> Enablement {
    match life {
        Life::Active | Life::Between => Enablement::Enabled,
        Life::Suspended | Life::Outside => Enablement::Disabled,
    }
}

fn reading(found: &Found) -> Result<Reading<Enablement>> {
    let on_its_way = found.user.transitioning_to_status.raw().and_then(life);
    Ok(match on_its_way {
        Some(life) => Reading::Moving { to: value(life) },
        None => Reading::Settled(value(found.life()?)),
    })
}

/// Okta suspends nobody who is between two states.
fn not_now(found: &Found) -> Option<Obstacle> {
    (life(found.status()) == Some(Life::Between)).then(|| {
        let text = format!(
            "Okta suspends only active users, and this one is {}; end the sessions, or deactivate the user in the Okta console.",
            found.status()
        );
        obstacle("not-in-this-state", text, Instead::Person)
    })
}

impl Control<AccountEnabled> for Okta {
    async fn read(&self, cx: &Call, account: &Account) -> Result<Observed<Enablement>> {
        let found = self.find(cx, account).await?;
        let (asset, common) = self.look_at(cx, &found, Deed::ShutsOut).await?;
        Ok(Observed {
            asset,
            obstacle: common.or_else(|| not_now(&found)),
            ..Observed::of(reading(&found)?)
        })
    }

    async fn write(&self, cx: &Call, account: &Account, want: &Enablement) -> Result<Receipt> {
        let found = self.find(cx, account).await?;
        let operation = match want {
            Enablement::Disabled => api::SUSPEND,
            Enablement::Enabled => api::UNSUSPEND,
        };
        let reply = api::change_life(&self.plane, cx, operation, &found.id).await?;
        let request = reply.request_id.clone();
        if reply.status.is_success() {
            return Ok(Receipt::of(json!({ "user": found.id, "request": request })));
        }
        // Okta refuses what is already so and what can never be in the same words.
        let after = self.find(cx, account).await?;
        let evidence = json!({
            "user": after.id, "status": text::line(after.status()), "request": request,
        });
        match reading(&after)? {
            Reading::Settled(now) | Reading::Moving { to: now } if now == *want => {
                Ok(match reply.after_doubt {
                    true => Receipt::of(evidence),
                    false => Receipt::unchanged(evidence),
                })
            }
            // An earlier attempt may have done it, and the record does not show it yet.
            _ if reply.after_doubt => {
                let detail = "it may have been done, and the user's record does not show it yet";
                Err(Error::new(Kind::MaybeApplied, operation, detail).request_id(request))
            }
            _ => {
                let refusal = api::refusal(&reply);
                let detail = format!("{}; the user is {}", refusal.detail, after.status());
                Err(Error::new(refusal.kind, operation, detail)
                    .code(refusal.vendor_code.as_deref().unwrap_or("400"))
                    .request_id(request))
            }
        }
    }
}
