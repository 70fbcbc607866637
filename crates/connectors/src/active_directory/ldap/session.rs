//! One connection to one server, one request at a time.
//!
//! `ldap3` panics at some replies that are not what they should be, so it never runs in a task of
//! anybody else's: a panic there is a reply that cannot be read.

use std::io;
use std::os::unix::net::UnixStream;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, Mod, Scope, SearchEntry, SearchOptions,
    StdStream,
};
use quell_model::Secret;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::{Entry, Outcome, bridge, unreadable};

/// Entries asked for at once. Domain controllers give out 1000 at most.
const PAGE: i32 = 500;

/// What to look for.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'a str,
    pub(crate) attributes: &'static [&'static str],
    pub(crate) amount: Amount,
}

/// How many entries are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Amount {
    /// So many. Where one more would change the answer, ask for it too.
    AtMost(i32),
    /// All, page by page.
    All,
}

/// A connection. Whoever gives up on a request drops it: the reply may still come.
pub(crate) struct Session {
    ldap: Ldap,
    /// What moves the bytes: `ldap3`'s driver and the bridge to the server. Both end together.
    movers: JoinSet<io::Result<()>>,
}

impl Session {
    /// Encrypts a fresh connection. Nothing is said before that.
    pub(crate) async fn open(
        tcp: TcpStream,
        tls: &TlsConnector,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Self::over(tls.connect(name, tcp).await?).await
    }

    async fn over(far: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> io::Result<Self> {
        let (near, theirs) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        let near = tokio::net::UnixStream::from_std(near)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
        // With a stream given, nothing but the scheme of the address counts.
        let (driver, ldap) = LdapConnAsync::with_settings(settings, "ldapi://bridge").await?;
        let mut movers = JoinSet::new();
        movers.spawn(bridge::copy(near, far));
        movers.spawn(async {
            driver.drive().await.map_err(|error| match error {
                LdapError::Io { source } if source.kind() != io::ErrorKind::Other => source,
                _ => unreadable(),
            })
        });
        Ok(Self { ldap, movers })
    }

    /// Signs in with name and password.
    pub(crate) async fn bind(&mut self, name: &str, password: &Secret) -> io::Result<Outcome> {
        let (mut ldap, name, password) = (self.ldap.clone(), name.to_owned(), password.clone());
        let bind = async move { ldap.simple_bind(&name, password.expose()).await };
        self.ask(bind).await.map(Outcome::from)
    }

    /// The entries found, and how the search ended. Other servers that may hold more are not asked:
    /// they may be anybody's.
    pub(crate) async fn search(
        &mut self,
        search: &Search<'_>,
    ) -> io::Result<(Vec<Entry>, Outcome)> {
        let Search {
            scope,
            attributes,
            amount,
            ..
        } = *search;
        let (mut ldap, base, filter) = (
            self.ldap.clone(),
            search.base.to_owned(),
            search.filter.to_owned(),
        );
        let work = async move {
            let mut adapters: Vec<Box<dyn Adapter<'_, _, _>>> = vec![Box::new(EntriesOnly::new())];
            match amount {
                Amount::AtMost(most) => {
                    ldap.with_search_options(SearchOptions::new().sizelimit(most));
                }
                Amount::All => adapters.push(Box::new(PagedResults::new(PAGE))),
            }
            let mut found = ldap
                .streaming_search_with(adapters, &base, scope, &filter, attributes)
                .await?;
            let mut entries = Vec::new();
            while let Some(entry) = found.next().await? {
                entries.push(Entry::from(SearchEntry::construct(entry)));
            }
            Ok((entries, Outcome::from(found.finish().await)))
        };
        self.ask(work).await
    }

    /// Replaces the values of one entry's attributes, all at once or not at all. Of the errors,
    /// `NotConnected` alone means that the request never left.
    pub(crate) async fn replace(
        &mut self,
        name: &str,
        values: &[(&str, &[u8])],
    ) -> io::Result<Outcome> {
        let (mut ldap, name) = (self.ldap.clone(), name.to_owned());
        let values = values.iter().map(|(attribute, value)| {
            let only = std::iter::once(value.to_vec()).collect();
            Mod::Replace(attribute.as_bytes().to_vec(), only)
        });
        let values: Vec<_> = values.collect();
        let work = async move { ldap.modify(&name, values).await };
        self.ask(work).await.map(Outcome::from)
    }

    /// Says goodbye. The server needs no more than the closed connection, so failing is no failure.
    pub(crate) async fn close(mut self) {
        if self.ldap.unbind().await.is_ok() {
            drop(self.end().await);
        }
    }

    async fn ask<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = Result<T, LdapError>> + Send + 'static,
    ) -> io::Result<T> {
        // A set of one: the work ends with whoever waits for it.
        let mut alone = JoinSet::new();
        alone.spawn(work);
        match alone.join_next().await {
            Some(Ok(Ok(answer))) => Ok(answer),
            // The driver had gone before it could take the request.
            Some(Ok(Err(LdapError::OpSend { .. }))) => Err(io::ErrorKind::NotConnected.into()),
            Some(Ok(Err(LdapError::ResultRecv { .. } | LdapError::EndOfStream))) => {
                Err(self.end().await)
            }
            Some(Ok(Err(error))) => Err(error.into()),
            Some(Err(_)) | None => Err(unreadable()),
        }
    }

