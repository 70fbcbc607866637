//! The load: alerts over plain keep-alive connections, written by hand so that the generator costs
//! as little as possible on a machine it shares with what it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection that sends alerts one after the other.
pub(crate) struct Sender {
    stream: TcpStream,
    token: &'static str,
    buffer: Vec<u8>,
}

impl Sender {
    pub(crate) async fn connect(address: SocketAddr, token: &'static str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            token,
            buffer: vec![0; 16 << 10],
        }
    }

    /// Sends one alert and waits for its 2xx.
    pub(crate) async fn send(&mut self, body: &str) {
        let request = format!(
            "POST /api/v1/intake/falcon HTTP/1.1\r\nhost: quell\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut filled = 0;
        loop {
            let count = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(count > 0, "the server closed the connection");
            filled += count;
            if let Some(end) = whole(&self.buffer[..filled]) {
                assert_eq!(
                    &self.buffer[9..10],
                    b"2",
                    "{}",
                    String::from_utf8_lossy(&self.buffer[..end])
                );
                return;
            }
        }
    }
}

/// The length of a complete response, once it is complete.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head])
        .unwrap()
        .to_ascii_lowercase();
    let length: usize = text
        .split("content-length:")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next())
        .map_or(0, |length| length.trim().parse().unwrap());
    (bytes.len() >= head + length).then_some(head + length)
}

/// Sends `alerts` over `senders` connections; returns when each has had its 2xx.
pub(crate) async fn send_all(
    address: SocketAddr,
    token: &'static str,
    alerts: Arc<Vec<String>>,
    senders: usize,
) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..senders {
        let (alerts, next) = (alerts.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut sender = Sender::connect(address, token).await;
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(alert) = alerts.get(index) else {
                    return;
                };
                sender.send(alert).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// An alert on a host, without a process or a file: exactly one containment follows from it.
pub(crate) fn alert(host: &str, number: usize) -> String {
    format!(
        r#"{{"composite_id":"0123456789abcdef0123456789abcdef:ind:{host}:{number}","id":"ind:{host}:{number}","cid":"0123456789abcdef0123456789abcdef","product":"epp","type":"ldt","name":"RansomwareBehavior","display_name":"Files are being encrypted","description":"A process rewrote many files with high entropy in a short time.","severity":80,"severity_name":"High","confidence":90,"status":"new","agent_id":"{host}","timestamp":"2026-03-01T10:00:00.000Z","created_timestamp":"2026-03-01T10:00:01.000000000Z","updated_timestamp":"2026-03-01T10:00:01.000000000Z","tactic":"Impact","tactic_id":"TA0040","technique":"Data Encrypted for Impact","technique_id":"T1486","falcon_host_link":"https://falcon.crowdstrike.com/activity-v2/detections/{number}","device":{{"device_id":"{host}","hostname":"WS-{number:05}","platform_name":"Windows","os_version":"Windows 11","product_type_desc":"Workstation","local_ip":"10.0.0.7","external_ip":"203.0.113.7","machine_domain":"corp.example","tags":[],"groups":[]}}}}"#
    )
}
