//! The HTTP side that every twin shares: an accept loop of its own, so that a fault can really cut a TCP connection,
//! and plain request and reply values, so that vendor modules never touch the server library.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// No vendor accepts bodies anywhere near this; it only bounds memory.
const LARGEST_REQUEST: usize = 32 << 20;

/// A request, read whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query_text: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn query(&self) -> Query {
        Query::parse(&self.query_text)
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Path and query, as the request line has them.
    pub(crate) fn into_target(self) -> String {
        match self.query_text.as_str() {
            "" => self.path,
            query => format!("{}?{query}", self.path),
        }
    }
}

/// Decoded `name=value` pairs of a query string or a form.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (percent_decode(name), percent_decode(value))
        };
        Self(
            text.split('&')
                .filter(|part| !part.is_empty())
                .map(pair)
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .collect()
    }
}

pub(crate) fn percent_decode(text: &str) -> String {
    let hex = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut ahead = bytes.clone();
                match (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        out.push(high << 4 | low);
                        bytes = ahead;
                    }
                    _ => out.push(b'%'),
                }
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A reply, not yet on the wire.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Empty: the header is left out.
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// The connection breaks after half of the body.
    pub(crate) torn: bool,
}

impl Reply {
    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            body: body.into(),
            torn: false,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    fn into_response(self) -> Response<ReplyBody> {
        let length = self.body.len();
        let first = if self.torn {
            self.body.slice(..length / 2)
        } else {
            self.body
        };
        let body = ReplyBody {
            chunk: (!first.is_empty()).then_some(first),
            torn: self.torn,
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if !self.content_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        if self.status != 204 {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}

/// A reply with this JSON document.
pub(crate) fn encode(status: u16, body: &Value) -> Reply {
    Reply::json(status, body.to_string())
}

/// How a request ends.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Reply),
    /// The connection closes without a reply.
    HangUp,
    /// The connection is reset without a reply.
    Reset,
}

/// What a vendor module gives the server.
pub(crate) trait Service: Send + Sync + 'static {
    fn answer(&self, request: Request) -> impl Future<Output = Answer> + Send;
}

/// A listening twin. Dropping it ends the accept loop and cuts every connection.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Accepts connections from now on.
    pub(crate) fn start<S: Service>(
        listener: TcpListener,
        address: SocketAddr,
        service: Arc<S>,
    ) -> Self {
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            connections.spawn(serve_connection(stream, Arc::clone(&service)));
                        }
                        Err(error) => tracing::warn!(%error, "accept failed"),
                    },
                    Some(_) = connections.join_next(), if !connections.is_empty() => {}
                }
            }
        });
        Self { address, accepting }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Returning this from the service makes the server close the connection without writing anything.
#[derive(Debug, thiserror::Error)]
#[error("connection cut on purpose")]
struct Cut;

async fn serve_connection<S: Service>(stream: TcpStream, service: Arc<S>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let reset = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&reset);
    let handler = service_fn(move |request: http::Request<Incoming>| {
        let (service, flag) = (Arc::clone(&service), Arc::clone(&flag));
        async move {
            let request = read(request).await?;
            match service.answer(request).await {
                Answer::Reply(reply) => Ok(reply.into_response()),
                Answer::HangUp => Err(Cut),
                Answer::Reset => {
                    flag.store(true, Ordering::Release);
                    Err(Cut)
                }
            }
        }
    });
    // The vendors write header names this way, and at least one SDK compares them letter by letter.
    let mut connection = http1::Builder::new()
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), handler);
    if let Err(error) = Pin::new(&mut connection).await {
        tracing::trace!(%error, "connection ended early");
    }
    if reset.load(Ordering::Acquire) {
        let stream = connection.into_parts().io.into_inner();
        // Zero linger turns the close into a reset.
        if let Err(error) = stream.set_zero_linger() {
            tracing::debug!(%error, "no zero linger");
        }
    }
}

async fn read(request: http::Request<Incoming>) -> Result<Request, Cut> {
    let (head, mut incoming) = request.into_parts();
    let mut body = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
        if let Ok(data) = frame.map_err(|_| Cut)?.into_data() {
            if body.len() + data.len() > LARGEST_REQUEST {
                return Err(Cut);
            }
            body.extend_from_slice(&data);
        }
    }
    Ok(Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query_text: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.freeze(),
    })
}

/// One chunk, then either the end or, when torn, an error that breaks the connection.
#[derive(Debug)]
struct ReplyBody {
    chunk: Option<Bytes>,
    torn: bool,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Poll::Ready(match self.chunk.take() {
            Some(chunk) => Some(Ok(Frame::data(chunk))),
            None if self.torn => Some(Err(Cut)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.chunk.is_none() && !self.torn
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.chunk, self.torn) {
            (_, true) => SizeHint::default(),
            (chunk, false) => SizeHint::with_exact(chunk.as_ref().map_or(0, |c| c.len() as u64)),
        }
    }
}
