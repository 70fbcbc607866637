//! Slack's two methods, what its refusals mean, and what can be found out without posting.

use quell_connector::http::{
    Body, Complaint, Dialect, Method, Quota, Repeat, Reply, Request, epoch_or_delta_seconds,
};
use quell_connector::{Call, Check, Error, Kind, Result};
use quell_model::text;

use super::{Slack, wire};

/// Slack's way of speaking HTTP.
pub(super) const DIALECT: Dialect = Dialect {
    request_id: "x-slack-req-id",
    retry_after: |headers, now| epoch_or_delta_seconds(headers, "retry-after", now),
    complaint,
    quotas: &[
        Quota {
            bucket: "default",
            per_minute: 50,
            burst: 10,
        },
        // Slack takes about one message a second for a channel and tolerates short bursts.
        Quota {
            bucket: "post",
            per_minute: 60,
            burst: 3,
        },
    ],
    concurrency: 4,
};

/// Who the token belongs to, and the scopes it has, if Slack says so.
pub(super) async fn auth_test(
    slack: &Slack,
    cx: &Call,
) -> Result<(wire::Reply, Option<Vec<String>>)> {
    let path = format!("{}auth.test", slack.root);
    let request = Request::new("auth.test", Method::POST, path, Body::Empty, Repeat::Read);
    let reply = slack.plane.send(cx, request).await?;
    let scopes = reply.header("x-oauth-scopes").map(|scopes| {
        let scopes = scopes.split(',').map(str::trim);
        scopes.filter(|s| !s.is_empty()).map(text::line).collect()
    });
    Ok((accepted(cx, &reply)?, scopes))
}

/// Posts a message.
///
/// Slack knows no idempotency key, so a repeat after a lost reply may post twice. That is chosen:
/// a message seen twice costs a glance, an approval nobody was asked for costs the incident.
pub(super) async fn post_message(slack: &Slack, cx: &Call, post: &wire::Post<'_>) -> Result<()> {
    let path = format!("{}chat.postMessage", slack.root);
    let request = Request::json(
        "chat.postMessage",
        Method::POST,
        path,
        post,
        Repeat::Idempotent,
    )?;
    let reply = slack.plane.send(cx, request.bucket("post")).await?;
    accepted(cx, &reply).map(drop)
}

/// The reply, or the refusal inside it.
fn accepted(cx: &Call, reply: &Reply) -> Result<wire::Reply> {
    let body: wire::Reply = reply.json()?;
    if body.ok {
        return Ok(body);
    }
    let (kind, words) = meaning(&body);
    let wait = (DIALECT.retry_after)(&reply.headers, cx.clock().now());
    Err(Error::new(kind, reply.operation, words)
        .code(body.error.as_deref().unwrap_or("no error code"))
        .request_id(reply.request_id.clone())
        .retry_after(wait))
}

/// What a reply with an error status complains of.
fn complaint(reply: &Reply) -> Option<Complaint> {
    let body: wire::Reply = reply.json().ok()?;
    let code = body.error.clone()?;
    let (kind, words) = meaning(&body);
    // A status below 500 was decided before anything was posted; above, the code says too little.
    let kind = reply.status.is_client_error().then_some(kind);
    Some(Complaint {
        kind,
        code: Some(code),
        words,
    })
}

/// What can be done about a refusal, and how to say so.
fn meaning(body: &wire::Reply) -> (Kind, String) {
    let code = body.error.as_deref().unwrap_or_default();
    let (kind, words) = match code {
        "invalid_auth" | "not_authed" => (
            Kind::AuthRejected,
            "Slack does not know the token; copy the bot token again from the app's page",
        ),
        "token_revoked" => (
            Kind::AuthRejected,
            "the token was revoked; install the app again and use its new token",
        ),
        "token_expired" => (
            Kind::AuthRejected,
            "the token ran out; turn off token rotation for the app, or renew the token",
        ),
        "account_inactive" => (
            Kind::AuthRejected,
            "the app's user or workspace was deactivated; install the app again",
        ),
        "missing_scope" => {
            let needed = body.needed.as_deref().unwrap_or("chat:write");
            return (
                Kind::PermissionMissing,
                format!(
                    "the token lacks the scope `{needed}`; add it on the app's page under OAuth & Permissions and install the app again"
                ),
            );
        }
        "channel_not_found" => (
            Kind::ConfigInvalid,
            "Slack shows the app no such channel; check the spelling, and invite the app if the channel is private",
        ),
        "not_in_channel" => (
            Kind::ConfigInvalid,
            "the app is not in the channel; type `/invite` and the app's name there, or give the app the scope `chat:write.public`",
        ),
        "is_archived" => (
            Kind::ConfigInvalid,
            "the channel is archived; unarchive it or name another",
        ),
        "not_allowed_token_type" => (
            Kind::ConfigInvalid,
            "this kind of token may not post; use the app's bot token, which begins with `xoxb-`",
        ),
        "no_permission"
        | "ekm_access_denied"
        | "access_denied"
        | "team_access_not_granted"
        | "org_login_required" => (
            Kind::PermissionMissing,
            "the workspace does not let the app post; ask its administrator",
        ),
        code if code.starts_with("restricted_action") => (
            Kind::PermissionMissing,
            "a workspace setting restricts who may post in the channel; let the app, or name another channel",
        ),
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
            (Kind::RateLimited, "Slack asks to slow down")
        }
        "request_timeout" | "service_unavailable" | "team_added_to_org" => {
            (Kind::VendorUnavailable, "Slack cannot take the message now")
        }
        // Slack says of these that part of the work may have been done.
        "fatal_error" | "internal_error" => {
            (Kind::MaybeApplied, "Slack failed while it took the message")
        }
        _ => {
            let metadata = body.response_metadata.as_ref();
            let first = metadata.and_then(|metadata| metadata.messages.first());
            let words = match first {
                Some(first) => {
                    let first: String = first.chars().take(200).collect();
                    format!("Slack refuses the call: {first}")
                }
                None => "Slack refuses the call".to_owned(),
            };
            return (Kind::VendorRejected, words);
        }
    };
    (kind, words.to_owned())
}

