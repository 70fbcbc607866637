"""Drives a running Duo twin with the vendor's own Python SDK.

Usage: duo.py ORIGIN

The SDK insists on TLS with a pinned authority; its documented options `ca_certs="HTTP"` and `port` point it at a plain
address. It signs the `Date` header with the real time, so the twin's clock has to show the present. Every check that
fails is printed; the exit code says whether any did.
"""

import hashlib
import json
import sys
import time
import urllib.parse

import duo_client
import requests

ORIGIN = sys.argv[1]
IKEY = "DITWIN00000000000000"
SKEY = "twin-secret-key-0000000000000000000000000"
FAILURES = []


def check(what, found, wanted):
    if found != wanted:
        FAILURES.append(f"{what}: wanted {wanted!r}, found {found!r}")


def control(method, path, body=None):
    answer = requests.request(method, f"{ORIGIN}/_twin/{path}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def admin(skey=SKEY, ikey=IKEY, **options):
    place = urllib.parse.urlsplit(ORIGIN)
    client = duo_client.Admin(ikey, skey, place.hostname, ca_certs="HTTP", port=place.port, **options)
    # The SDK waits by the real clock when it is throttled; a reply must be seen as it came.
    client._MAX_BACKOFF_WAIT_SECS = 0
    return client


def refused(call, *arguments, **named):
    """Status and code of a call that must be refused."""
    try:
        answer = call(*arguments, **named)
    except RuntimeError as error:
        return error.status, error.data.get("code")
    FAILURES.append(f"not refused: {arguments!r} -> {answer!r}")
    return None


def put(username, **members):
    user = {"username": username, "email": f"{username}@corp.example", "status": "active", **members}
    return control("POST", "users", user)["user_id"]


def signing():
    put("signed user+é@x")
    for version, digest in [(5, None), (4, None), (2, hashlib.sha512)]:
        options = {"sig_version": version}
        if digest:
            options["digestmod"] = digest
        client = admin(**options)
        if version == 4:
            # Older than what the twin takes.
            check("v4", refused(client.get_users_by_name, "x"), (401, 40103))
            continue
        found = client.get_users_by_name("signed user+é@x")
        check(f"v{version} query", [user["username"] for user in found], ["signed user+é@x"])
        changed = client.update_user(found[0]["user_id"], status="active")
        check(f"v{version} body", changed["status"], "active")
    check("wrong key", refused(admin(skey="x" * 40).get_users_by_name, "x"), (401, 40103))
    check("unknown application", refused(admin(ikey="DINOBODY").get_users_by_name, "x"), (401, 40102))


def users():
    user_id = put("alice", aliases=["a.smith"], realname="Alice Smith", groups=["VIP"])
    client = admin()
    check("by name", [user["user_id"] for user in client.get_users_by_name("alice")], [user_id])
    check("by alias", [user["user_id"] for user in client.get_users_by_name("a.smith")], [user_id])
    check("by address", [user["user_id"] for user in client.get_user_by_email("alice@corp.example")], [user_id])
    check("nobody", client.get_users_by_name("nobody"), [])
    read = client.get_user_by_id(user_id)
    check("read", (read["username"], read["alias1"], read["status"]), ("alice", "a.smith", "active"))
    check("group", read["groups"][0]["name"], "VIP")
    check("unknown id", refused(client.get_user_by_id, "DUNOBODY"), (404, 40401))
    for status in ["disabled", "disabled", "bypass", "active"]:
        check(status, client.update_user(user_id, status=status)["status"], status)
        check(f"{status} is read", client.get_user_by_id(user_id)["status"], status)
    check("not settable", refused(client.update_user, user_id, status="locked out"), (400, 40002))
    log = client.get_administrator_log()
    check("log", log[-1]["action"], "user_update")
    # The SDK's own documentation: the description is JSON inside a text.
    check("log text", json.loads(log[-1]["description"]), {"status": "active"})


def paging():
    for number in range(7):
        put(f"page-{number}")
    client = admin()
    client.paging_limit = 3
    names = {user["username"] for user in client.get_users_iterator()}
    check("all pages", {f"page-{number}" for number in range(7)} <= names, True)


def trust_monitor():
    start = int(time.time() * 1000) - 60_000
    put("bob")
    for _ in range(4):
        sign_in = {"username": "bob", "result": "success", "reason": "user_approved", "ip": "203.0.113.9"}
        control("POST", "trust_events", {"type": "auth", "sign_in": sign_in, "priority": True})
    control("POST", "trust_events", {"type": "bypass_status", "username": "bob"})
    control("POST", "trust_events", {"type": "device_registration"})
    client = admin()
    client.paging_limit = 2
    end = int(time.time() * 1000) + 60_000
    events = list(client.get_trust_monitor_events_iterator(mintime=start, maxtime=end))
    check("events", [event["type"] for event in events], ["auth"] * 4 + ["bypass_status", "device_registration"])
    check("each once", len({event["sekey"] for event in events}), 6)
    check("user", events[0]["surfaced_auth"]["user"]["name"], "bob")
    check("bypass", events[4]["enabled_for"]["name"], "bob")
    page = client.get_trust_monitor_events_by_offset(start, end, limit=2)
    check("offset is text", page["metadata"]["next_offset"], "2")
    control("PATCH", "config", {"trust_monitor": False})
    check("not licensed", refused(client.get_trust_monitor_events_by_offset, start, end), (403, 40301))
    control("PATCH", "config", {"trust_monitor": True})


def authentication_log():
    put("carol")
    for number in range(5):
        result = "fraud" if number == 2 else "denied"
        sign_in = {"username": "carol", "result": result, "reason": "no_response", "ip": "203.0.113.9", "txid": f"t{number}"}
        control("POST", "sign_ins", sign_in)
    start = int(time.time() * 1000) - 60_000
    ask = {"mintime": start, "maxtime": start + 120_000, "sort": "ts:asc", "limit": "2"}
    client = admin()
    check("not there yet", client.get_authentication_log(2, **ask)["authlogs"], [])
    control("POST", "clock/advance", {"millis": 121_000})
    found, offset = [], None
    while True:
        page = client.get_authentication_log(2, **ask, next_offset=offset)
        found += [record["txid"] for record in page["authlogs"]]
        offset = page["metadata"]["next_offset"]
        if offset is None:
            break
        check("offset is a pair of texts", [type(part) for part in offset], [str, str])
        offset = ",".join(offset)
    check("every record once, in order", found, [f"t{number}" for number in range(5)])


def rights():
    application = {"ikey": "DIREADER", "skey": SKEY, "name": "Reader", "rights": ["read_resource"]}
    control("POST", "applications", application)
    client = admin(ikey="DIREADER")
    user_id = client.get_users_by_name("alice")[0]["user_id"]
    check("may not write", refused(client.update_user, user_id, status="disabled"), (403, 40301))
    check("may not read logs", refused(client.get_administrator_log), (403, 40301))


def faults():
    client = admin()
    control("POST", "faults", {"endpoint": "find_users", "fault": "throttled", "retry_after_seconds": None})
    check("throttled", refused(client.get_users_by_name, "alice"), (429, 42901))
    control("POST", "faults", {"endpoint": "find_users", "fault": "error_in_body", "code": 50000, "message": "x"})
    try:
        client.get_users_by_name("alice")
        FAILURES.append("a failure in a success reply was taken for success")
    except RuntimeError as error:
        check("failure in the body", error.status, 200)


for step in [signing, users, paging, trust_monitor, rights, faults, authentication_log]:
    try:
        step()
    except Exception as error:  # a step that breaks is a finding like any other
        FAILURES.append(f"{step.__name__}: {type(error).__name__}: {error}")

for failure in FAILURES:
    print(failure)
sys.exit(1 if FAILURES else 0)
