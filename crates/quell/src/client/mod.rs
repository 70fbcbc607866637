//! The commands that ask a running server, over its HTTP API like any other program. Owns how a
//! request is made and how a refusal is explained; each command has a file of its own.

pub mod actions;
pub mod answer;
pub mod connections;
pub mod find;
pub mod lists;
pub mod opt_in;
pub mod orders;
pub mod password;
pub mod show;

use std::time::Duration;

use quell_connector::http::{Plane, Url};
use quell_model::Secret;
use quell_server::api::Problem;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{Failure, Result};
use crate::secrets;

/// Where the server is.
#[derive(Debug, Clone, clap::Args)]
pub struct Where {
    /// The server's address. Who asks is in QUELL_TOKEN, which is never an argument: others on the
    /// machine can read those.
    #[arg(
        long,
        env = "QUELL_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:7835",
        hide_env_values = true
    )]
    url: String,
}

/// A way to the server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret>,
}

impl Where {
    /// A client for it, with the token from the environment.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn client(&self) -> Result<Client> {
        let token = secrets::variable("QUELL_TOKEN").filter(|token| !token.is_empty());
        Client::new(&self.url, token.map(Secret::new))
    }
}

impl Client {
    /// A client for the server at `url`.
    ///
    /// # Errors
    /// When the address cannot be used. A token only leaves this machine encrypted.
    #[expect(
        clippy::disallowed_methods,
        reason = "the plane is for vendors; this asks our own server and never retries an order"
    )]
    pub fn new(url: &str, token: Option<Secret>) -> Result<Self> {
        let base = Plane::base_url("QUELL_URL", url).map_err(|error| {
            Failure::bad_input(format!("`{url}` cannot be asked: it {}", error.problem))
        })?;
        // Whoever was first to install a provider installed the same.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(120))
            .no_proxy()
            .build()
            .map_err(|error| Failure::failed("no HTTP client can be made").because(&error))?;
        Ok(Self { http, base, token })
    }

    /// Reads.
    ///
    /// # Errors
    /// When the server does not answer or refuses.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    /// Orders.
    ///
    /// # Errors
    /// When the server does not answer or refuses.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Takes something away.
    ///
    /// # Errors
    /// When the server does not answer or refuses.
    pub async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.ask(Method::DELETE, path, Some(body)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T> {
        let url = self
            .base
            .join(path)
            .map_err(|_| Failure::bad_input(format!("`{path}` is not a path of the API")))?;
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            let text = serde_json::to_vec(body).map_err(|error| {
                Failure::failed("the request cannot be written").because(&error)
            })?;
            request = request
                .header("content-type", "application/json")
                .body(text);
        }
        let reply = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = reply.status();
        let body = reply
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if !status.is_success() {
            return Err(self.refused(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| {
            Failure::failed(format!(
                "{} answered something else than a Quell server does",
                self.base
            ))
            .because(&error)
            .hint("is QUELL_URL right, and is the server of the same version?")
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let base = self.base.as_str().trim_end_matches('/');
        if error.is_connect() {
            Failure::failed(format!("no Quell server answers at {base}")).hint(
                "start one with `quell serve` or `quell demo`, or say where it is with QUELL_URL",
            )
        } else if error.is_timeout() {
            Failure::failed(format!("the server at {base} did not answer in time"))
        } else {
            Failure::failed(format!("the connection to {base} broke"))
                .hint("look at the action again before repeating an order: it may have arrived")
        }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
            return Failure::failed(format!("{} answered {status}", self.base))
                .hint("is QUELL_URL the address of a Quell server?");
        };
        let message = quell_model::text::line(&problem.message);
        let problems = problem.problems.into_iter().map(Into::into).collect();
        let failure = match status.as_u16() {
            400 | 422 => Failure::bad_input(message),
            _ => Failure::failed(message),
        };
        let failure = failure
            .problems_at(problems)
            .with("reason", problem.code)
            .with("status", status.as_u16());
        match (status, &self.token) {
            (StatusCode::UNAUTHORIZED, None) => failure.hint("set QUELL_TOKEN to your token"),
            (StatusCode::UNAUTHORIZED, Some(_)) => {
                failure.hint("QUELL_TOKEN is not a token of this server")
            }
            (StatusCode::FORBIDDEN, _) => {
                failure.hint("ask an administrator for a role that may do this")
            }
            _ => failure,
        }
    }
}

/// Runs a command that waits for the network.
pub(crate) fn wait<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("no runtime can be started").because(&error))?
        .block_on(work)
}
