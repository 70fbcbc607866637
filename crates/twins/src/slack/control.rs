//! The twin's own control routes.

use serde::Deserialize;
use serde_json::json;

use super::{App, Channel, ChannelRate, Shared};
use crate::control::{Call, Outcome, common, done};

pub(crate) fn put_app(shared: &Shared, app: App) {
    let mut workspace = shared.workspace();
    workspace.apps.retain(|other| other.token != app.token);
    workspace.apps.push(app);
}

pub(crate) fn put_channel(shared: &Shared, channel: Channel) {
    let mut workspace = shared.workspace();
    workspace.channels.retain(|other| other.id != channel.id);
    workspace.channels.push(channel);
}

pub(crate) fn set_rate(shared: &Shared, rate: Option<ChannelRate>) {
    let mut workspace = shared.workspace();
    workspace.channel_rate = rate;
    workspace.paid_until.clear();
}

#[derive(Debug, Deserialize)]
struct RateChange {
    channel_rate: Option<ChannelRate>,
}

pub(crate) fn route(shared: &Shared, call: &Call<'_>) -> Outcome {
    match call.route() {
        ("GET", ["messages"]) => Ok(json!(shared.workspace().messages)),
        ("DELETE", ["messages"]) => {
            shared.workspace().messages.clear();
            done()
        }
        ("GET", ["channels"]) => Ok(json!(shared.workspace().channels)),
        ("POST", ["channels"]) => {
            put_channel(shared, call.body()?);
            done()
        }
        ("POST", ["apps"]) => {
            put_app(shared, call.body()?);
            done()
        }
        ("PATCH", ["config"]) => {
            set_rate(shared, call.body::<RateChange>()?.channel_rate);
            done()
        }
        _ => common(shared, call),
    }
}
