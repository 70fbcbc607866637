//! What a connection to a Falcon tenant is configured with.

use std::time::Duration;

use jiff::SignedDuration;
use quell_connector::http::{Plane, Url};
use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, HttpSettings};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Home, Region};

/// A connection to a CrowdStrike Falcon tenant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Cloud the tenant lives in. Without it `us-1` is asked, which answers where the tenant lives;
    /// only the government clouds have to be named.
    #[serde(default)]
    pub region: Option<Region>,
    /// Base URL to use instead of a region, for a gateway of your own (`"https://falcon.example.com"`).
    #[serde(default)]
    pub base_url: Option<String>,
    /// Id of the API client made in the Falcon console.
    pub client_id: String,
    /// Where its secret is kept (`"env:FALCON_SECRET"`, `"file:/run/secrets/falcon"`).
    pub client_secret: SecretRef,
    /// Customer id of the child to act on, when the API client is a Flight Control parent's.
    #[serde(default)]
    pub member_cid: Option<String>,
    /// HTTP settings.
    #[serde(default)]
    pub http: HttpSettings,
    /// How alerts are polled.
    #[serde(default)]
    pub poll: Poll,
    /// Whether status, comments and the tag `quell` are written to the alerts in the Falcon console.
    #[serde(default)]
    pub write_back: bool,
}

/// How alerts are polled.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Poll {
    /// Whether to poll at all; off when something else pushes the alerts to Quell.
    pub enabled: bool,
    /// Wait between polls, with unit (`"10s"`); at least a second.
    #[schemars(with = "String")]
    pub interval: SignedDuration,
    /// How far back the very first poll looks, with unit (`"15m"`).
    #[schemars(with = "String")]
    pub lookback: SignedDuration,
    /// Alerts fetched by one request, 1 to 1000.
    pub page_size: u16,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: SignedDuration::from_secs(10),
            lookback: SignedDuration::from_mins(15),
            page_size: 500,
        }
    }
}

impl Poll {
    /// These options, or the key that cannot work.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        if self.interval < SignedDuration::from_secs(1) {
            let problem = "must be at least a second; write for example \"10s\"";
            return Err(ConfigError::new("poll.interval", problem));
        }
        if self.lookback.is_negative() {
            let problem = "must not be negative; write for example \"15m\"";
            return Err(ConfigError::new("poll.lookback", problem));
        }
        if !(1..=1000).contains(&self.page_size) {
            let problem = "must be from 1 to 1000, the most the vendor sends at once";
            return Err(ConfigError::new("poll.page_size", problem));
        }
        Ok(self)
    }

    /// The interval as the runtime wants it.
    pub(super) fn pause(&self) -> Duration {
        self.interval.unsigned_abs()
    }
}

impl Config {
    /// Where to ask first.
    pub(super) fn home(&self) -> Result<Home, ConfigError> {
        let base = match (&self.base_url, self.region) {
            (Some(_), Some(_)) => {
                let problem = "give either a region or a base URL, not both";
                return Err(ConfigError::new("base_url", problem));
            }
            (Some(url), None) => Plane::base_url("base_url", url)?,
            (None, region) => Plane::base_url("region", &region.unwrap_or(Region::Us1).base())?,
        };
        let host = base.host_str().unwrap_or_default();
        if host.is_empty() {
            return Err(ConfigError::new("base_url", "has no host"));
        }
        Ok(Home {
            region: Region::at(host),
            base,
        })
    }
}

impl Home {
    /// The hosts the connection may reach.
    pub(super) fn allowed(&self) -> Vec<String> {
        match self.region {
            Some(region) if region.is_discovered() => Region::ALL
                .iter()
                .filter(|region| region.is_discovered())
                .map(|region| region.host().to_owned())
                .collect(),
            _ => self
                .base
                .host_str()
                .map(str::to_owned)
                .into_iter()
                .collect(),
        }
    }

