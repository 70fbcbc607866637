//! What every twin has, whatever its vendor: a clock, made-up ids, armed faults and a log of requests around what the
//! vendor keeps, and the handle that tests hold.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::faults::{Fault, FaultBook, FaultRule};
use crate::http::Server;
use crate::ids::Ids;
use crate::requests::{RequestLog, RequestRecord};
use crate::service::{Service, Simulate};
use crate::{Endpoint, Error};

/// A vendor that is simulated: a type that holds what the vendor keeps.
pub trait Vendor: Debug + Send + Sync + 'static {
    /// What its requests are for.
    type Endpoint: Endpoint;

    /// What stands between a twin's address and the paths that its clients add.
    const API_PATH: &'static str = "";
}

/// Everything a request can reach.
#[derive(Debug)]
pub(crate) struct Shared<V: Vendor> {
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) faults: FaultBook<V::Endpoint>,
    pub(crate) log: RequestLog,
    pub(crate) vendor: V,
    address: OnceLock<SocketAddr>,
}

impl<V: Vendor> Shared<V> {
    /// Without a `seed`, ids are drawn from the clock.
    pub(crate) fn new(clock: Clock, seed: Option<u64>, request_log: usize, vendor: V) -> Self {
        let seed = seed.unwrap_or_else(|| u64::from_ne_bytes(clock.now_ns().to_ne_bytes()));
        Self {
            clock,
            ids: Ids::seeded(seed),
            faults: FaultBook::default(),
            log: RequestLog::new(request_log, V::Endpoint::ALL.len()),
            vendor,
            address: OnceLock::new(),
        }
    }

    /// Where the twin is reached; empty before it listens.
    pub(crate) fn origin(&self) -> String {
        let address = self.address.get();
        address.map_or_else(String::new, |address| format!("http://{address}"))
    }

    /// How many requests each endpoint received, by name.
    pub(crate) fn counters(&self) -> Value {
        let counts = V::Endpoint::ALL.iter().map(|endpoint| {
            let count = self.log.counted(endpoint.index());
            (endpoint.name().to_owned(), count.into())
        });
        Value::Object(counts.collect::<Map<_, _>>())
    }
}

/// A running twin. Dropping it stops the server and cuts its connections.
#[derive(Debug)]
pub struct Twin<V: Vendor> {
    pub(crate) shared: Arc<Shared<V>>,
    server: Server,
}

impl<V: Vendor> Twin<V> {
    /// Serves what `shared` holds, on the current Tokio runtime.
    pub(crate) async fn serve(listen: SocketAddr, shared: Shared<V>) -> Result<Self, Error>
    where
        V: Simulate,
    {
        let failed = |source| Error::Listen {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(shared);
        // Set before anything is served, or a first reply could have links without a host.
        shared.address.get_or_init(|| address);
        let service = Arc::new(Service(Arc::clone(&shared)));
        let server = Server::start(listener, address, service);
        Ok(Self { shared, server })
    }

    /// What a client takes for the vendor's base URL, for example `http://127.0.0.1:40123`.
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.address(), V::API_PATH)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    // Time.

    /// The twin's present.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Moves the twin's clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    // Faults and what came in.

    /// Arms a fault.
    pub fn inject(&self, rule: FaultRule<V::Endpoint>) {
        self.shared.faults.arm(rule);
    }

    /// Arms a fault for the next request to one endpoint.
    pub fn fail_next(&self, endpoint: V::Endpoint, fault: Fault) {
        self.inject(FaultRule::next(endpoint, fault));
    }

    /// Disarms every fault.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Faults that have not struck yet.
    pub fn pending_faults(&self) -> Vec<FaultRule<V::Endpoint>> {
        self.shared.faults.pending()
    }

    /// How many requests an endpoint received.
    pub fn count(&self, endpoint: V::Endpoint) -> u64 {
        self.shared.log.counted(endpoint.index())
    }

    /// The most recent requests, oldest first, as far as the listing reaches.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.log.records()
    }
}
