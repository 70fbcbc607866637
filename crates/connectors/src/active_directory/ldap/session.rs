//! One connection to one server, one request at a time.

use std::io;

use quell_model::Secret;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ber;
use super::message::{Entry, Outcome, Reply, Request, Search, decode};

/// Largest reply that is read. One entry with the attributes Quell asks for takes a few kilobytes.
const LARGEST: usize = 4 << 20;

/// A connection. Whoever gives up on a request drops it: a reply that comes later would be taken for
/// the next one's.
pub(crate) struct Session {
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
    last: i32,
}

impl Session {
    /// Encrypts a fresh connection. Nothing is said before that.
    pub(crate) async fn open(
        tcp: TcpStream,
        tls: &TlsConnector,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self {
            stream: tls.connect(name, tcp).await?,
            unread: Vec::new(),
            last: 0,
        })
    }

    /// Signs in with name and password.
    pub(crate) async fn bind(&mut self, name: &str, password: &Secret) -> io::Result<Outcome> {
        let password = password.expose();
        self.ask(&Request::Bind { name, password })
            .await
            .map(|(_, outcome)| outcome)
    }

    /// The entries found, and how the search ended.
    pub(crate) async fn search(
        &mut self,
        search: &Search<'_>,
    ) -> io::Result<(Vec<Entry>, Outcome)> {
        self.ask(&Request::Search(search)).await
    }

    /// Replaces the values of one entry's attributes, all at once or not at all.
    pub(crate) async fn replace(
        &mut self,
        name: &str,
        values: &[(&str, &[u8])],
    ) -> io::Result<Outcome> {
        self.ask(&Request::Replace { name, values })
            .await
            .map(|(_, outcome)| outcome)
    }

    /// Says goodbye. The server needs no more than the closed connection, so failing is no failure.
    pub(crate) async fn close(mut self) {
        let goodbye = Request::Unbind.encode(self.last.wrapping_add(1));
        if self.stream.write_all(&goodbye).await.is_ok() {
            drop(self.stream.shutdown().await);
        }
    }

    async fn ask(&mut self, request: &Request<'_>) -> io::Result<(Vec<Entry>, Outcome)> {
        self.last = self.last.checked_add(1).unwrap_or(1);
        self.stream.write_all(&request.encode(self.last)).await?;
        self.stream.flush().await?;
        let mut entries = Vec::new();
        loop {
            match self.reply().await? {
                Reply::Entry(entry) => entries.push(entry),
                Reply::Done(outcome) => return Ok((entries, outcome)),
                Reply::Elsewhere => {}
                Reply::Other => return Err(unreadable()),
            }
        }
    }

    /// The next reply to the last request.
    async fn reply(&mut self) -> io::Result<Reply> {
        let message = self.message().await?;
        match decode(&message) {
            Some((id, reply)) if id == i64::from(self.last) => Ok(reply),
            // Id 0 is the server's notice that it is about to close the connection.
            Some((0, _)) => Err(io::ErrorKind::ConnectionAborted.into()),
            _ => Err(unreadable()),
        }
    }

    async fn message(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match ber::extent(&self.unread) {
                Some(extent) if extent > LARGEST => return Err(unreadable()),
                Some(extent) if extent <= self.unread.len() => {
                    let rest = self.unread.split_off(extent);
                    return Ok(std::mem::replace(&mut self.unread, rest));
                }
                _ if !ber::plausible(&self.unread) => return Err(unreadable()),
                _ => {}
            }
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn unreadable() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "what the server says is not LDAP",
    )
}
