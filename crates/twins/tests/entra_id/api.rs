//! A plain HTTP client against a twin of its own.

use std::error::Error;

use quell_twins::entra_id::{CLIENT_ID, CLIENT_SECRET, Config, EntraId, TENANT};
use reqwest::Method;
use serde_json::Value;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A reply, read whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

pub(crate) struct Api {
    pub(crate) twin: EntraId,
    http: reqwest::Client,
    token: String,
}

impl Api {
    /// A twin, and a client that has signed in.
    #[expect(
        clippy::disallowed_methods,
        reason = "the HTTP plane is not there to be used by a twin's own tests"
    )]
    pub(crate) async fn start(config: Config) -> Outcome<Self> {
        // A second call finds the provider installed, which is as good.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let mut api = Self {
            twin: EntraId::start(config).await?,
            http: reqwest::Client::builder().no_proxy().build()?,
            token: String::new(),
        };
        api.sign_in().await?;
        Ok(api)
    }

    pub(crate) async fn sign_in(&mut self) -> Outcome {
        let form = format!(
            "client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
        );
        let url = format!("{}/{TENANT}/oauth2/v2.0/token", self.twin.base_url());
        let reply = self.http.post(url).body(form).send().await?;
        let reply: Value = serde_json::from_str(&reply.text().await?)?;
        let token = reply["access_token"].as_str().ok_or("no token")?;
        self.token = token.to_owned();
        Ok(())
    }

    pub(crate) async fn get(&self, path: &str) -> Outcome<Got> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<Value>) -> Outcome<Got> {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Outcome<Got> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Outcome<Got> {
        let url = format!("{}{path}", self.twin.base_url());
        let request = self
            .http
            .request(method, url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body.map(|body| body.to_string()).unwrap_or_default());
        let reply = request.send().await?;
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let body = serde_json::from_str(&reply.text().await?).unwrap_or_default();
        Ok(Got {
            status,
            headers,
            body,
        })
    }
}
