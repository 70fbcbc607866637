//! The pages of whoever is asked whether it was them: cookies, forms, and what a stranger sees.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use quell_connector::ability::Abilities;
use quell_connector::{
    Attempt, BoxFuture, Call, Check, ConfigError, Connected, DocumentError, Error, Identity, Kind,
    Letter, Normalise, Plumbing, Result, Row, SignIn, Tell, Vendor, document,
};
use quell_engine::{AskUser, Connection};
use quell_model::alert::Prevention;
use quell_model::entity::{Account, IndicatorKind, NetworkIndicator};
use quell_model::{Alert, AlertKind, AlertStatus, AssetFacts, Secret, Severity};
use quell_store::Store;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::app::{Answer, TestApp, VIEWER, id, rules};

/// Reports risky sign-ins, writes letters and signs people in. Clones share their state.
#[derive(Clone, Default)]
struct House(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    links: Vec<String>,
    attempts: Vec<Attempt>,
    /// Who signs in with a code.
    who: Option<Identity>,
}

impl Vendor for House {
    const ID: &'static str = "house";
    const NAME: &'static str = "House";
    const ROWS: &'static [Row<Self>] = &[];
    const NORMALISE: Option<Normalise> = Some(normalise);

    type Config = Value;

    fn build(_: Value, _: Plumbing) -> std::result::Result<Self, ConfigError> {
        Ok(Self::default())
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            tell: Some(self.clone()),
            sign_in: Some(self.clone()),
            ..Abilities::default()
        }
    }

    async fn probe(&self, _: &Call) -> Vec<Check> {
        Vec::new()
    }
}

impl Tell for House {
    fn tell<'a>(
        &'a self,
        _: &'a Call,
        _: &'a str,
        _: &'a str,
        letter: &'a Letter,
    ) -> BoxFuture<'a, Result<()>> {
        self.0.lock().unwrap().links.push(letter.link.clone());
        Box::pin(async { Ok(()) })
    }
}

impl SignIn for House {
    fn begin<'a>(&'a self, _: &'a Call, attempt: &'a Attempt) -> BoxFuture<'a, Result<String>> {
        self.0.lock().unwrap().attempts.push(attempt.clone());
        let address = format!("https://login.example/authorize?state={}", attempt.state);
        Box::pin(async { Ok(address) })
    }

    fn finish<'a>(
        &'a self,
        _: &'a Call,
        attempt: &'a Attempt,
        code: &'a Secret,
    ) -> BoxFuture<'a, Result<Identity>> {
        let state = self.0.lock().unwrap();
        let begun = |other: &Attempt| {
            other.nonce == attempt.nonce && other.verifier.expose() == attempt.verifier.expose()
        };
        assert!(state.attempts.iter().any(begun));
        let who = state.who.clone().filter(|_| code.expose() == "good");
        Box::pin(async {
            who.ok_or_else(|| Error::new(Kind::AuthRejected, "house", "the signature is wrong"))
        })
    }
}

#[derive(Deserialize)]
struct Document {
    id: String,
    principal: String,
}

fn normalise(json: &RawValue) -> std::result::Result<Alert, DocumentError> {
    let document: Document = document::read(json)?;
    let account = Account {
        id: Some("7".to_owned()),
        principal: Some(document.principal),
        ..Account::default()
    };
    let place = NetworkIndicator {
        kind: IndicatorKind::Ip,
        value: "203.0.113.7".to_owned(),
    };
    Ok(Alert {
        source: "house".into(),
        occurrence: Some(document.id.clone()),
        id: document.id,
        title: "Risky sign-in".into(),
        description: None,
        severity: Severity::High,
        confidence: None,
        kind: AlertKind::RiskySignIn,
        detection: "unfamiliar".into(),
        time: jiff::Timestamp::constant(1_789_999_990, 0),
        updated: None,
        techniques: Vec::new(),
        status: AlertStatus::New,
        console_url: None,
        tenant: None,
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities: vec![account.into(), place.into()],
        notes: Vec::new(),
    })
}

struct Asking {
    app: TestApp,
    house: House,
    /// Path of the link in the letter.
    path: String,
}

/// A question to ana is on its way, and she is who signs in.
async fn asking() -> Asking {
    let house = House::default();
    let connected = Connected::new(id("house"), &Arc::new(house.clone()));
    let ask = AskUser {
        sign_in: id("house"),
        tell_by: id("house"),
        public_url: "https://quell.example".to_owned(),
    };
    let more = vec![Connection::new(connected)];
    let app = TestApp::built(Store::in_memory().unwrap(), more, Some(ask), |_| ());
    app.engine
        .replace_rules(rules("[ask_user]\non = true").unwrap());
    house.0.lock().unwrap().who = Some(identity("Ana@corp.example"));
    let mut asking = Asking {
        app,
        house,
        path: String::new(),
    };
    asking.ask("a").await;
    asking
}

