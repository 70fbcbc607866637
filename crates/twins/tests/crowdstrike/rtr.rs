use std::time::Duration;

use quell_twins::crowdstrike::{
    ApiClient, CLIENT_ID, CLIENT_SECRET, Config, Connectivity, Fleet, HostSpec, Process, Scope,
    Settle,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Api, Got, Outcome, with_query};

const SESSIONS: &str = "/real-time-response/entities/sessions/v1";
const REFRESH: &str = "/real-time-response/entities/refresh-session/v1";
const COMMAND: &str = "/real-time-response/entities/command/v1";
const ACTIVE: &str = "/real-time-response/entities/active-responder-command/v1";
const BATCH_OPEN: &str = "/real-time-response/combined/batch-init-session/v1";
const BATCH_ACTIVE: &str = "/real-time-response/combined/batch-active-responder-command/v1";

fn config(command: Duration) -> Config {
    let evil = HostSpec::workstation("WS-EVIL").running(Process::new(5260, "credgrab.exe"));
    let settle = Settle {
        command,
        ..Settle::INSTANT
    };
    Config::manual()
        .with_fleet(Fleet::small().with(evil))
        .with_settle(settle)
}

async fn open(api: &Api, aid: &str) -> Outcome<String> {
    let got = api
        .post(
            SESSIONS,
            json!({"device_id": aid, "origin": "check", "queue_offline": false}),
        )
        .await?;
    assert_eq!(got.status, 201, "{}", got.text);
    Ok(got.each("session_id").first().ok_or("session")?.to_string())
}

async fn send(api: &Api, path: &str, session: &str, line: &str) -> Outcome<Got> {
    let base = line.split(' ').next().unwrap_or_default();
    api.post(path, json!({"base_command": base, "command_string": line, "session_id": session, "id": 0, "persist": true})).await
}

async fn status(api: &Api, path: &str, request: &str, sequence: &str) -> Outcome<Value> {
    let got = api
        .get(
            path,
            &[("cloud_request_id", request), ("sequence_id", sequence)],
        )
        .await?;
    assert_eq!(got.status, 200, "{}", got.text);
    Ok(got.resources()[0].clone())
}

async fn run(api: &Api, path: &str, session: &str, line: &str) -> Outcome<Value> {
    let sent = send(api, path, session, line).await?;
    assert_eq!(sent.status, 201, "{}", sent.text);
    status(
        api,
        path,
        sent.each("cloud_request_id").first().ok_or("request")?,
        "0",
    )
    .await
}

fn alive(api: &Api, aid: &str, pid: u32) -> bool {
    api.twin
        .processes(aid)
        .iter()
        .any(|process| process.pid == pid)
}

#[tokio::test]
async fn killing_a_process_takes_its_time_and_says_nothing_when_done() -> Outcome {
    let api = Api::with(config(Duration::from_secs(3))).await?;
    let aid = api.aid("WS-EVIL")?;
    let session = open(&api, &aid).await?;
    let sent = send(&api, ACTIVE, &session, "kill 5260").await?;
    assert_eq!(
        (sent.status, &sent.resources()[0]["queued_command_offline"]),
        (201, &json!(false))
    );
    let request = sent.each("cloud_request_id")[0].to_owned();
    api.twin.advance(Duration::from_millis(2999));
    assert_eq!(
        status(&api, ACTIVE, &request, "0").await?["complete"],
        false
    );
    assert!(alive(&api, &aid, 5260));
    api.twin.advance(Duration::from_millis(1));
    assert!(
        !alive(&api, &aid, 5260),
        "the process dies when its time has come, whether or not somebody asks"
    );
    let done = status(&api, ACTIVE, &request, "0").await?;
    assert_eq!(
        (&done["complete"], &done["stdout"], &done["stderr"]),
        (&json!(true), &json!(""), &json!(""))
    );
    assert_eq!(
        (&done["base_command"], &done["session_id"]),
        (&json!("kill"), &json!(session))
    );
    Ok(())
}

#[tokio::test]
async fn a_kill_that_fails_is_complete_and_says_so_on_stderr_only() -> Outcome {
    let api = Api::with(config(Duration::ZERO)).await?;
    let aid = api.aid("WS-EVIL")?;
    let session = open(&api, &aid).await?;
    let missing = run(&api, ACTIVE, &session, "kill 99999").await?;
    assert_eq!(
        (&missing["complete"], &missing["stdout"]),
        (&json!(true), &json!(""))
    );
    assert_eq!(
        missing["stderr"],
        "Cannot find a process with the process identifier 99999."
    );
    assert_eq!(
        run(&api, ACTIVE, &session, "kill 4").await?["stderr"],
        "Access is denied."
    );
    assert!(alive(&api, &aid, 4));
    assert_ne!(
        run(&api, ACTIVE, &session, "kill credgrab.exe").await?["stderr"],
        ""
    );
    let calls = api.twin.host(&aid).ok_or("host")?.calls;
    assert_eq!((calls.kill_received, calls.kill_applied), (3, 0));
    Ok(())
}

