//! Requests that carry a proof of their own: made for one request as it leaves, good for no other.
//!
//! Owns when a proof is made and what it may cover. How it is made is the vendor's; credentials that
//! are the same for many requests are [`super::Grant`]'s.

use ::http::HeaderName;
use ::http::header::HeaderValue;
use ::http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use quell_model::Secret;
use reqwest::Url;

use super::request::{Reply, Request};
use crate::error::{Error, Kind, Result};

/// Makes the headers that prove one request: a keyed hash over it (Duo, AWS), a signed statement
/// about it (`DPoP`). Every attempt is proved anew, so a repeated request is not taken for a replay.
pub trait Sign: Send + Sync {
    /// The headers to add to `unsigned`, or why it cannot be signed. A header that is already there
    /// is replaced.
    fn headers(&self, unsigned: &Unsigned<'_>) -> Result<Vec<(HeaderName, Secret)>, String>;

    /// Learns from a refusal, a 400 or 401, what a proof has to contain (the server's nonce). `true`
    /// sends the same request once more, signed anew; the vendor has not acted on the first.
    fn learn(&self, refusal: &Reply) -> bool {
        let _ = refusal;
        false
    }
}

/// A request as it will leave.
#[derive(Debug)]
pub struct Unsigned<'a> {
    /// Now, on the clock the call runs on.
    pub now: Timestamp,
    /// Method.
    pub method: &'a Method,
    /// The whole address, the query included exactly as it is sent.
    pub url: &'a Url,
    /// Headers so far: content type, agent, and the credentials if the request carries some.
    pub headers: &'a HeaderMap,
    /// Body; empty when there is none.
    pub body: &'a [u8],
}

