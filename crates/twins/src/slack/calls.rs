//! The two calls: who am I, and post a message.

use serde_json::{Map, Value, json};

use super::service::Refusal;
use super::{App, Channel, Message, Shared, Workspace, blocks};

/// Longest `text` before the vendor refuses it.
const TEXT_LIMIT: usize = 40_000;

pub(crate) fn auth_test(shared: &Shared, app: &App) -> Value {
    json!({
        "ok": true,
        "url": format!("https://{}.slack.com/", shared.vendor.team),
        "team": shared.vendor.team,
        "user": app.user,
        "team_id": "T0TWIN",
        "user_id": "U0TWINBOT",
        "bot_id": "B0TWINBOT",
        "is_enterprise_install": false,
    })
}

pub(crate) fn post_message(
    shared: &Shared,
    app: &App,
    body: &Map<String, Value>,
) -> Result<Value, Refusal> {
    let text_of = |name: &str| body.get(name).and_then(Value::as_str);
    let wanted = text_of("channel").filter(|channel| !channel.is_empty());
    let wanted = wanted.ok_or_else(|| {
        Refusal::new("invalid_arguments").with(
            "response_metadata",
            json!({"messages": ["[ERROR] missing required field: channel"]}),
        )
    })?;
    let mut workspace = shared.workspace();
    let channel = find(&workspace, app, wanted)?.clone();

    let text = text_of("text").unwrap_or_default();
    let blocks = match body.get("blocks") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(blocks)) => blocks.clone(),
        Some(_) => return Err(Refusal::new("invalid_blocks_format")),
    };
    if text.is_empty() && blocks.is_empty() {
        return Err(Refusal::new("no_text"));
    }
    if text.chars().count() > TEXT_LIMIT {
        return Err(Refusal::new("msg_too_long"));
    }
    let problems = blocks::problems(&blocks);
    if !problems.is_empty() {
        let messages: Vec<String> = problems.iter().map(|p| format!("[ERROR] {p}")).collect();
        return Err(Refusal::new("invalid_blocks")
            .with("errors", problems.into())
            .with("response_metadata", json!({"messages": messages})));
    }
    if blocks::weight(&blocks) > blocks::WEIGHT_LIMIT {
        return Err(Refusal::new("msg_blocks_too_long"));
    }
    pay(&mut workspace, &channel.id, shared.clock.now_ns())?;

    let stamp = shared.clock.stamp() / 1000;
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(true);
    let mut message = Message {
        channel: channel.id.clone(),
        channel_name: channel.name.clone(),
        ts: format!("{}.{:06}", stamp / 1_000_000, stamp % 1_000_000),
        text: text.to_owned(),
        blocks,
        thread_ts: text_of("thread_ts").map(ToOwned::to_owned),
        unfurl_links: flag("unfurl_links"),
        unfurl_media: flag("unfurl_media"),
    };
    // Two messages within one microsecond still get ids of their own.
    while workspace
        .messages
        .iter()
        .any(|other| other.channel == message.channel && other.ts == message.ts)
    {
        message.ts = message.next_ts();
    }
    let reply = json!({
        "ok": true,
        "channel": message.channel,
        "ts": message.ts,
        "message": {
            "type": "message",
            "user": "U0TWINBOT",
            "bot_id": "B0TWINBOT",
            "team": "T0TWIN",
            "ts": message.ts,
            "text": message.text,
            "blocks": message.blocks,
        },
    });
    workspace.messages.push(message);
    Ok(reply)
}

/// The channel by id or name, if this app may post there.
fn find<'a>(workspace: &'a Workspace, app: &App, wanted: &str) -> Result<&'a Channel, Refusal> {
    let name = wanted.strip_prefix('#').unwrap_or(wanted);
    let public = app.scopes.iter().any(|scope| scope == "chat:write.public");
    let channel = workspace
        .channels
        .iter()
        .find(|channel| channel.id == wanted || channel.name == name)
        // A private channel does not exist for who is not in it.
        .filter(|channel| channel.joined || !channel.private)
        .ok_or_else(|| Refusal::new("channel_not_found"))?;
    if channel.archived {
        return Err(Refusal::new("is_archived"));
    }
    if !channel.joined && !public {
        return Err(Refusal::new("not_in_channel"));
    }
    Ok(channel)
}

/// Charges one message to the channel, or says when there is room again.
fn pay(workspace: &mut Workspace, channel: &str, now: i64) -> Result<(), Refusal> {
    let Some(rate) = workspace.channel_rate else {
        return Ok(());
    };
    let interval = i64::try_from(rate.interval_millis)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000_000);
    let ahead = interval.saturating_mul(i64::from(rate.burst.max(1)) - 1);
    let paid = workspace
        .paid_until
        .entry(channel.to_owned())
        .or_insert(now);
    let over = paid.saturating_sub(now).saturating_sub(ahead);
    if over > 0 {
        let seconds = u64::try_from(over).unwrap_or(0).div_ceil(1_000_000_000);
        return Err(Refusal::rate_limited(Some(seconds.max(1))));
    }
    *paid = (*paid).max(now).saturating_add(interval);
    Ok(())
}
