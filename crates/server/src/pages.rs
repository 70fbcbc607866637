//! Pages for people who were asked whether it was them: plain HTML without script, picture or font.
//!
//! INVARIANT: nothing gets into a page but through `escape`.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use quell_engine::{AskUser, when};
use quell_store::Question;
use sha2::{Digest, Sha256};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8885;--accent:#1257b8}\
@media(prefers-color-scheme:dark){:root{--accent:#8ab8ff}}\
*{box-sizing:border-box}\
body{font:1.0625rem/1.55 system-ui,sans-serif;margin:0;padding:clamp(1.25rem,6vw,4rem) 1.25rem}\
main{max-width:34rem;margin:0 auto}\
h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1rem;margin:1.25rem 0;padding:1rem 0;\
border:solid var(--line);border-width:1px 0}\
dt{opacity:.75}dd{margin:0;overflow-wrap:anywhere}\
form{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.5rem 0}\
a.button,button{font:inherit;font-weight:600;text-decoration:none;text-align:center;cursor:pointer;\
flex:1 1 12rem;padding:.8rem 1.25rem;border:2px solid var(--accent);border-radius:.5rem;\
color:var(--accent);background:none}\
a.button{display:block;max-width:20rem;margin:1rem 0}\
a.button:focus-visible,button:focus-visible{outline:3px solid var(--accent);outline-offset:3px}\
small{display:block;opacity:.75}";

/// The style stands in the page, so the policy names it by its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
});

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escape(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n\
         </body>\n</html>\n"
    );
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = (status, [(header::CONTENT_TYPE, kind)], html).into_response();
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn sentences(status: StatusCode, title: &str, sentences: &[&str]) -> Response {
    let body: String = sentences
        .iter()
        .map(|sentence| format!("<p>{}</p>\n", escape(sentence)))
        .collect();
    page(status, title, &body)
}

/// What whoever has the link sees: nothing about the account.
pub(crate) fn start(token: &str) -> Response {
    let body = format!(
        "<p>Your security team asks about a sign‑in. To see it and to answer, sign in as you always do.</p>\n\
         {}<small>Opening this page answers nothing. It never asks for your password itself.</small>\n",
        sign_in(token, "Sign in to answer")
    );
    page(StatusCode::OK, "Was this you?", &body)
}

fn sign_in(token: &str, words: &str) -> String {
    format!(
        "<p><a class=\"button\" href=\"{}/{}?sign_in=1\">{}</a></p>\n",
        AskUser::PATH,
        escape(token),
        escape(words)
    )
}

/// What the person is asked.
pub(crate) fn ask(token: &str, question: &Question, csrf: &str) -> Response {
    let mut facts = vec![
        ("Account", question.subject.clone()),
        ("When", when(question.time)),
    ];
    if !question.places.is_empty() {
        facts.push(("From", question.places.join(", ")));
    }
    let facts: String = facts
        .iter()
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)))
        .collect();
    let (path, token, csrf) = (AskUser::PATH, escape(token), escape(csrf));
    let body = format!(
        "<p>Somebody signed in to your account, and it looked unusual.</p>\n<dl>\n{facts}</dl>\n\
         <form method=\"post\" action=\"{path}/{token}\">\n\
         <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">\n\
         <button name=\"answer\" value=\"no\">No, this was not me</button>\n\
         <button name=\"answer\" value=\"yes\">Yes, this was me</button>\n</form>\n\
         <small>If you are not sure, say no: your security team would rather look once too often. \
         You can answer once.</small>\n"
    );
    page(StatusCode::OK, "Was this you?", &body)
}

pub(crate) fn thanks(yes: bool) -> Response {
    let rest = match yes {
        true => {
            "It is noted that this was you. If you were signed out because of it, just sign in again."
        }
        false => {
            "Your security team knows now. You may be signed out, and your password may be reset; then they give you a new one."
        }
    };
    sentences(
        StatusCode::OK,
        "Thank you",
        &[rest, "You can close this page."],
    )
}

pub(crate) fn answered() -> Response {
    let rest = "An answer counts once. If it was not yours, or you have changed your mind, tell your security team.";
    sentences(StatusCode::CONFLICT, "This was answered already", &[rest])
}

pub(crate) fn late() -> Response {
    let rest =
        "Nothing was changed. If you think that the sign-in was not you, tell your security team.";
    sentences(StatusCode::GONE, "The time to answer is over", &[rest])
}

pub(crate) fn unknown() -> Response {
    let rest = "Open the link as it stands in the message, with nothing left out.";
    sentences(StatusCode::NOT_FOUND, "There is no such question", &[rest])
}

pub(crate) fn again(status: StatusCode, token: Option<&str>, sentence: &str) -> Response {
    let button = token.map_or(String::new(), |token| sign_in(token, "Sign in again"));
    let body = format!(
        "<p>{}</p>\n<p>Nothing was answered.</p>\n{button}",
        escape(sentence)
    );
    page(status, "That did not work", &body)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_cannot_leave_its_place() {
        assert_eq!(
            escape("<b a=\"1\" b='2'>&"),
            "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;"
        );
    }
}