/// Adds the proof to `headers`.
pub(super) fn prove(
    signer: &dyn Sign,
    now: Timestamp,
    request: &Request,
    url: &Url,
    body: &[u8],
    headers: &mut HeaderMap,
) -> Result<()> {
    let unsigned = Unsigned {
        now,
        method: &request.method,
        url,
        headers,
        body,
    };
    let refuse = |problem: &str| Error::new(Kind::ConfigInvalid, request.operation, problem);
    let proof = signer
        .headers(&unsigned)
        .map_err(|problem| refuse(&problem))?;
    for (name, secret) in proof {
        let mut value = HeaderValue::from_str(secret.expose())
            .map_err(|_| refuse("the signature has a character no header may have"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(())
}

/// Whether the reply makes the same request worth signing anew.
pub(super) fn again(signer: &dyn Sign, reply: &Reply) -> bool {
    let refused = matches!(
        reply.status,
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED
    );
    refused && signer.learn(reply)
}

// Apart, because lints know tests by the first alone.
#[cfg(test)]
#[cfg(feature = "testing")]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use quell_model::Clock;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::super::{Authenticate, Body, Dialect, Exchange, Grant, Plane, Quota, Repeat};
    use super::*;
    use crate::clock::SimClock;
    use crate::settings::{HttpSettings, SecretRef};
    use crate::{BoxFuture, Call, Plumbing, SecretSource, call};

    /// A vendor that gives these answers one after another, and what it was sent.
    pub(in crate::http) struct Vendor {
        base: Url,
        sent: tokio::task::JoinHandle<Vec<Vec<String>>>,
    }

    impl Vendor {
        pub(in crate::http) async fn answering(answers: &'static [&'static str]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            let sent = tokio::spawn(async move {
                let mut sent = Vec::new();
                for answer in answers {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut lines = Vec::new();
                    let mut reader = BufReader::new(&mut stream);
                    loop {
                        let mut line = String::new();
                        reader.read_line(&mut line).await.unwrap();
                        match line.trim_end() {
                            "" => break,
                            line => lines.push(line.to_owned()),
                        }
                    }
                    let length =
                        |line: &String| line.strip_prefix("content-length: ")?.parse().ok();
                    let mut body = vec![0; lines.iter().find_map(length).unwrap_or(0)];
                    reader.read_exact(&mut body).await.unwrap();
                    let answer = format!(
                        "HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    sent.push(lines);
                }
                sent
            });
            Self {
                base: base.parse().unwrap(),
                sent,
            }
        }

        /// The values of a header, request by request.
        pub(in crate::http) async fn saw(self, name: &str) -> Vec<Vec<String>> {
            let name = format!("{name}: ");
            let values = |lines: Vec<String>| {
                let value = |line: &String| Some(line.strip_prefix(&name)?.to_owned());
                lines.iter().filter_map(value).collect()
            };
            self.sent.await.unwrap().into_iter().map(values).collect()
        }
    }

    /// Writes what it was given to sign into a header, with the last nonce it was told.
    #[derive(Default)]
    pub(in crate::http) struct Witness {
        nonce: Mutex<String>,
        refuses: bool,
    }

    impl Sign for Witness {
        fn headers(&self, unsigned: &Unsigned<'_>) -> Result<Vec<(HeaderName, Secret)>, String> {
            if self.refuses {
                return Err("the key cannot sign".to_owned());
            }
            let proof = format!(
                "{} {} {} {:?} {}",
                unsigned.now.as_second(),
                unsigned.method,
                unsigned.url.query().unwrap_or_default(),
                std::str::from_utf8(unsigned.body).unwrap(),
                self.nonce.lock().unwrap(),
            );
            let credential = unsigned.headers.get("authorization");
            let credential = credential.map_or("none", |value| value.to_str().unwrap());
            Ok(vec![
                (HeaderName::from_static("x-proof"), Secret::new(proof)),
                (
                    HeaderName::from_static("authorization"),
                    Secret::new(format!("signed {credential}")),
                ),
            ])
        }

        fn learn(&self, refusal: &Reply) -> bool {
            let told = refusal.header("x-nonce").map(str::to_owned);
            told.is_some_and(|told| {
                std::mem::replace(&mut *self.nonce.lock().unwrap(), told.clone()) != told
            })
        }
    }

    struct Keys(Url, Arc<Witness>);

    impl Authenticate for Keys {
        fn authenticate<'a>(
            &'a self,
            cx: &'a Call,
            _: &'a Exchange,
        ) -> BoxFuture<'a, crate::Result<Grant>> {
            let grant = Grant {
                base: self.0.clone(),
                authorization: Some(Secret::new("token".to_owned())),
                refresh_at: call::later(cx.clock().now(), Duration::from_secs(3600)),
            };
            Box::pin(async { Ok(grant) })
        }

        fn signer(&self) -> Option<Arc<dyn Sign>> {
            Some(self.1.clone())
        }
    }

    struct NoSecrets;

    impl SecretSource for NoSecrets {
        fn resolve(&self, _: &SecretRef) -> Result<Secret, String> {
            Err("there are none".to_owned())
        }
    }

    pub(in crate::http) fn plane(vendor: &Vendor, witness: Witness) -> (Plane, Call) {
        let clock: Arc<dyn Clock> = Arc::new(SimClock::at(Timestamp::from_second(1000).unwrap()));
        let plumbing = Plumbing {
            connection: "vendor".parse().unwrap(),
            clock: clock.clone(),
            secrets: Arc::new(NoSecrets),
        };
        let dialect = Dialect {
            request_id: "x-request-id",
            retry_after: |_, _| Some(Duration::from_secs(7)),
            complaint: |_| None,
            quotas: &[Quota {
                bucket: "default",
                per_minute: 600,
                burst: 10,
            }],
            concurrency: 1,
        };
        let keys = Keys(vendor.base.clone(), Arc::new(witness));
        let hosts = vec!["127.0.0.1".to_owned()];
        let settings = HttpSettings::default();
        let plane = Plane::new(&plumbing, &settings, dialect, hosts, Box::new(keys)).unwrap();
        (plane, Call::new(clock, Duration::from_secs(30), "test"))
    }

    fn request(repeat: Repeat) -> Request {
        let body = Body::Json("{}".into());
        Request::new("test", Method::POST, "/a", body, repeat).query("q", "a b")
    }

    #[tokio::test]
    async fn each_attempt_is_signed_anew_over_what_really_leaves() {
        let vendor = Vendor::answering(&["429 Slow", "200 OK"]).await;
        let (plane, cx) = plane(&vendor, Witness::default());
        plane.send(&cx, request(Repeat::Once)).await.unwrap();
        let proofs = vendor.saw("x-proof").await;
        let expected = [r#"1000 POST q=a%20b "{}""#, r#"1007 POST q=a%20b "{}""#];
        assert_eq!(proofs, expected.map(|proof| [proof]));
    }

    #[tokio::test]
    async fn a_request_carries_the_headers_it_was_given() {
        let vendor = Vendor::answering(&["200 OK"]).await;
        let (plane, cx) = plane(&vendor, Witness::default());
        let name = HeaderName::from_static("x-version");
        let request = request(Repeat::Read).header(name, HeaderValue::from_static("7"));
        plane.send(&cx, request).await.unwrap();
        assert_eq!(vendor.saw("x-version").await, [["7"]]);
    }

    #[tokio::test]
    async fn a_proof_covers_the_credential_and_takes_the_place_of_a_header_of_its_name() {
        let vendor = Vendor::answering(&["200 OK"]).await;
        let (plane, cx) = plane(&vendor, Witness::default());
        plane.send(&cx, request(Repeat::Read)).await.unwrap();
        assert_eq!(vendor.saw("authorization").await, [["signed token"]]);
    }

    #[tokio::test]
    async fn a_refusal_that_says_how_to_sign_is_answered_once() {
        let vendor = Vendor::answering(&["400 No\r\nx-nonce: n1", "200 OK"]).await;
        let (plane, cx) = plane(&vendor, Witness::default());
        plane.send(&cx, request(Repeat::Once)).await.unwrap();
        let proofs = vendor.saw("x-proof").await;
        let expected = [r#"1000 POST q=a%20b "{}""#, r#"1000 POST q=a%20b "{}" n1"#];
        assert_eq!(proofs, expected.map(|proof| [proof]));

        let vendor = Vendor::answering(&["400 No\r\nx-nonce: n1", "400 No\r\nx-nonce: n2"]).await;
        let (plane, cx) = self::plane(&vendor, Witness::default());
        let error = plane.send(&cx, request(Repeat::Once)).await.unwrap_err();
        assert_eq!(error.kind, Kind::VendorRejected);
        assert_eq!(vendor.saw("x-proof").await.len(), 2);
    }

    #[tokio::test]
    async fn what_cannot_be_signed_does_not_leave() {
        let vendor = Vendor::answering(&["200 OK"]).await;
        let witness = Witness {
            refuses: true,
            ..Witness::default()
        };
        let (plane, cx) = plane(&vendor, witness);
        let error = plane.send(&cx, request(Repeat::Once)).await.unwrap_err();
        assert_eq!(error.to_string(), "test: the key cannot sign");
        assert!(!vendor.sent.is_finished());
    }
}
