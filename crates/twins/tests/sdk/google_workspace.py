"""Drives a running Google Workspace twin with the vendor's own Python client.

Usage: google_workspace.py ORIGIN KEY_FILE

The twin is expected to run with a manual clock that shows the present and with the default users. The client's own
options point it at the twin: `client_options.api_endpoint` for the services, `token_uri` of the key file for tokens. The
discovery documents are those shipped in the package, so nothing is fetched. Every check that fails is printed; the exit
code says whether any did.
"""

import datetime
import json
import sys

import requests
from google.api_core.client_options import ClientOptions
from google.auth.exceptions import RefreshError
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

ORIGIN = sys.argv[1]
with open(sys.argv[2], encoding="utf-8") as file:
    KEY = json.load(file)
ADMIN = "quell-admin@northwind.example"
USER = "ana@northwind.example"
SCOPES = "https://www.googleapis.com/auth/"
FAILURES = []


def check(what, found, wanted):
    if found != wanted:
        FAILURES.append(f"{what}: wanted {wanted!r}, found {found!r}")


def control(method, path, body=None):
    answer = requests.request(method, f"{ORIGIN}/_twin/{path}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def credentials(scope, subject=ADMIN, key=KEY):
    return service_account.Credentials.from_service_account_info(key, scopes=[SCOPES + scope], subject=subject)


def service(name, version, scope, **given):
    return build(
        name,
        version,
        credentials=credentials(scope, **given),
        client_options=ClientOptions(api_endpoint=ORIGIN + "/"),
        static_discovery=True,
        cache_discovery=False,
    )


def refused(what, request, status, reason=None):
    try:
        request.execute(num_retries=0)
    except HttpError as error:
        check(what, error.resp.status, status)
        if reason:
            body = json.loads(error.content)["error"]
            check(f"{what}: reason", body["errors"][0]["reason"], reason)
            check(f"{what}: code", body["code"], status)
        return
    FAILURES.append(f"{what}: not refused")


def no_token(what, error_code, **given):
    try:
        service("admin", "directory_v1", **given).users().get(userKey=USER).execute()
    except RefreshError as error:
        check(what, error.args[1]["error"], error_code)
        return
    FAILURES.append(f"{what}: a token was issued")


def users():
    api = service("admin", "directory_v1", "admin.directory.user").users()
    user = api.get(userKey=USER, projection="full").execute()
    check("user", (user["primaryEmail"], user["suspended"], user["isAdmin"]), (USER, False, False))
    check("no reason", "suspensionReason" in user, False)
    key = user["id"]
    check("by id", api.get(userKey=key).execute()["primaryEmail"], USER)
    suspended = api.update(userKey=key, body={"suspended": True}).execute()
    check("suspended", (suspended["suspended"], suspended["suspensionReason"]), (True, "ADMIN"))
    check("fields not sent stay", suspended["name"], user["name"])
    restored = api.patch(userKey=key, body={"suspended": False}).execute()
    check("restored", restored["suspended"], False)
    changed = api.update(
        userKey=key, body={"password": "Sdk-check-7-temporary!", "changePasswordAtNextLogin": True}
    ).execute()
    check("must change", (changed["changePasswordAtNextLogin"], "password" in changed), (True, False))
    refused("short password", api.update(userKey=key, body={"password": "short"}), 400, "invalid")
    refused("unknown", api.get(userKey="nobody@northwind.example"), 404, "notFound")
    refused("foreign domain", api.get(userKey="ana@elsewhere.example"), 403, "forbidden")
    control("POST", "users", {"primary_email": "carl@northwind.example", "aliases": ["c@northwind.example"]})
    check("alias", api.get(userKey="c@northwind.example").execute()["primaryEmail"], "carl@northwind.example")


def admins():
    api = service("admin", "directory_v1", "admin.directory.user.readonly").users()
    found, request = [], api.list(customer="my_customer", query="isAdmin=true", maxResults=1)
    while request is not None:
        page = request.execute()
        check("page", len(page.get("users", [])), 1)
        found += [user["primaryEmail"] for user in page["users"]]
        request = api.list_next(request, page)
    check("admins", found, [ADMIN, "root@northwind.example"])
    refused("no customer", api.list(), 400)
    refused("read only", api.update(userKey=USER, body={"suspended": True}), 403, "insufficientPermissions")
    empty = api.list(customer="my_customer", query="isAdmin=true isSuspended=true").execute()
    check("none", "users" in empty, False)


def sign_out():
    api = service("admin", "directory_v1", "admin.directory.user.security").users()
    # The body is empty, so the client has nothing to give back.
    check("sign out", api.signOut(userKey=USER).execute() in (None, ""), True)
    count = next(user for user in control("GET", "state")["users"] if user["primary_email"] == USER)["sign_outs"]
    check("signed out", count, 1)
    refused("unknown", api.signOut(userKey="100000000000000000001"), 404, "notFound")
    refused("other scope", api.get(userKey=USER), 403, "insufficientPermissions")


def roles():
    control("POST", "users", {"primary_email": "helpdesk@northwind.example", "is_delegated_admin": True})
    api = service("admin", "directory_v1", "admin.directory.user", subject="helpdesk@northwind.example").users()
    check("helpdesk", api.update(userKey=USER, body={"suspended": False}).execute()["suspended"], False)
    refused("super admin", api.update(userKey="root@northwind.example", body={"suspended": True}), 403, "forbidden")
    api = service("admin", "directory_v1", "admin.directory.user", subject=USER).users()
    refused("no admin", api.get(userKey=USER), 403, "forbidden")


def alerts():
    api = service("alertcenter", "v1beta1", "apps.alerts").alerts()
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    ids = []
    for minutes in (30, 20, 10):
        at = (now - datetime.timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
        body = {
            "type": "Suspicious login", "source": "Google identity", "data_type": "AccountWarning",
            "data": {"email": USER}, "created_at": at, "severity": "HIGH",
        }
        ids.append(control("POST", "alerts", body)["id"])
    since = (now - datetime.timedelta(minutes=25)).isoformat().replace("+00:00", "Z")
    given = {"pageSize": 1, "orderBy": "create_time asc", "filter": f'createTime >= "{since}"'}
    found, request = [], api.list(**given)
    while request is not None:
        page = request.execute()
        found += [alert["alertId"] for alert in page.get("alerts", [])]
        request = api.list_next(request, page)
    check("since, oldest first", found, ids[1:])
    newest = api.list(orderBy="update_time desc", pageSize=1).execute()["alerts"][0]
    check("newest change first", newest["alertId"], ids[2])
    check("alert", api.get(alertId=ids[0]).execute()["data"]["email"], USER)
    check("type filter", api.list(filter='type = "Leaked password"').execute(), {})
    given = api.feedback().create(alertId=ids[0], body={"type": "VERY_USEFUL"}).execute()
    check("feedback", (given["alertId"], given["type"], given["email"]), (ids[0], "VERY_USEFUL", ADMIN))
    refused("feedback type", api.feedback().create(alertId=ids[0], body={"type": "GREAT"}), 400)
    refused("unknown", api.get(alertId="none"), 404)
    refused("bad filter", api.list(filter="createTime"), 400)


def audit():
    api = service("admin", "reports_v1", "admin.reports.audit.readonly").activities()
    for ip in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        control("POST", "login_events", {"name": "suspicious_login", "email": USER, "ip": ip})
        control("POST", "clock/advance", {"millis": 1000})
    control("POST", "login_events", {"name": "login_success", "email": USER, "ip": "192.0.2.9"})
    found = []
    request = api.list(userKey="all", applicationName="login", eventName="suspicious_login", maxResults=2)
    while request is not None:
        page = request.execute()
        found += [item["ipAddress"] for item in page.get("items", [])]
        request = api.list_next(request, page)
    check("newest first", found, ["192.0.2.3", "192.0.2.2", "192.0.2.1"])
    refused("future", api.list(userKey="all", applicationName="login", startTime="2999-01-01T00:00:00Z"), 400)


def tokens():
    no_token("scope not delegated", "unauthorized_client", scope="gmail.modify")
    no_token("unknown subject", "invalid_grant", scope="admin.directory.user", subject="nobody@northwind.example")
    control("PATCH", "config", {"delegated": ["user_readonly"]})
    no_token("scope taken away", "unauthorized_client", scope="admin.directory.user")
    control("PATCH", "config", {"delegated": ["user_readonly", "user", "user_security", "alerts", "audit"]})
    # A token that stops working early is replaced by the client, once.
    api = service("admin", "directory_v1", "admin.directory.user").users()
    api.get(userKey=USER).execute()
    control("POST", "tokens/revoke")
    check("after a revoked token", api.get(userKey=USER).execute()["primaryEmail"], USER)
    # The client itself waits for a rate limit that is told by its reason alone.
    control("POST", "faults", {"endpoint": "user_read", "fault": "throttled", "retry_after_seconds": None})
    check("after a rate limit", api.get(userKey=USER).execute(num_retries=2)["primaryEmail"], USER)


for step in (users, admins, sign_out, roles, alerts, audit, tokens):
    try:
        step()
    except Exception as error:  # a step that breaks must not hide what the others find
        FAILURES.append(f"{step.__name__} broke: {error!r}")

print("\n".join(FAILURES) or "the client and the twin agree")
sys.exit(bool(FAILURES))
