//! A twin of Slack, as far as an app that posts messages sees it: `auth.test` and `chat.postMessage` with tokens,
//! scopes, channel membership, Block Kit limits and the per-channel rate limit.
//!
//! Facts come from Slack's published API description (`slackapi/slack-api-specs`), the models of its Python SDK
//! (`slack_sdk`), and replies quoted in public issue reports. As at the vendor, a refused call is HTTP 200 with
//! `"ok": false`; only the rate limit has a status of its own.

mod blocks;
mod calls;
mod control;
mod message;
mod service;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use message::Message;
pub use service::Endpoint;

use crate::clock::{Clock, Pace};
use crate::sync::lock;
use crate::{Error, Twin};

/// The bot token that [`Config::default`] knows.
pub const TOKEN: &str = "xoxb-twin-0000-token";

/// Whether a token still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It works.
    #[default]
    Active,
    /// It was revoked: `token_revoked`.
    Revoked,
    /// It ran out: `token_expired`.
    Expired,
    /// Its user or workspace was deactivated: `account_inactive`.
    Inactive,
}

/// An installed app, known by its bot token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The bot token.
    pub token: String,
    /// The bot's user name.
    #[serde(default = "bot_name")]
    pub user: String,
    /// Scopes granted at installation.
    pub scopes: Vec<String>,
    /// Whether the token still works.
    #[serde(default)]
    pub state: TokenState,
}

fn bot_name() -> String {
    "quell".into()
}

impl App {
    /// An app whose token works and has these scopes.
    pub fn new(token: &str, scopes: &[&str]) -> Self {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Self {
            token: token.to_owned(),
            user: bot_name(),
            scopes,
            state: TokenState::Active,
        }
    }
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its id (`C…`).
    pub id: String,
    /// Its name, without `#`.
    pub name: String,
    /// Whether it is private; a private channel is invisible to who is not in it.
    #[serde(default)]
    pub private: bool,
    /// Whether it is archived.
    #[serde(default)]
    pub archived: bool,
    /// Whether the app was invited.
    #[serde(default)]
    pub joined: bool,
}

impl Channel {
    /// A public channel the app was invited to.
    pub fn joined(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            private: false,
            archived: false,
            joined: true,
        }
    }
}

/// How many messages a channel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRate {
    /// Messages that may come at once after a rest.
    pub burst: u32,
    /// Milliseconds per message in the long run.
    pub interval_millis: u64,
}

impl ChannelRate {
    /// About what the vendor documents: one message a second, short bursts tolerated.
    pub const USUAL: Self = Self {
        burst: 3,
        interval_millis: 1000,
    };
}

/// How to start a twin.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Who moves the clock.
    pub pace: Pace,
    /// What the clock shows at the start; the present when absent.
    pub start_at: Option<Timestamp>,
    /// The workspace's name.
    pub team: String,
    /// Installed apps.
    pub apps: Vec<App>,
    /// Channels.
    pub channels: Vec<Channel>,
    /// When set, a channel that gets more than this answers 429.
    pub channel_rate: Option<ChannelRate>,
    /// How many requests the listing keeps; zero turns it off.
    pub request_log: usize,
    /// Fixes every made-up id; drawn from the clock when absent.
    pub seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pace: Pace::RealTime,
            start_at: None,
            team: "acme".into(),
            apps: vec![App::new(TOKEN, &["chat:write"])],
            channels: vec![
                Channel::joined("C0SOCALERTS", "soc-alerts"),
                Channel {
                    joined: false,
                    ..Channel::joined("C0GENERAL", "general")
                },
                Channel {
                    private: true,
                    joined: false,
                    ..Channel::joined("C0SECRET", "secret")
                },
                Channel {
                    archived: true,
                    ..Channel::joined("C0OLD", "old-alerts")
                },
            ],
            channel_rate: None,
            request_log: 4096,
            seed: None,
        }
    }
}

impl Config {
    /// For tests: only [`Slack::advance`] moves time.
    pub fn manual() -> Self {
        Self {
            pace: Pace::Manual,
            ..Self::default()
        }
    }
}

/// What the workspace holds.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) apps: Vec<App>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) messages: Vec<Message>,
    pub(crate) channel_rate: Option<ChannelRate>,
    /// Per channel id: when its messages so far are paid for.
    pub(crate) paid_until: BTreeMap<String, i64>,
}

/// What the twin keeps of the vendor.
#[derive(Debug)]
pub struct Vendor {
    pub(crate) team: String,
    workspace: Mutex<Workspace>,
}

pub(crate) type Shared = crate::twin::Shared<Vendor>;

impl Shared {
    pub(crate) fn workspace(&self) -> MutexGuard<'_, Workspace> {
        lock(&self.vendor.workspace)
    }
}

/// A running twin. Its base URL ends in `/api/`.
pub type Slack = Twin<Vendor>;

impl Slack {
    /// Starts a twin on the current Tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound, or the start time does not fit the clock.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let clock = Clock::start(config.pace, config.start_at)?;
        let vendor = Vendor {
            team: config.team,
            workspace: Mutex::new(Workspace {
                apps: config.apps,
                channels: config.channels,
                messages: Vec::new(),
                channel_rate: config.channel_rate,
                paid_until: BTreeMap::new(),
            }),
        };
        let shared = Shared::new(clock, config.seed, config.request_log, vendor);
        Self::serve(config.listen, shared).await
    }

    /// Messages posted, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.workspace().messages.clone()
    }

    /// Adds an app, or replaces the one with the same token.
    pub fn put_app(&self, app: App) {
        control::put_app(&self.shared, app);
    }

    /// Adds a channel, or replaces the one with the same id.
    pub fn put_channel(&self, channel: Channel) {
        control::put_channel(&self.shared, channel);
    }

    /// Starts or stops refusing messages beyond a rate.
    pub fn set_channel_rate(&self, rate: Option<ChannelRate>) {
        control::set_rate(&self.shared, rate);
    }
}