#[tokio::test]
async fn ps_lists_names_and_process_ids() -> Outcome {
    let api = Api::with(config(Duration::ZERO)).await?;
    let session = open(&api, &api.aid("WS-EVIL")?).await?;
    let listing = run(&api, COMMAND, &session, "ps").await?["stdout"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let row = listing
        .lines()
        .find(|line| line.contains("5260"))
        .ok_or("row")?;
    assert!(row.starts_with("credgrab "), "{row}");
    let session = open(&api, &api.aid("web-01")?).await?;
    let listing = run(&api, COMMAND, &session, "ps").await?["stdout"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        listing.contains("sshd") && listing.contains("811"),
        "{listing}"
    );
    Ok(())
}

#[tokio::test]
async fn long_output_comes_in_sequences() -> Outcome {
    let api = Api::with(Config {
        rtr_chunk: 100,
        ..config(Duration::ZERO)
    })
    .await?;
    let session = open(&api, &api.aid("WS-EVIL")?).await?;
    let sent = send(&api, COMMAND, &session, "ps").await?;
    let request = sent.each("cloud_request_id")[0].to_owned();
    let mut whole = String::new();
    for sequence in 0.. {
        let part = status(&api, COMMAND, &request, &sequence.to_string()).await?;
        assert_eq!(
            (&part["complete"], &part["sequence_id"]),
            (&json!(true), &json!(sequence))
        );
        match part["stdout"].as_str() {
            Some(text) if !text.is_empty() => whole.push_str(text),
            _ => break,
        }
    }
    assert!(whole.len() > 200 && whole.contains("credgrab"), "{whole}");
    Ok(())
}

#[tokio::test]
async fn an_offline_host_cannot_be_reached() -> Outcome {
    let api = Api::with(config(Duration::ZERO)).await?;
    let away = api.aid("WS-TRAVEL-09")?;
    let got = api.post(SESSIONS, json!({"device_id": away})).await?;
    assert_eq!(
        (got.status, got.error_code(), got.error_message()),
        (404, Some(40401), "Could not establish sensor comms")
    );
    let aid = api.aid("WS-EVIL")?;
    let session = open(&api, &aid).await?;
    api.twin.set_connectivity(&aid, Connectivity::Offline)?;
    let got = send(&api, ACTIVE, &session, "kill 5260").await?;
    assert_eq!((got.status, got.error_code()), (404, Some(40401)));
    assert!(alive(&api, &aid, 5260));
    assert_eq!(
        api.post(SESSIONS, json!({"device_id": "0".repeat(32)}))
            .await?
            .status,
        404
    );
    Ok(())
}

#[tokio::test]
async fn a_command_waits_for_a_host_that_left_before_it_ran() -> Outcome {
    let api = Api::with(config(Duration::from_secs(3))).await?;
    let aid = api.aid("WS-EVIL")?;
    let session = open(&api, &aid).await?;
    let request = send(&api, ACTIVE, &session, "kill 5260")
        .await?
        .each("cloud_request_id")[0]
        .to_owned();
    api.twin.set_connectivity(&aid, Connectivity::Offline)?;
    api.twin.advance(Duration::from_secs(100));
    assert_eq!(
        status(&api, ACTIVE, &request, "0").await?["complete"],
        false
    );
    api.twin.set_connectivity(&aid, Connectivity::Online)?;
    api.twin.advance(Duration::from_secs(3));
    assert_eq!(status(&api, ACTIVE, &request, "0").await?["complete"], true);
    assert!(!alive(&api, &aid, 5260));
    Ok(())
}

#[tokio::test]
async fn a_queued_kill_strikes_whatever_has_the_process_id_when_the_host_is_back() -> Outcome {
    let api = Api::with(config(Duration::ZERO)).await?;
    let aid = api.aid("WS-TRAVEL-09")?;
    let got = api
        .post(SESSIONS, json!({"device_id": aid, "queue_offline": true}))
        .await?;
    assert_eq!(
        (got.status, &got.resources()[0]["offline_queued"]),
        (201, &json!(true))
    );
    let session = got.each("session_id")[0].to_owned();
    let sent = send(&api, ACTIVE, &session, "kill 5260").await?;
    assert_eq!(sent.resources()[0]["queued_command_offline"], true);
    api.twin.change_host(&aid, |host| {
        host.processes.push(Process::new(5260, "innocent.exe"))
    })?;
    api.twin.set_connectivity(&aid, Connectivity::Online)?;
    assert!(!alive(&api, &aid, 5260));
    Ok(())
}

#[tokio::test]
async fn a_session_belongs_to_the_client_that_opened_it() -> Outcome {
    let api = Api::with(config(Duration::ZERO)).await?;
    api.twin.put_client(ApiClient::new("other", "s"));
    let other = api.login("other", "s").await?;
    let aid = api.aid("WS-EVIL")?;
    let session = open(&api, &aid).await?;
    let body =
        json!({"base_command": "kill", "command_string": "kill 5260", "session_id": session});
    assert_eq!(
        api.call_as(&other, Method::POST, ACTIVE, Some(body))
            .await?
            .status,
        404
    );
    let close = with_query(SESSIONS, &[("session_id", &session)]);
    assert_eq!(
        api.call_as(&other, Method::DELETE, &close, None)
            .await?
            .status,
        404
    );
    let sent = send(&api, COMMAND, &session, "ps").await?;
    let look = with_query(
        COMMAND,
        &[
            ("cloud_request_id", sent.each("cloud_request_id")[0]),
            ("sequence_id", "0"),
        ],
    );
    assert_eq!(
        api.call_as(&other, Method::GET, &look, None).await?.status,
        404
    );
    assert!(alive(&api, &aid, 5260));

    assert_eq!(
        open(&api, &aid).await?,
        session,
        "one client has one session on one host"
    );
    let closed = api.call(Method::DELETE, &close, None).await?;
    assert_eq!((closed.status, closed.text.as_str()), (204, ""));
    assert_eq!(api.call(Method::DELETE, &close, None).await?.status, 404);
    assert!(api.twin.sessions().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_session_ends_ten_minutes_after_its_last_use() -> Outcome {
    let api = Api::with(Config {
        token_lifetime: Duration::from_secs(86_400),
        ..config(Duration::ZERO)
    })
    .await?;
    let aid = api.aid("WS-EVIL")?;
    let session = open(&api, &aid).await?;
    for _ in 0..3 {
        api.twin.advance(Duration::from_secs(500));
        assert_eq!(
            api.post(REFRESH, json!({"device_id": aid}))
                .await?
                .each("session_id"),
            [session.as_str()]
        );
    }
    api.twin.advance(Duration::from_secs(600));
    assert_eq!(send(&api, COMMAND, &session, "ps").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn the_read_only_endpoint_and_the_read_scope_do_not_kill() -> Outcome {
    let api = Api::with(config(Duration::ZERO)).await?;
    let aid = api.aid("WS-EVIL")?;
    let session = open(&api, &aid).await?;
    let got = send(&api, COMMAND, &session, "kill 5260").await?;
    assert_eq!((got.status, got.error_code()), (400, Some(40007)));
    api.twin
        .put_client(ApiClient::new(CLIENT_ID, CLIENT_SECRET).without(Scope::RtrWrite));
    assert_eq!(send(&api, ACTIVE, &session, "kill 5260").await?.status, 403);
    assert_eq!(send(&api, COMMAND, &session, "ps").await?.status, 201);
    assert!(alive(&api, &aid, 5260));
    Ok(())
}

#[tokio::test]
async fn a_response_policy_without_real_time_response_refuses_with_403() -> Outcome {
    let api = Api::with(config(Duration::ZERO)).await?;
    let aid = api.aid("WS-EVIL")?;
    api.twin
        .change_host(&aid, |host| host.rtr_enabled = false)?;
    assert_eq!(
        api.post(SESSIONS, json!({"device_id": aid})).await?.status,
        403
    );
    Ok(())
}

#[tokio::test]
async fn a_batch_answers_for_each_host_it_reached() -> Outcome {
    let api = Api::with(config(Duration::ZERO)).await?;
    let (evil, calm, away) = (
        api.aid("WS-EVIL")?,
        api.aid("DC-01")?,
        api.aid("WS-TRAVEL-09")?,
    );
    let opened = api
        .post(BATCH_OPEN, json!({"host_ids": [evil, calm, away]}))
        .await?;
    assert_eq!(opened.status, 201);
    assert_eq!(opened.body["resources"][&away]["errors"][0]["code"], 40401);
    let batch = opened.body["batch_id"].clone();
    let kill = json!({"base_command": "kill", "command_string": "kill 5260", "batch_id": batch});
    let done = api.post(BATCH_ACTIVE, kill).await?;
    let answers = &done.body["combined"]["resources"];
    assert_eq!(
        (&answers[&evil]["complete"], &answers[&evil]["stderr"]),
        (&json!(true), &json!(""))
    );
    assert_eq!(
        answers[&calm]["stderr"],
        "Cannot find a process with the process identifier 5260."
    );
    assert!(answers.get(&away).is_none());
    assert!(!alive(&api, &evil, 5260));

    let nobody = api.post(BATCH_OPEN, json!({"host_ids": [away]})).await?;
    assert_eq!(nobody.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_batch_answers_without_the_hosts_that_took_longer_than_its_timeout() -> Outcome {
    let api = Api::with(config(Duration::from_secs(60))).await?;
    let aid = api.aid("WS-EVIL")?;
    let opened = api.post(BATCH_OPEN, json!({"host_ids": [aid]})).await?;
    let kill = json!({"base_command": "kill", "command_string": "kill 5260", "batch_id": opened.body["batch_id"]});
    let path = with_query(BATCH_ACTIVE, &[("timeout", "10")]);
    let call = api.post(&path, kill);
    tokio::pin!(call);
    // The reply is due ten seconds later on the twin's clock, so nothing comes before the clock is moved.
    let done = loop {
        tokio::select! {
            biased;
            done = &mut call => break done?,
            () = tokio::task::yield_now() => api.twin.advance(Duration::from_millis(100)),
        }
    };
    assert_eq!(
        (done.status, &done.body["combined"]["resources"]),
        (201, &json!({}))
    );
    Ok(())
}