fn identity(principal: &str) -> Identity {
    Identity {
        subject: "248289761001".to_owned(),
        principals: vec![principal.to_owned()],
        account: None,
    }
}

impl Asking {
    async fn ask(&mut self, alert: &str) {
        let alert = json!({ "id": alert, "principal": "ana@corp.example" });
        let engine = &self.app.engine;
        engine
            .accept(&id("house"), &alert.to_string())
            .await
            .unwrap();
        self.app.work().await;
        let link = self.house.0.lock().unwrap().links.last().cloned().unwrap();
        self.path = link
            .strip_prefix("https://quell.example")
            .unwrap()
            .to_owned();
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::builder().uri(path).header("cookie", cookie);
        self.app.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, cookie: &str, form: String) -> Answer {
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        self.app.send(request.body(form.into()).unwrap()).await
    }

    /// Follows the button to the provider; the cookie and the state it was left with.
    async fn away(&self) -> (String, String) {
        let away = self.get(&format!("{}?sign_in=1", self.path), "").await;
        assert_eq!(away.status, StatusCode::SEE_OTHER, "{away:?}");
        let address = away.headers["location"].to_str().unwrap();
        let state = address.split_once("state=").unwrap().1.to_owned();
        (cookie(&away), state)
    }

    /// Signs in; the cookie one then has.
    async fn signed_in(&self) -> String {
        let (left, state) = self.away().await;
        let path = format!("/was-it-you/callback?code=good&state={state}&iss=x&other=y");
        let back = self.get(&path, &left).await;
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{back:?}");
        assert_eq!(back.headers["location"], self.path.as_str());
        cookie(&back)
    }

