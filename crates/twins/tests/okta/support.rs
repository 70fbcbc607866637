//! A plain HTTP client against a twin of its own, with an administrator's API token.

use std::error::Error;

use quell_twins::okta::{API_TOKEN, Config, Okta, UserSpec};
use reqwest::Method;
use serde_json::Value;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A user every twin of these tests has.
pub(crate) const MARA: &str = "mara.lind@acme.example";

/// A reply, read whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Got {
    pub(crate) fn code(&self) -> &str {
        self.body["errorCode"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The address of the next page.
    pub(crate) fn next(&self) -> Option<String> {
        let links = self.headers.get_all("link").iter();
        let link = links
            .filter_map(|link| link.to_str().ok())
            .find(|link| link.contains("\"next\""))?;
        Some(link.strip_prefix('<')?.split_once('>')?.0.to_owned())
    }

    /// One member of every item.
    pub(crate) fn each(&self, member: &str) -> Vec<&str> {
        let items = self.body.as_array().into_iter().flatten();
        items.filter_map(|item| item[member].as_str()).collect()
    }
}

pub(crate) struct Api {
    pub(crate) twin: Okta,
    pub(crate) id: String,
    http: reqwest::Client,
    pub(crate) authorization: String,
}

impl Api {
    #[expect(
        clippy::disallowed_methods,
        reason = "the HTTP plane is not there to be used by a twin's own tests"
    )]
    pub(crate) async fn start(config: Config) -> Outcome<Self> {
        // A second call finds the provider installed, which is as good.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let twin = Okta::start(config.with(UserSpec::active(MARA))).await?;
        Ok(Self {
            id: twin.id_of(MARA).ok_or("there is no such user")?,
            twin,
            http: reqwest::Client::builder().no_proxy().build()?,
            authorization: format!("SSWS {API_TOKEN}"),
        })
    }

    pub(crate) async fn manual() -> Outcome<Self> {
        Self::start(Config::manual()).await
    }

    /// `path` may be a whole address.
    pub(crate) async fn send(&self, method: Method, path: &str) -> Outcome<Got> {
        let url = match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}{path}", self.twin.base_url()),
        };
        let request = self
            .http
            .request(method, url)
            .header("authorization", &self.authorization);
        let reply = request.send().await?;
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let text = reply.text().await?;
        Ok(Got {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Outcome<Got> {
        self.send(Method::GET, path).await
    }

    /// A call about the usual user.
    pub(crate) async fn change(&self, method: Method, after: &str) -> Outcome<Got> {
        self.send(method, &format!("/api/v1/users/{}{after}", self.id))
            .await
    }

    pub(crate) async fn status(&self) -> Outcome<String> {
        let got = self.change(Method::GET, "").await?;
        Ok(got.body["status"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn token(&self, form: &str) -> Outcome<Got> {
        let url = format!("{}/oauth2/v1/token", self.twin.base_url());
        let request = self
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded");
        let reply = request.body(form.to_owned()).send().await?;
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let text = reply.text().await?;
        Ok(Got {
            status,
            headers,
            body: serde_json::from_str(&text)?,
            text,
        })
    }
}