const SCOPE: &str = "chat:write";

/// What can be told without posting.
pub(super) async fn probe(slack: &Slack, cx: &Call) -> Vec<Check> {
    let check = |name: &str, ok: Option<bool>, detail: String| Check {
        name: name.to_owned(),
        used_by: "notices".to_owned(),
        ok,
        detail,
        at: cx.clock().now(),
    };
    let channel = || {
        let detail = format!(
            "Whether the app may post in `{}` shows only when it does; invite the app there.",
            text::line(slack.channel.as_str())
        );
        check("channel", None, detail)
    };
    let (identity, scopes) = match auth_test(slack, cx).await {
        Ok(found) => found,
        Err(error) => {
            // A token that could not be tried is not a token that was refused.
            let ok = (error.kind == Kind::AuthRejected).then_some(false);
            return vec![
                check("token", ok, format!("{error}.")),
                check(SCOPE, None, "The token could not be tried.".to_owned()),
                channel(),
            ];
        }
    };
    let known = |name: Option<String>| text::line(&name.unwrap_or_else(|| "?".to_owned()));
    let (user, team) = (known(identity.user), known(identity.team));
    let detail = format!("The token belongs to `{user}` in the workspace `{team}`.");
    let token = check("token", Some(true), detail);
    let scope = match scopes {
        None => check(
            SCOPE,
            None,
            "Slack did not say which scopes the token has.".to_owned(),
        ),
        Some(scopes) if scopes.iter().any(|scope| scope == SCOPE) => {
            check(SCOPE, Some(true), "The token has the scope.".to_owned())
        }
        Some(scopes) => {
            let detail = format!(
                "The token has only `{}`; add `{SCOPE}` on the app's page under OAuth & Permissions and install the app again.",
                scopes.join(", ")
            );
            check(SCOPE, Some(false), detail)
        }
    };
    vec![token, scope, channel()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str) -> Kind {
        meaning(&wire::Reply {
            error: Some(code.to_owned()),
            ..wire::Reply::default()
        })
        .0
    }

    #[test]
    fn every_documented_refusal_says_what_can_be_done_about_it() {
        let rows = [
            ("invalid_auth", Kind::AuthRejected),
            ("not_authed", Kind::AuthRejected),
            ("token_revoked", Kind::AuthRejected),
            ("token_expired", Kind::AuthRejected),
            ("account_inactive", Kind::AuthRejected),
            ("missing_scope", Kind::PermissionMissing),
            ("no_permission", Kind::PermissionMissing),
            ("restricted_action", Kind::PermissionMissing),
            (
                "restricted_action_read_only_channel",
                Kind::PermissionMissing,
            ),
            ("channel_not_found", Kind::ConfigInvalid),
            ("not_in_channel", Kind::ConfigInvalid),
            ("is_archived", Kind::ConfigInvalid),
            ("ratelimited", Kind::RateLimited),
            ("rate_limited", Kind::RateLimited),
            ("request_timeout", Kind::VendorUnavailable),
            ("service_unavailable", Kind::VendorUnavailable),
            ("fatal_error", Kind::MaybeApplied),
            ("internal_error", Kind::MaybeApplied),
            ("invalid_blocks", Kind::VendorRejected),
            ("msg_too_long", Kind::VendorRejected),
            ("something_new", Kind::VendorRejected),
            ("", Kind::VendorRejected),
        ];
        for (code, wanted) in rows {
            assert_eq!(kind(code), wanted, "{code}");
        }
    }
}