    /// What the form of the page has to send along.
    async fn csrf(&self, cookie: &str) -> String {
        let page = self.get(&self.path, cookie).await;
        let (_, rest) = page.text.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    async fn answer(&self) -> Option<bool> {
        let token = self.path.rsplit('/').next().unwrap();
        let asked = self.app.engine.asked(token).await.unwrap().unwrap();
        asked.answer.map(|answer| answer.yes)
    }
}

fn cookie(answer: &Answer) -> String {
    let set = answer.headers["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_signs_in_as_the_person_answers_once() {
    for (word, yes) in [("yes", true), ("no", false)] {
        let asking = asking().await;
        let cookie = asking.signed_in().await;
        let csrf = asking.csrf(&cookie).await;
        let form = format!("csrf={csrf}&answer={word}");
        let done = asking.post(&asking.path, &cookie, form.clone()).await;
        assert_eq!(done.status, StatusCode::OK, "{done:?}");
        assert_eq!(asking.answer().await, Some(yes));
        let set = done.headers["set-cookie"].to_str().unwrap();
        assert!(set.contains("Max-Age=0"), "{set}");
        let action = asking.app.stored().await[0].action.id;
        let shown = asking
            .app
            .get(VIEWER, &format!("/api/v1/actions/{action}"))
            .await;
        let asked = &shown.ok()["asked"][0];
        assert_eq!(
            (&asked["yes"], &asked["person"]),
            (&yes.into(), &"Ana@corp.example".into())
        );
        let again = asking.post(&asking.path, &cookie, form).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
    }
}

#[tokio::test]
async fn opening_the_link_answers_nothing_and_shows_nothing_of_the_account() {
    let asking = asking().await;
    let page = asking.get(&asking.path, "").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Sign in to answer"));
    for secret in ["ana", "203.0.113.7"] {
        assert!(!page.text.contains(secret), "{secret}");
    }
    assert!(!page.headers.contains_key("set-cookie"));
    assert_eq!(asking.answer().await, None);
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_other_hosts_and_open_connections() {
    let asking = asking().await;
    let away = asking.get(&format!("{}?sign_in=1", asking.path), "").await;
    let set = away.headers["set-cookie"].to_str().unwrap();
    for part in [
        "__Host-",
        "; Path=/;",
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
        "Max-Age=600",
    ] {
        assert!(set.contains(part), "{set}");
    }
    // Sealed: nothing of the sign-in can be read or made up.
    let attempt = asking.house.0.lock().unwrap().attempts[0].clone();
    for secret in [
        attempt.state.as_str(),
        &attempt.nonce,
        attempt.verifier.expose(),
    ] {
        assert!(!set.contains(secret));
    }
}

#[tokio::test]
async fn an_answer_without_sign_in_token_or_form_is_refused() {
    let asking = asking().await;
    let cookie = asking.signed_in().await;
    let csrf = asking.csrf(&cookie).await;
    let (away, _) = asking.away().await;
    let good = format!("csrf={csrf}&answer=yes");
    for (what, cookie, form) in [
        ("no cookie", "", good.clone()),
        ("not back yet", away.as_str(), good.clone()),
        ("made up", "__Host-quell-was-it-you=AAAA", good.clone()),
        ("no token", &cookie, "answer=yes".to_owned()),
        ("empty token", &cookie, "csrf=&answer=yes".to_owned()),
        (
            "wrong token",
            &cookie,
            format!("csrf={}&answer=yes", "0".repeat(32)),
        ),
        ("no answer", &cookie, format!("csrf={csrf}")),
        (
            "another answer",
            &cookie,
            format!("csrf={csrf}&answer=maybe"),
        ),
    ] {
        let refused = asking.post(&asking.path, cookie, form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{what}");
        assert_eq!(asking.answer().await, None, "{what}");
    }
    let json = Request::builder()
        .method("POST")
        .uri(&asking.path)
        .header("cookie", &cookie)
        .header("content-type", "text/plain");
    let refused = asking.app.send(json.body(good.into()).unwrap()).await;
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn coming_back_counts_only_in_the_browser_that_went_and_with_its_state() {
    let asking = asking().await;
    let (cookie, state) = asking.away().await;
    let (_, another) = asking.away().await;
    for (what, cookie, query) in [
        ("another browser", "", format!("code=good&state={state}")),
        (
            "another sign-in",
            cookie.as_str(),
            format!("code=good&state={another}"),
        ),
        ("no state", &cookie, "code=good".to_owned()),
        (
            "an error",
            &cookie,
            format!("error=access_denied&state={state}"),
        ),
        ("a bad code", &cookie, format!("code=bad&state={state}")),
    ] {
        let path = format!("/was-it-you/callback?{query}");
        let refused = asking.get(&path, cookie).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{what}");
        assert!(!refused.headers.contains_key("set-cookie"), "{what}");
        assert!(!refused.text.contains("signature"), "{what}");
    }
}

#[tokio::test]
async fn somebody_else_is_sent_away() {
    let asking = asking().await;
    asking.house.0.lock().unwrap().who = Some(identity("eve@corp.example"));
    let (cookie, state) = asking.away().await;
    let path = format!("/was-it-you/callback?code=good&state={state}");
    let refused = asking.get(&path, &cookie).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.text.contains("ana"));
    assert!(!refused.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_sign_in_for_one_question_answers_no_other() {
    let mut asking = asking().await;
    let cookie = asking.signed_in().await;
    let csrf = asking.csrf(&cookie).await;
    asking.ask("b").await;
    let form = format!("csrf={csrf}&answer=yes");
    let refused = asking.post(&asking.path, &cookie, form).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(asking.answer().await, None);
}

#[tokio::test]
async fn a_sign_in_is_over_after_ten_minutes_and_a_question_after_its_time() {
    let asking = asking().await;
    let cookie = asking.signed_in().await;
    let csrf = asking.csrf(&cookie).await;
    let form = format!("csrf={csrf}&answer=yes");
    asking.app.clock.advance(Duration::from_secs(600));
    let refused = asking.post(&asking.path, &cookie, form).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    asking.app.clock.advance(Duration::from_secs(4 * 3600));
    for path in [asking.path.clone(), format!("{}?sign_in=1", asking.path)] {
        let late = asking.get(&path, "").await;
        assert_eq!(late.status, StatusCode::GONE);
        assert!(late.text.contains("The time to answer is over"));
    }
}

#[tokio::test]
async fn pages_run_no_script_and_may_not_be_framed() {
    let asking = asking().await;
    let cookie = asking.signed_in().await;
    for (path, cookie) in [(asking.path.as_str(), ""), (&asking.path, &cookie)] {
        let page = asking.get(path, cookie).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "style-src 'sha256-",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        let (_, style) = page.text.split_once("<style>").unwrap();
        let (style, _) = style.split_once("</style>").unwrap();
        let digest = STANDARD.encode(Sha256::digest(style));
        assert!(policy.contains(&digest), "browsers would not use the style");
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert!(!page.text.contains("<script"));
    }
    let ask = asking.get(&asking.path, &cookie).await;
    assert!(ask.text.contains("ana@corp.example"));
    assert!(ask.text.contains("203.0.113.7"));
    assert!(ask.text.contains("No, this was not me"));
}

#[tokio::test]
async fn a_link_that_nobody_was_sent_leads_nowhere_whatever_is_in_it() {
    let asking = asking().await;
    for token in ["0", "%3Cscript%3E", "callback2", "..%2f"] {
        let unknown = asking.get(&format!("/was-it-you/{token}"), "").await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{token}");
        assert!(!unknown.text.contains("<script"), "{token}");
    }
}
