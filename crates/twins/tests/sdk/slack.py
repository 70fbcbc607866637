"""Drives a running Slack twin with the vendor's own Python SDK.

Usage: slack.py ORIGIN

The twin is expected to run with a manual clock, the default app and the default channels. Every check that fails is
printed; the exit code says whether any did.
"""

import sys

import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import ContextBlock, DividerBlock, HeaderBlock, MarkdownTextObject, SectionBlock

ORIGIN = sys.argv[1]
TOKEN = "xoxb-twin-0000-token"
FAILURES = []


def check(what, found, wanted):
    if found != wanted:
        FAILURES.append(f"{what}: wanted {wanted!r}, found {found!r}")


def control(method, path, body=None):
    answer = requests.request(method, f"{ORIGIN}/_twin/{path}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def client(token=TOKEN):
    # No retry handlers: a reply must be seen as it came.
    return WebClient(token=token, base_url=f"{ORIGIN}/api/", retry_handlers=[])


def refused(call, **arguments):
    """The reply to a call that must be refused."""
    try:
        answer = call(**arguments)
    except SlackApiError as error:
        return error.response
    FAILURES.append(f"not refused: {arguments!r} -> {answer.data!r}")
    return answer


def identity():
    answer = client().auth_test()
    check("auth.test", (answer["ok"], answer["team"], answer["user"]), (True, "acme", "quell"))
    check("scopes header", answer.headers.get("x-oauth-scopes") or answer.headers.get("X-Oauth-Scopes"), "chat:write")
    answer = refused(client("xoxb-unknown").auth_test)
    check("unknown token", (answer["error"], answer.status_code), ("invalid_auth", 200))
    answer = refused(WebClient(base_url=f"{ORIGIN}/api/", retry_handlers=[]).auth_test)
    check("no token", answer["error"], "not_authed")
    for state, error in [("revoked", "token_revoked"), ("expired", "token_expired"), ("inactive", "account_inactive")]:
        control("POST", "apps", {"token": f"xoxb-{state}", "scopes": ["chat:write"], "state": state})
        check(f"{state} token", refused(client(f"xoxb-{state}").auth_test)["error"], error)


def post():
    blocks = [
        HeaderBlock(text="Approval needed"),
        SectionBlock(text=MarkdownTextObject(text="Run `quell approve` &lt;now&gt;")),
        DividerBlock(),
        ContextBlock(elements=[MarkdownTextObject(text="incident 7")]),
    ]
    answer = client().chat_postMessage(
        channel="#soc-alerts", text="fallback", blocks=blocks, unfurl_links=False, unfurl_media=False
    )
    check("post", (answer["ok"], answer["channel"]), (True, "C0SOCALERTS"))
    check("ts is text", isinstance(answer["ts"], str) and "." in answer["ts"], True)
    again = client().chat_postMessage(channel="C0SOCALERTS", text="by id")
    check("ts differs", answer["ts"] != again["ts"], True)
    kept = control("GET", "messages")
    check("kept", [message["text"] for message in kept], ["fallback", "by id"])
    check("blocks kept", [block["type"] for block in kept[0]["blocks"]], ["header", "section", "divider", "context"])
    check("unfurl kept", (kept[0]["unfurl_links"], kept[1]["unfurl_links"]), (False, True))


def channels():
    for channel, error in [
        ("nowhere", "channel_not_found"),
        ("secret", "channel_not_found"),
        ("#general", "not_in_channel"),
        ("C0OLD", "is_archived"),
    ]:
        answer = refused(client().chat_postMessage, channel=channel, text="x")
        check(channel, (answer["error"], answer.status_code), (error, 200))
    control("POST", "apps", {"token": "xoxb-public", "scopes": ["chat:write", "chat:write.public"]})
    check("public", client("xoxb-public").chat_postMessage(channel="general", text="x")["ok"], True)
    check("still private", refused(client("xoxb-public").chat_postMessage, channel="secret", text="x")["error"], "channel_not_found")


def scopes():
    control("POST", "apps", {"token": "xoxb-reader", "scopes": ["users:read"]})
    answer = refused(client("xoxb-reader").chat_postMessage, channel="C0SOCALERTS", text="x")
    check("scope", (answer["error"], answer["needed"], answer["provided"]), ("missing_scope", "chat:write", "users:read"))


def content():
    call = client().chat_postMessage
    check("too long", refused(call, channel="C0SOCALERTS", text="x" * 40001)["error"], "msg_too_long")
    check("nothing", refused(call, channel="C0SOCALERTS", text="")["error"], "no_text")
    raw = [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    answer = refused(call, channel="C0SOCALERTS", text="x", blocks=raw)
    check("long header", answer["error"], "invalid_blocks")
    check(
        "long header place",
        answer["response_metadata"]["messages"],
        ["[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"],
    )
    raw = [{"type": "divider"}] * 51
    check("51 blocks", refused(call, channel="C0SOCALERTS", text="x", blocks=raw)["error"], "invalid_blocks")
    raw = [{"type": "section", "text": {"type": "plain_text", "text": "x" * 2900}}] * 5
    check("heavy", refused(call, channel="C0SOCALERTS", text="x", blocks=raw)["error"], "msg_blocks_too_long")
    check("not a list", refused(call, channel="C0SOCALERTS", text="x", blocks="nonsense")["error"], "invalid_blocks_format")


def rate():
    control("PATCH", "config", {"channel_rate": {"burst": 2, "interval_millis": 1000}})
    call = client().chat_postMessage
    for _ in range(2):
        check("within the burst", call(channel="C0SOCALERTS", text="x")["ok"], True)
    answer = refused(call, channel="C0SOCALERTS", text="x")
    check("429", (answer.status_code, answer["error"], answer.headers["Retry-After"]), (429, "ratelimited", "1"))
    control("POST", "clock/advance", {"millis": 1000})
    check("after the wait", call(channel="C0SOCALERTS", text="x")["ok"], True)
    control("PATCH", "config", {"channel_rate": None})


def faults():
    call = client().chat_postMessage
    before = len(control("GET", "messages"))
    control("POST", "faults", {"endpoint": "post_message", "fault": "error_in_body", "code": 0, "message": "fatal_error"})
    check("named error", refused(call, channel="C0SOCALERTS", text="x")["error"], "fatal_error")
    control("POST", "faults", {"endpoint": "post_message", "fault": "throttled", "retry_after_seconds": 7})
    check("throttled", refused(call, channel="C0SOCALERTS", text="x").headers["Retry-After"], "7")
    check("nothing was posted", len(control("GET", "messages")), before)
    check("unknown method", refused(client().conversations_list)["error"], "unknown_method")


for step in [identity, post, channels, scopes, content, rate, faults]:
    try:
        step()
    except Exception as error:  # a step that breaks is a finding like any other
        FAILURES.append(f"{step.__name__}: {type(error).__name__}: {error}")

for failure in FAILURES:
    print(failure)
sys.exit(1 if FAILURES else 0)
