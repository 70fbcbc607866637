//! What can be told without sending: whether the server is reached, encrypts, and takes the
//! sign-in.

use quell_connector::{Call, Check};
use quell_model::text;

use super::Smtp;
use super::session::Stage;

pub(super) async fn probe(smtp: &Smtp, cx: &Call) -> Vec<Check> {
    let mut stage = Stage::Waiting;
    let opened = tokio::select! {
        biased;
        opened = smtp.server.open(&mut stage) => Some(opened),
        () = cx.clock().until(cx.deadline()) => None,
    };
    let error = match opened {
        Some(Ok(mut connection)) => {
            connection.abort().await;
            None
        }
        Some(Err(error)) => Some(error),
        None => Some(stage.out_of_time()),
    };
    // A certificate that is refused during an implicit handshake fails while connecting.
    let failed = error.as_ref().map(|error| error.operation);
    let check = |name: &str, ok: Option<bool>, detail: String| Check {
        name: name.to_owned(),
        used_by: "notices".to_owned(),
        ok,
        detail,
        at: cx.clock().now(),
    };
    let mut checks = Vec::new();
    let mut reached = true;
    for (name, stage, good) in [
        ("connection", Stage::Connecting, "The server answers."),
        ("encryption", Stage::Encrypting, smtp.server.encrypted()),
        ("sign-in", Stage::SigningIn, smtp.server.signed_in()),
    ] {
        checks.push(match &error {
            Some(error) if reached && failed == Some(stage.operation()) => {
                reached = false;
                check(name, Some(false), format!("{error}."))
            }
            _ if reached => check(name, Some(true), good.to_owned()),
            _ => check(name, None, "It did not come to this.".to_owned()),
        });
    }
    let addresses: Vec<String> = smtp.to.iter().map(|to| to.email.to_string()).collect();
    let detail = format!(
        "Whether the server takes mail from `{}` to {} shows only when it is sent.",
        smtp.from.email,
        text::line(&addresses.join(", "))
    );
    checks.push(check("addresses", None, detail));
    checks
}
