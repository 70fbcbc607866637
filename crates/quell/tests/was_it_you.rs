//! "Was this you?" from the alert to what follows from the answer: the real server, an independent identity
//! provider with a person at its pages, and the letter as a mail server gets it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test where they stand"
)]

#[path = "../../connectors/tests/oidc/peer.rs"]
mod peer;
mod program;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use peer::Peer;
use program::Folder;
use quell::config::Document;
use quell::serve::Running;
use quell_connector::SystemClock;
use quell_model::Clock;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const CONFIG: &str = r#"
[organization]
id = "acme"
[policy]
directory = "policy"
[ask_user]
sign_in = "login"
tell_by = "mail"
public_url = "https://quell.example.com"
[[connections]]
id = "falcon"
connector = "crowdstrike"
[connections.settings]
base_url = "http://127.0.0.1:9"
client_id = "0123456789abcdef0123456789abcdef"
client_secret = "file:secret"
[connections.settings.poll]
enabled = false
[[connections]]
id = "mail"
connector = "smtp"
[connections.settings]
host = "127.0.0.1"
port = MAIL
tls = "none"
from = "quell@example.com"
to = ["soc@example.com"]
[[connections]]
id = "login"
connector = "oidc"
[connections.settings]
issuer = "ISSUER"
client_id = "quell"
client_secret = "file:secret"
"#;

#[tokio::test]
async fn a_person_who_says_no_raises_an_alert_of_their_own() {
    let mut peer = Peer::start().await;
    let mail = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mail.local_addr().unwrap().port().to_string();
    let folder = Folder::new("was-it-you");
    folder.file("policy/policy.toml", "[ask_user]\non = true\n");
    folder.file("secret", "s3cret/+ :%");
    let config = CONFIG
        .replace("MAIL", &port)
        .replace("ISSUER", &peer.issuer);
    let config = folder.file("quell.toml", &config);
    let config = Path::new(&config);
    let document = Document::open(config).unwrap();
    let listen = "127.0.0.1:0".parse().ok();
    let server = Running::start(&document, config, listen, Arc::new(SystemClock)).await;
    let server = server.unwrap();
    let mut events = server.engine.events();

    let now = SystemClock.now();
    let alert = json!({
        "composite_id": "c1:ind:c1:1", "cid": "c1", "product": "idp",
        "type": "idp-session-source-user-endpoint-target-info",
        "name": "AnomalousGeoLocationAccess", "display_name": "Access from a new country",
        "severity": 65, "severity_name": "High", "confidence": 35, "status": "new",
        "timestamp": now, "updated_timestamp": now,
        "source_account_name": "ines", "source_account_upn": "Ines@corp.example",
        "source_account_object_sid": "S-1-5-21-1004336348-1177238915-682003330-2201",
        "source_endpoint_ip_address": "203.0.113.200",
    });
    let falcon = "falcon".parse().unwrap();
    server
        .engine
        .accept(&falcon, &alert.to_string())
        .await
        .unwrap();

    let letter = letter(mail, "ines@corp.example").await;
    assert!(letter.contains("203.0.113.200"), "{letter}");
    let (_, link) = letter.split_once("https://quell.example.com").unwrap();
    let link = link.split_whitespace().next().unwrap();

    let address = server.address;
    assert!(get(address, link, "").await.contains("Sign in to answer"));
    let away = get(address, &format!("{link}?sign_in=1"), "").await;
    let back = peer
        .sign_in_at(header(&away, "location"), "ines@corp.example")
        .await;
    let path = back.strip_prefix("https://quell.example.com").unwrap();
    let signed_in = get(address, path, cookie(&away)).await;
    assert_eq!(header(&signed_in, "location"), link, "{signed_in}");
    let page = get(address, link, cookie(&signed_in)).await;
    let (_, csrf) = page.split_once("name=\"csrf\" value=\"").unwrap();
    let form = format!("answer=no&csrf={}", csrf.split('"').next().unwrap());
    let request = format!(
        "POST {link} HTTP/1.1\r\nhost: quell\r\ncookie: {}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        cookie(&signed_in),
        form.len()
    );
    let thanks = exchange(address, &request).await;
    assert!(thanks.contains("Your security team knows now"), "{thanks}");

    let says_no = loop {
        let event = events.recv().await.unwrap();
        if event.action.basis.detection == "user-says-no" {
            break event.action;
        }
    };
    assert_eq!(says_no.action.as_str(), "reset_password");
    assert_eq!(says_no.connection, falcon);
    server.stop().await;
}

/// The first mail to this recipient alone. The security team's own mail is taken too.
async fn letter(server: TcpListener, to: &str) -> String {
    let (taken, mut mails) = mpsc::unbounded_channel();
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = server.accept().await {
            tokio::spawn(take_mails(stream, taken.clone()));
        }
    });
    loop {
        let (recipients, letter) = mails.recv().await.unwrap();
        if recipients == [to] {
            accepting.abort();
            return letter;
        }
    }
}

/// Takes every mail of one connection.
async fn take_mails(stream: TcpStream, taken: mpsc::UnboundedSender<(Vec<String>, String)>) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 ready\r\n").await.unwrap();
    let (mut recipients, mut letter, mut sending) = (Vec::new(), String::new(), false);
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
        let said = std::mem::take(&mut line);
        let answer: &[u8] = match said.as_str() {
            ".\r\n" if sending => {
                sending = false;
                let mail = (std::mem::take(&mut recipients), std::mem::take(&mut letter));
                drop(taken.send(mail));
                b"250 taken\r\n"
            }
            _ if sending => {
                letter.push_str(&said);
                continue;
            }
            "DATA\r\n" => {
                sending = true;
                b"354 go on\r\n"
            }
            other => {
                let recipient = other.strip_prefix("RCPT TO:<");
                let recipient = recipient.and_then(|rest| rest.split('>').next());
                recipients.extend(recipient.map(str::to_owned));
                b"250 yes\r\n"
            }
        };
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

async fn get(address: SocketAddr, path: &str, cookie: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: quell\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n"
    );
    exchange(address, &request).await
}

async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

fn header<'a>(reply: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    let found = reply.lines().find_map(|line| line.strip_prefix(&start));
    match found {
        Some(value) => value.trim_end(),
        None => panic!("no {name} in {reply}"),
    }
}

fn cookie(reply: &str) -> &str {
    header(reply, "set-cookie").split(';').next().unwrap()
}
