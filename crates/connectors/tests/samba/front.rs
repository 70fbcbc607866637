//! A door in front of a domain controller where things go wrong on demand. It speaks TLS to both
//! sides and passes messages on, and knows of each only what kind it is.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{PORT, Samba};

const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const MODIFY: u8 = 0x66;

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is answered with this result and words, and not passed on.
    Answer(u8, &'static str),
    /// It is not passed on, and the connection ends.
    Swallow,
    /// It is passed on, and the connection ends before the reply.
    LoseReply,
    /// It is never answered.
    Silence,
    /// It is answered with something that is not LDAP.
    Nonsense,
}

/// What all doors of a test share.
#[derive(Default)]
pub(crate) struct Script {
    next: VecDeque<(u8, Fault)>,
    binds: u64,
    changes: u64,
}

/// A door. It closes when it is dropped.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    doors: Vec<JoinHandle<()>>,
}

impl Front {
    /// Opens a door to `samba`.
    pub(crate) async fn open(samba: &Samba) -> Self {
        let listener = TcpListener::bind((samba.address, 0)).await.unwrap();
        let mut front = Self {
            address: listener.local_addr().unwrap(),
            script: Arc::default(),
            doors: Vec::new(),
        };
        front.serve(samba, listener);
        front
    }

    /// Opens a second door on an address of this machine. What goes wrong does so at either.
    pub(crate) async fn another(&mut self, samba: &Samba, at: IpAddr) -> SocketAddr {
        let listener = TcpListener::bind((at, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        self.serve(samba, listener);
        address
    }

    /// The next change goes wrong like this.
    pub(crate) fn fail_change(&self, fault: Fault) {
        self.script().next.push_back((MODIFY, fault));
    }

    /// The next search goes wrong like this.
    pub(crate) fn fail_search(&self, fault: Fault) {
        self.script().next.push_back((SEARCH, fault));
    }

    /// What is still to go wrong.
    pub(crate) fn faults(&self) -> usize {
        self.script().next.len()
    }

    /// How often somebody tried to sign in.
    pub(crate) fn binds(&self) -> u64 {
        self.script().binds
    }

    /// How many changes the domain controller made.
    pub(crate) fn changes(&self) -> u64 {
        self.script().changes
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&mut self, samba: &Samba, listener: TcpListener) {
        let (acceptor, connector) = (acceptor(samba), connector(samba));
        let (behind, script) = (SocketAddr::new(samba.address, PORT), self.script.clone());
        self.doors.push(tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, connector) = (acceptor.clone(), connector.clone());
                let script = script.clone();
                // A connection that ends is no news.
                tokio::spawn(async move {
                    drop(conversation(tcp, behind, acceptor, connector, script).await);
                });
            }
        }));
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.doors.iter().for_each(JoinHandle::abort);
    }
}

async fn conversation(
    tcp: TcpStream,
    behind: SocketAddr,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    script: Arc<Mutex<Script>>,
) -> io::Result<()> {
    let mut client = acceptor.accept(tcp).await?;
    let server = TcpStream::connect(behind).await?;
    let name = ServerName::from(behind.ip());
    let mut server = connector.connect(name, server).await?;
    loop {
        let request = message(&mut client).await?;
        let kind = kind(&request).unwrap_or_default();
        let fault = {
            let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
            script.binds += u64::from(kind == BIND);
            let due = script
                .next
                .front()
                .is_some_and(|(wanted, _)| *wanted == kind);
            if due { script.next.pop_front() } else { None }
        };
        match fault.map(|(_, fault)| fault) {
            Some(Fault::Answer(code, words)) => {
                client
                    .write_all(&answer(&request, kind + 1, code, words))
                    .await?;
                client.flush().await?;
                continue;
            }
            Some(Fault::Swallow) => return Ok(()),
            Some(Fault::Silence) => return std::future::pending().await,
            Some(Fault::Nonsense) => {
                client
                    .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    .await?;
                return client.shutdown().await;
            }
            Some(Fault::LoseReply) => {
                server.write_all(&request).await?;
                server.flush().await?;
                let reply = message(&mut server).await?;
                count(&script, &reply);
                return Ok(());
            }
            None => {}
        }
        server.write_all(&request).await?;
        server.flush().await?;
        loop {
            let reply = message(&mut server).await?;
            count(&script, &reply);
            client.write_all(&reply).await?;
            client.flush().await?;
            // Entries and references are followed by more.
            if !matches!(self::kind(&reply), Some(0x64 | 0x73)) {
                break;
            }
        }
    }
}

fn count(script: &Mutex<Script>, reply: &[u8]) {
    let succeeded = || content(reply)?.get(2).map(|code| *code == 0);
    if kind(reply) == Some(MODIFY + 1) && succeeded() == Some(true) {
        script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .changes += 1;
    }
}

/// One whole message.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 2];
    from.read_exact(&mut bytes).await?;
    let mut length = usize::from(bytes[1]);
    if length >= 0x80 {
        let mut digits = vec![0; length - 0x80];
        from.read_exact(&mut digits).await?;
        length = digits
            .iter()
            .fold(0, |all, digit| all << 8 | usize::from(*digit));
        bytes.extend(digits);
    }
    let start = bytes.len();
    bytes.resize(start + length, 0);
    from.read_exact(&mut bytes[start..]).await?;
    Ok(bytes)
}

/// Where a value's content begins.
fn start(value: &[u8]) -> Option<usize> {
    let length = usize::from(*value.get(1)?);
    Some(if length < 0x80 { 2 } else { 2 + length - 0x80 })
}

/// What follows the message's id.
fn operation(message: &[u8]) -> Option<&[u8]> {
    let inner = message.get(start(message)?..)?;
    let digits = match *inner.get(1)? {
        short @ 0..0x80 => usize::from(short),
        _ => inner
            .get(2..start(inner)?)?
            .iter()
            .fold(0, |all, digit| all << 8 | usize::from(*digit)),
    };
    inner.get(start(inner)? + digits..)
}

fn kind(message: &[u8]) -> Option<u8> {
    operation(message)?.first().copied()
}

fn content(message: &[u8]) -> Option<&[u8]> {
    let operation = operation(message)?;
    operation.get(start(operation)?..)
}

/// A result for `request`.
fn answer(request: &[u8], kind: u8, code: u8, words: &str) -> Vec<u8> {
    let short = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap();
        [&[tag, length], content].concat()
    };
    let inner = request.get(start(request).unwrap()..).unwrap();
    let id = inner.strip_suffix(operation(request).unwrap()).unwrap();
    let result = [
        short(0x0a, &[code]),
        short(0x04, &[]),
        short(0x04, words.as_bytes()),
    ]
    .concat();
    short(0x30, &[id, &short(kind, &result)].concat())
}

fn acceptor(samba: &Samba) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(samba.certificate()).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(samba.key()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn connector(samba: &Samba) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(samba.authority()).unwrap() {
        roots.add(authority.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