    /// Waits for the connection's end: why it came.
    async fn end(&mut self) -> io::Error {
        let mut why = None;
        while let Some(ended) = self.movers.join_next().await {
            let ended = ended.unwrap_or_else(|_panic| Err(unreadable()));
            why = why.or(ended.err());
        }
        why.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::active_directory::ldap::filter;

    const ANYTHING: Search<'_> = Search {
        base: "",
        scope: Scope::Base,
        filter: filter::ANY,
        attributes: &["1.1"],
        amount: Amount::AtMost(1),
    };

    async fn connected() -> (Session, DuplexStream) {
        let (near, far) = tokio::io::duplex(1 << 16);
        (Session::over(near).await.unwrap(), far)
    }

    /// Answers the first request with these bytes and stays there.
    async fn answer(far: &mut DuplexStream, bytes: &[u8]) {
        assert!(far.read(&mut [0; 1024]).await.unwrap() > 0);
        far.write_all(bytes).await.unwrap();
        std::future::pending::<()>().await;
    }

    async fn searched(bytes: &[u8]) -> io::Result<(Vec<Entry>, Outcome)> {
        let (mut session, mut far) = connected().await;
        tokio::select! {
            answer = session.search(&ANYTHING) => answer,
            () = answer(&mut far, bytes) => unreachable!(),
        }
    }

    #[tokio::test]
    async fn a_change_is_known_not_to_have_left_only_when_the_connection_was_gone_before() {
        let values: [(&str, &[u8]); 1] = [("userAccountControl", b"514")];
        let (mut session, mut far) = connected().await;
        let (change, ()) = tokio::join!(session.replace("CN=bob", &values), async {
            assert!(far.read(&mut [0; 1024]).await.unwrap() > 0);
            drop(far);
        });
        assert_eq!(change.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let change = session.replace("CN=bob", &values).await;
        assert_eq!(change.unwrap_err().kind(), io::ErrorKind::NotConnected);
    }

    #[tokio::test]
    async fn what_makes_the_driver_panic_is_a_reply_that_cannot_be_read() {
        // A message without an id, and one of an operation that does not exist.
        for bytes in [
            [0x30, 0x02, 0x05, 0x00].as_slice(),
            &[0x30, 0x05, 0x02, 0x01, 0x01, 0x7e, 0x00],
        ] {
            let error = searched(bytes).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
    }

    #[tokio::test]
    async fn what_makes_reading_an_entry_panic_is_a_reply_that_cannot_be_read() {
        // An entry with neither name nor attributes, and one whose name is no text.
        for bytes in [
            [0x30, 0x05, 0x02, 0x01, 0x01, 0x64, 0x00].as_slice(),
            &[
                0x30, 0x0a, 0x02, 0x01, 0x01, 0x64, 0x05, 0x04, 0x01, 0xff, 0x30, 0x00,
            ],
        ] {
            let error = searched(bytes).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
    }

    #[tokio::test]
    async fn other_servers_are_ignored() {
        let reference = b"\x30\x0d\x02\x01\x01\x73\x08\x04\x06ldap:/";
        let done = b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00";
        let bytes = [reference.as_slice(), done].concat();
        let (entries, outcome) = searched(&bytes).await.unwrap();
        assert!(entries.is_empty());
        assert_eq!(outcome.code, 0);
    }

    /// A short value made of these parts.
    fn put(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        [
            &[tag, u8::try_from(content.len()).unwrap()],
            content.as_slice(),
        ]
        .concat()
    }

    /// A page that holds one entry, and where the next one begins.
    fn page(id: u8, name: &str, cookie: &str) -> Vec<u8> {
        let id = [0x02, 0x01, id];
        let entry = put(0x64, &[&put(0x04, &[name.as_bytes()]), &[0x30, 0x00]]);
        let next = put(
            0x30,
            &[&[0x02, 0x01, 0x00], &put(0x04, &[cookie.as_bytes()])],
        );
        let kind = put(0x04, &[b"1.2.840.113556.1.4.319"]);
        let control = put(0x30, &[&kind, &put(0x04, &[&next])]);
        let done = b"\x65\x07\x0a\x01\x00\x04\x00\x04\x00";
        let done = put(0x30, &[&id, done, &put(0xa0, &[&control])]);
        [put(0x30, &[&id, &entry]), done].concat()
    }

    #[tokio::test]
    async fn all_are_read_page_by_page() {
        let (mut session, mut far) = connected().await;
        let all = Search {
            amount: Amount::All,
            ..ANYTHING
        };
        let pages = async {
            let mut request = [0; 1024];
            assert!(far.read(&mut request).await.unwrap() > 0);
            far.write_all(&page(1, "CN=a", "more")).await.unwrap();
            let length = far.read(&mut request).await.unwrap();
            assert!(request[..length].ends_with(b"\x04\x04more"));
            far.write_all(&page(2, "CN=b", "")).await.unwrap();
            std::future::pending::<()>().await;
        };
        let (entries, outcome) = tokio::select! {
            answer = session.search(&all) => answer.unwrap(),
            () = pages => unreachable!(),
        };
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["CN=a", "CN=b"]);
        assert_eq!(outcome.code, 0);
    }

    #[tokio::test]
    async fn closing_says_goodbye_and_ends_the_connection() {
        let (session, mut far) = connected().await;
        let mut said = Vec::new();
        let (read, ()) = tokio::join!(far.read_to_end(&mut said), session.close());
        read.unwrap();
        assert_eq!(said, b"\x30\x05\x02\x01\x01\x42\x00");
    }
}
