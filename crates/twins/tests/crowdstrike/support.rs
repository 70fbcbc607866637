//! A plain HTTP client against a twin of its own.

use std::error::Error;
use std::fmt::Write as _;

use quell_twins::crowdstrike::{CLIENT_ID, CLIENT_SECRET, Config, CrowdStrike, Fleet};
use reqwest::Method;
use serde_json::Value;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A reply, read whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The code of the first error and whether there are resources beside it.
    pub(crate) fn error_code(&self) -> Option<u64> {
        self.body["errors"][0]["code"].as_u64()
    }

    pub(crate) fn error_message(&self) -> &str {
        self.body["errors"][0]["message"]
            .as_str()
            .unwrap_or_default()
    }

    pub(crate) fn resources(&self) -> &[Value] {
        self.body["resources"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// One member of every resource.
    pub(crate) fn each(&self, member: &str) -> Vec<&str> {
        self.resources()
            .iter()
            .filter_map(|resource| resource[member].as_str())
            .collect()
    }

    /// Resources that are plain texts.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.resources().iter().filter_map(Value::as_str).collect()
    }
}

pub(crate) struct Api {
    pub(crate) twin: CrowdStrike,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the HTTP plane is not there to be used by a twin's own tests"
)]
pub(crate) fn http_client() -> Outcome<reqwest::Client> {
    // A second call finds the provider installed, which is as good.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    Ok(client.build()?)
}

impl Api {
    /// A twin with a manual clock where everything settles at once, the small fleet, and a client holding a token.
    pub(crate) async fn start() -> Outcome<Self> {
        Self::with(Config::manual().with_fleet(Fleet::small())).await
    }

    pub(crate) async fn with(config: Config) -> Outcome<Self> {
        let twin = CrowdStrike::start(config).await?;
        let mut api = Self {
            twin,
            http: http_client()?,
            token: String::new(),
        };
        api.token = api.login(CLIENT_ID, CLIENT_SECRET).await?;
        api.twin.reset_counters();
        Ok(api)
    }

    pub(crate) async fn login(&self, id: &str, secret: &str) -> Outcome<String> {
        let got = self
            .ask_token(&[("client_id", id), ("client_secret", secret)])
            .await?;
        Ok(got.body["access_token"]
            .as_str()
            .ok_or_else(|| got.text.clone())?
            .to_owned())
    }

    pub(crate) async fn ask_token(&self, form: &[(&str, &str)]) -> Outcome<Got> {
        let url = format!("{}/oauth2/token", self.twin.base_url());
        let request = self
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded");
        read(request.body(encode(form)).send().await?).await
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Outcome<Got> {
        self.call_as(&self.token, method, path, body).await
    }

    pub(crate) async fn call_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Outcome<Got> {
        let url = format!("{}{path}", self.twin.base_url());
        let request = self
            .http
            .request(method, url)
            .header("authorization", format!("Bearer {token}"));
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        };
        read(request.send().await?).await
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Outcome<Got> {
        self.call(Method::GET, &with_query(path, query), None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Outcome<Got> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn contain(&self, aid: &str) -> Outcome<Got> {
        self.post(CONTAIN, serde_json::json!({"ids": [aid]})).await
    }

    pub(crate) async fn lift(&self, aid: &str) -> Outcome<Got> {
        self.post(LIFT, serde_json::json!({"ids": [aid]})).await
    }

    /// Where containment stands, as the device document tells it.
    pub(crate) async fn status(&self, aid: &str) -> Outcome<String> {
        let got = self.get(DEVICES, &[("ids", aid)]).await?;
        Ok(got.resources()[0]["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    pub(crate) fn aid(&self, hostname: &str) -> Outcome<String> {
        Ok(self
            .twin
            .aid_of(hostname)
            .ok_or_else(|| format!("no host {hostname}"))?)
    }
}

pub(crate) const DEVICES: &str = "/devices/entities/devices/v2";
pub(crate) const CONTAIN: &str = "/devices/entities/devices-actions/v2?action_name=contain";
pub(crate) const LIFT: &str = "/devices/entities/devices-actions/v2?action_name=lift_containment";

pub(crate) async fn read(response: reqwest::Response) -> Outcome<Got> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or_default();
    Ok(Got {
        status,
        headers,
        text,
        body,
    })
}

pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", encode(query))
    }
}

fn encode(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                write!(out, "%{byte:02X}").ok();
            }
            out
        })
    };
    let encoded: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    encoded.join("&")
}
