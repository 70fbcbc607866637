//! Where outbound calls may go: only to the hosts a connection names, and never to addresses that
//! belong to the machine's own link or a cloud's metadata service.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::settings::ConfigError;

/// Hosts a connection may reach. A leading dot means every host below that domain.
#[derive(Debug, Clone)]
pub(super) struct AllowList(Vec<String>);

impl AllowList {
    pub(super) fn new(hosts: Vec<String>) -> Self {
        Self(hosts)
    }

    pub(super) fn permits(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        self.0
            .iter()
            .any(|allowed| match allowed.strip_prefix('.') {
                Some(domain) => host
                    .strip_suffix(domain)
                    .is_some_and(|front| front.ends_with('.') && front.len() > 1),
                None => host.eq_ignore_ascii_case(allowed),
            })
    }
}

/// Checks a base URL from the configuration.
///
/// # Errors
/// Names `key` when the URL is not http(s), carries credentials, or points at a link-local address.
pub(super) fn base_url(key: &str, text: &str) -> Result<Url, ConfigError> {
    let url: Url = text.parse().map_err(|_| {
        ConfigError::new(
            key,
            "is not a URL; write `https://host` or `https://host:port`",
        )
    })?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => false,
        other => {
            return Err(ConfigError::new(
                key,
                format!("`{other}` is not a scheme Quell speaks; use https"),
            ));
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ConfigError::new(
            key,
            "must not contain credentials; use the connection's own keys",
        ));
    }
    let literal = url
        .host_str()
        .and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    if literal.is_some_and(forbidden) {
        return Err(ConfigError::new(
            key,
            "points at a link-local address, which Quell never calls",
        ));
    }
    let local = literal.is_some_and(|ip| ip.is_loopback()) || url.host_str() == Some("localhost");
    if !secure && !local {
        return Err(ConfigError::new(
            key,
            "must use https; plain http is only allowed to this machine itself",
        ));
    }
    Ok(url)
}

/// Addresses no vendor has: link-local (cloud metadata services live there), unspecified, multicast.
fn forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => {
            ip.is_unicast_link_local()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip
                    .to_ipv4_mapped()
                    .is_some_and(|ip| forbidden(IpAddr::V4(ip)))
        }
    }
}

/// Resolves names and drops forbidden addresses, so that a name cannot be made to point at them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let allowed = resolve(name.as_str(), 0).await?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The addresses of `host` that may be called; an error when there are none. For protocols that are
/// not HTTP, so that they obey the same rule.
///
/// # Errors
/// When the name cannot be resolved, or only to addresses that may not be called.
pub async fn resolve(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((host, port)).await?;
    let allowed: Vec<SocketAddr> = found.filter(|address| !forbidden(address.ip())).collect();
    if allowed.is_empty() {
        let problem = format!("`{host}` has no address that may be called");
        return Err(std::io::Error::other(problem));
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_hosts_and_hosts_below_named_domains_are_reached() {
        let list = AllowList::new(vec!["api.example.com".into(), ".vendor.test".into()]);
        let permits = |url: &str| list.permits(&url.parse().unwrap());
        assert!(permits("https://api.example.com/x"));
        assert!(permits("https://eu.vendor.test/x"));
        assert!(!permits("https://vendor.test/x"));
        assert!(!permits("https://evilvendor.test/x"));
        assert!(!permits("https://api.example.com.evil.test/x"));
    }

    #[test]
    fn a_base_url_that_leaks_or_points_inside_is_refused_by_key() {
        for bad in [
            "ftp://api.example.com",
            "https://user:pass@api.example.com",
            "http://api.example.com",
            "http://169.254.169.254/latest",
            "https://[fe80::1]/",
            "https://[::ffff:169.254.169.254]/",
            "not a url",
        ] {
            assert_eq!(
                base_url("base_url", bad).unwrap_err().key,
                "base_url",
                "{bad}"
            );
        }
        assert!(base_url("base_url", "https://api.example.com").is_ok());
        assert!(base_url("base_url", "http://127.0.0.1:8080").is_ok());
    }
}
