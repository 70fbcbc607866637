"""Drives a running Okta twin with the vendor's own Python SDK.

Usage: okta.py BASE_URL

The twin is expected to run with a manual clock that started at the present: the SDK stamps its assertions with the real
time. The SDK insists on https unless its documented variable OKTA_TESTING_TESTINGDISABLEHTTPSCHECK is set. Every check that
fails is printed; the exit code says whether any did.
"""

import asyncio
import base64
import logging
import os
import sys
from urllib.parse import parse_qs, urlsplit

import requests

# The script has the package's name, and Python puts its folder first.
sys.path.pop(0)

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402
from okta.client import Client  # noqa: E402

BASE = sys.argv[1]
os.environ["OKTA_TESTING_TESTINGDISABLEHTTPSCHECK"] = "true"
SCOPES = ["okta.users.read", "okta.users.manage", "okta.roles.read", "okta.logs.read"]
FAILURES = []
logging.disable(logging.CRITICAL)


def check(what, found, wanted):
    if found != wanted:
        FAILURES.append(f"{what}: wanted {wanted!r}, found {found!r}")


def check_that(what, holds, shown=None):
    if not holds:
        FAILURES.append(f"{what} (found {shown!r})")


def control(method, path, body=None):
    answer = requests.request(method, f"{BASE}/_twin/{path}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def user(user_id):
    return next(u for u in control("GET", "state")["users"] if u["id"] == user_id)


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def number(value):
    octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def app(client_id, dpop=False, scopes=None, roles=("SUPER_ADMIN",)):
    public = KEY.public_key().public_numbers()
    control("POST", "clients", {
        "client_id": client_id, "kid": "sdk-key", "scopes": SCOPES if scopes is None else scopes, "roles": list(roles),
        "dpop": dpop, "jwk": {"kty": "RSA", "n": number(public.n), "e": number(public.e)},
    })


def client(client_id=None, token=None, dpop=False):
    config = {"orgUrl": BASE, "rateLimit": {"maxRetries": 0},
              "cache": {"enabled": False}}
    if token:
        config.update(authorizationMode="SSWS", token=token)
    else:
        config.update(authorizationMode="PrivateKey", clientId=client_id, privateKey=PEM, kid="sdk-key",
                      scopes=SCOPES, dpopEnabled=dpop)
    return Client(config)


def made(login, **more):
    return control("POST", "users", {"login": login, **more})["id"]


async def reads(okta, who):
    found, reply, error = await okta.get_user(who)
    check("read error", error, None)
    check("read", (found.id, found.status, found.profile.login), (who, "ACTIVE", "sdk.reader@acme.example"))
    check("provider", found.credentials.provider.type, "OKTA")
    check_that("request id", bool(reply.headers.get("X-Okta-Request-Id")), dict(reply.headers))
    by_login, _, error = await okta.get_user("sdk.reader@acme.example")
    check("read by login", (error, by_login.id), (None, who))
    found, _, error = await okta.list_users(search='profile.email eq "SDK.reader@acme.example"')
    check("search", (error, [u.id for u in found or []]), (None, [who]))
    error = (await okta.list_users(search="profile.email is nothing"))[-1]
    check("bad search", (error.status, error.error_code), (400, "E0000031"))
    error = (await okta.get_user("00uunknown0000000000"))[-1]
    check("unknown user", (error.status, error.error_code), (404, "E0000007"))


def next_page(reply):
    """The `after` of the next page. The SDK hands the Link headers on and leaves reading them to its caller."""
    links = reply.headers.getall("Link", []) if hasattr(reply.headers, "getall") else [reply.headers.get("Link", "")]
    for link in requests.utils.parse_header_links(", ".join(links)):
        if link.get("rel") == "next":
            return parse_qs(urlsplit(link["url"]).query)["after"][0]
    return None


async def pages(okta):
    for index in range(5):
        made(f"paged.{index}@acme.example")
    wanted = {"limit": 2, "search": 'profile.login sw "paged."'}
    found, reply, _ = await okta.list_users(**wanted)
    seen = [u.profile.login for u in found]
    while after := next_page(reply):
        found, reply, _ = await okta.list_users(after=after, **wanted)
        seen += [u.profile.login for u in found]
    check("pages", seen, [f"paged.{index}@acme.example" for index in range(5)])


async def suspends(okta, who):
    error = (await okta.suspend_user(who))[-1]
    check("suspend", (error, user(who)["status"]), (None, "SUSPENDED"))
    error = (await okta.suspend_user(who))[-1]
    check("suspend again", (error.status, error.error_code), (400, "E0000001"))
    error = (await okta.unsuspend_user(who))[-1]
    check("unsuspend", (error, user(who)["status"]), (None, "ACTIVE"))
    control("PATCH", f"users/{who}", {"status": "LOCKED_OUT"})
    error = (await okta.suspend_user(who))[-1]
    check("suspend a locked out user", (error.status, error.error_code), (400, "E0000001"))
    control("PATCH", f"users/{who}", {"status": "ACTIVE"})


async def clears_sessions(okta, who):
    since = control("GET", "clock")["now"]
    error = (await okta.revoke_user_sessions(who, oauth_tokens=True, forget_devices=True))[-1]
    check("sessions", (error, user(who)["sessions"]), (None, 0))
    wanted = f'eventType eq "user.session.clear" and target.id eq "{who}"'
    events, reply, error = await okta.list_log_events(since=since, filter=wanted)
    check("log error", error, None)
    check("log", [(e.event_type, e.target[0].id) for e in events or []], [("user.session.clear", who)])
    after = next_page(reply)
    check_that("polling always has a next page", bool(after), dict(reply.headers))
    events, reply, error = await okta.list_log_events(since=since, filter=wanted, after=after)
    check("nothing new", (error, events, bool(next_page(reply))), (None, [], True))
    error = (await okta.list_log_events(since=since, filter="eventType eq"))[-1]
    check("bad filter", (error.status, error.error_code), (400, "E0000053"))


async def resets(okta, who):
    answer, _, error = await okta.expire_password_with_temp_password(who, revoke_sessions=True)
    check("reset error", error, None)
    check("reset", user(who)["status"], "PASSWORD_EXPIRED")
    check_that("a password was made up", bool(user(who)["temporary_password"]), answer)
    control("PATCH", f"users/{who}", {"status": "SUSPENDED"})
    error = (await okta.expire_password_with_temp_password(who))[-1]
    check("reset a suspended user", (error.status, error.error_code), (403, "E0000038"))


async def roles(okta, who):
    boss = made("sdk.boss@acme.example", roles=["SUPER_ADMIN"], group_roles=["ORG_ADMIN"])
    found, _, error = await okta.list_assigned_roles_for_user(boss)
    check("roles error", error, None)
    kinds = sorted(str(role.actual_instance.type) if hasattr(role, "actual_instance") else str(role.type) for role in found)
    check("roles", [kind.rsplit(".", 1)[-1] for kind in kinds], ["ORG_ADMIN", "SUPER_ADMIN"])
    found, _, error = await okta.list_assigned_roles_for_user(who)
    check("no roles", (error, found), (None, []))
    found, _, error = await okta.list_users_with_role_assignments()
    check_that("assignees", error is None and boss in [u.id for u in found.value], error)
    # Roles of an app are left out: in this release of the SDK the two models for them fit the same documents, so that it
    # can read no list of them but an empty one.


async def refusals(who):
    app("sdk-weak", scopes=SCOPES, roles=["HELP_DESK_ADMIN"])
    boss = made("sdk.chief@acme.example", roles=["SUPER_ADMIN"])
    error = (await client("sdk-weak").suspend_user(boss))[-1]
    check("a super administrator is above", (error.status, error.error_code), (403, "E0000006"))
    error = (await client("nobody").get_user(who))[-1]
    check_that("unknown app", "invalid_client" in str(error), error)
    app("sdk-narrow", scopes=["okta.users.read"])
    error = (await client("sdk-narrow").get_user(who))[-1]
    check_that("scope not granted", "invalid_scope" in str(error), error)
    found, _, error = await client(token="00twin-api-token").get_user(who)
    check("api token", (error, found and found.id), (None, who))
    error = (await client(token="wrong").get_user(who))[-1]
    check("wrong api token", (error.status, error.error_code), (401, "E0000011"))
    control("POST", "faults", {"endpoint": "user_read", "fault": "throttled", "retry_after_seconds": 5})
    error = (await client(token="00twin-api-token").get_user(who))[-1]
    check_that("throttled", "429" in str(error) or "rate" in str(error).lower(), error)


async def proves_possession(who):
    app("sdk-dpop", dpop=True)
    found, _, error = await client("sdk-dpop", dpop=True).get_user(who)
    check("proof of possession", (error, found and found.id), (None, who))
    error = (await client("sdk-dpop").get_user(who))[-1]
    check_that("without a proof", "invalid_dpop_proof" in str(error), error)


async def main():
    app("sdk-app")
    okta = client("sdk-app")
    who = made("sdk.reader@acme.example")
    await reads(okta, who)
    await pages(okta)
    await suspends(okta, who)
    await clears_sessions(okta, who)
    await roles(okta, who)
    await refusals(who)
    await proves_possession(who)
    await resets(okta, who)


asyncio.run(main())
for failure in FAILURES:
    print(failure)
sys.exit(bool(FAILURES))