    /// Where a token reply sends us, if it may: `Ok(None)` when it names no other place.
    ///
    /// Only a host we knew before is ever followed, because the next request carries the secret.
    pub(super) fn follow(
        &self,
        asked: &Url,
        location: Option<&str>,
        named: Option<&str>,
    ) -> Result<Option<Url>, String> {
        let Some(_) = self.region else {
            // A gateway's replies still name the vendor's region; that is no reason to go around it.
            let Some(location) = location else {
                return Ok(None);
            };
            let there = asked.join(location).map_err(|_| unreadable(location))?;
            let same = |part: fn(&Url) -> Option<&str>| part(&there) == part(&self.base);
            if !same(Url::host_str) || !same(|url| Some(url.scheme())) {
                return Err(format!(
                    "the token request was sent on to `{}`, which is not the configured host",
                    there.host_str().unwrap_or("?")
                ));
            }
            return Ok(Some(origin(there)).filter(|there| there != asked));
        };
        let found = match (named, location) {
            (Some(name), _) => Region::named(name).ok_or_else(|| {
                format!("the tenant lives in `{name}`, a cloud Quell does not know")
            })?,
            (None, Some(location)) => {
                let there = asked.join(location).map_err(|_| unreadable(location))?;
                let host = there.host_str().unwrap_or("?").to_owned();
                Region::at(&host).ok_or_else(|| {
                    format!("the token request was sent on to `{host}`, which is not CrowdStrike's")
                })?
            }
            (None, None) => return Ok(None),
        };
        let here = asked.host_str().and_then(Region::at);
        if here == Some(found) {
            return Ok(None);
        }
        if !found.is_discovered() || !here.is_some_and(Region::is_discovered) {
            return Err(format!(
                "the tenant lives in `{0}`; set region = \"{0}\"",
                found.as_str()
            ));
        }
        let base = Url::parse(&found.base()).map_err(|_| unreadable(found.host()))?;
        Ok(Some(base))
    }
}

fn origin(mut url: Url) -> Url {
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn unreadable(location: &str) -> String {
    format!("the token request was sent on to `{location}`, which is no address")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(extra: serde_json::Value) -> Config {
        let mut table = json!({ "client_id": "id", "client_secret": "env:X" });
        if let (Some(table), Some(extra)) = (table.as_object_mut(), extra.as_object()) {
            table.extend(extra.clone());
        }
        serde_json::from_value(table).unwrap()
    }

    fn follow(
        home: &Home,
        location: Option<&str>,
        named: Option<&str>,
    ) -> Result<Option<String>, String> {
        let there = home.follow(&home.base, location, named)?;
        Ok(there.map(|url| url.to_string()))
    }

    #[test]
    fn durations_are_written_with_their_unit() {
        let config = config(json!({ "poll": { "interval": "30s", "lookback": "2h" } }));
        assert_eq!(config.poll.pause(), Duration::from_secs(30));
        assert_eq!(config.poll.lookback, SignedDuration::from_hours(2));
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        let key = |extra| {
            let config = config(extra);
            let home = config.home().map(|_| ());
            home.and_then(|()| config.poll.checked().map(|_| ()))
                .unwrap_err()
                .key
        };
        let both = json!({ "region": "us-2", "base_url": "https://falcon.example.com" });
        assert_eq!(key(both), "base_url");
        assert_eq!(
            key(json!({ "base_url": "http://falcon.example.com" })),
            "base_url"
        );
        assert_eq!(
            key(json!({ "poll": { "interval": "10ms" } })),
            "poll.interval"
        );
        assert_eq!(
            key(json!({ "poll": { "page_size": 1001 } })),
            "poll.page_size"
        );
        assert_eq!(
            key(json!({ "poll": { "lookback": "-1m" } })),
            "poll.lookback"
        );
    }

    #[test]
    fn the_commercial_clouds_lead_to_each_other() {
        let home = config(json!({})).home().unwrap();
        let there = Ok(Some("https://api.eu-1.crowdstrike.com/".to_owned()));
        assert_eq!(follow(&home, None, Some("EU-1")), there);
        let location = "https://api.eu-1.crowdstrike.com/oauth2/token";
        assert_eq!(follow(&home, Some(location), None), there);
        assert_eq!(follow(&home, None, Some("us-1")), Ok(None));
        assert_eq!(home.allowed().len(), 4);
    }

    #[test]
    fn a_host_an_answer_made_up_is_never_followed() {
        let home = config(json!({})).home().unwrap();
        for location in [
            "https://api.crowdstrike.com.evil.test/oauth2/token",
            "https://evil.test",
            "//evil.test/oauth2/token",
            "https://api.crowdstrike.com@evil.test/",
        ] {
            assert!(follow(&home, Some(location), None).is_err(), "{location}");
        }
        assert!(follow(&home, None, Some("moon-1")).is_err());
        assert!(follow(&home, None, Some("us-gov-1")).is_err());
        let gateway = config(json!({ "base_url": "https://falcon.example.com" }));
        let gateway = gateway.home().unwrap();
        let elsewhere = Some("https://api.us-2.crowdstrike.com/oauth2/token");
        assert!(follow(&gateway, elsewhere, Some("us-2")).is_err());
        assert!(follow(&gateway, Some("http://falcon.example.com/"), None).is_err());
        assert_eq!(follow(&gateway, None, Some("us-2")), Ok(None));
    }

    #[test]
    fn a_cloud_by_its_url_is_that_cloud() {
        let home = config(json!({ "base_url": "https://api.us-2.crowdstrike.com" }));
        assert_eq!(home.home().unwrap().region, Some(Region::Us2));
    }
}
