"""Drives a running GitHub twin with PyGithub.

Usage: github_rest.py ORIGIN KEY

The SDK takes another base URL by its documented option, as for an Enterprise Server. What it has no method for goes
through its own requester, so that paging, headers and errors are still its reading. It signs an App's tokens with the
real time, so the twin's clock has to show the present. Every check that fails is printed; the exit code says whether
any did. (The script is not called github.py, or it would be imported in the SDK's place.)
"""

import pathlib
import sys

import github
import requests
from github.Organization import Organization

ORIGIN, KEY = sys.argv[1:]
TOKEN = "ghp_twin0000000000000000000000000000000"
FAILURES = []


def check(what, found, wanted):
    if found != wanted:
        FAILURES.append(f"{what}: wanted {wanted!r}, found {found!r}")


def control(method, path, body=None):
    answer = requests.request(method, f"{ORIGIN}/_twin/{path}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def client(auth=None, base=ORIGIN, **options):
    # No retries: a reply must be seen as it came.
    auth = auth or github.Auth.Token(TOKEN)
    return github.Github(auth=auth, base_url=base, retry=None, seconds_between_requests=None,
                         seconds_between_writes=None, **options)


def organization(hub):
    return Organization(hub.requester, {}, {"url": "/orgs/acme", "login": "acme"}, completed=True)


def refused(call, *arguments, **named):
    """Class and message of a call that must be refused."""
    try:
        answer = call(*arguments, **named)
    except github.GithubException as error:
        return type(error).__name__, error.status, error.data.get("message")
    FAILURES.append(f"not refused: {arguments!r} -> {answer!r}")
    return None


def member(login, role="member"):
    return control("POST", "users", {"login": login, "membership": {"role": role}})["id"]


def tokens():
    check("own user", client().get_user().login, "octo-owner")
    found = refused(lambda: client(github.Auth.Token("ghp_wrong")).get_user().login)
    check("wrong token", found, ("BadCredentialsException", 401, "Bad credentials"))
    key = pathlib.Path(KEY).read_text()
    app = github.Auth.AppAuth(104857, key)
    installation = github.GithubIntegration(auth=app, base_url=ORIGIN, retry=None).get_access_token(42424242)
    check("installation token", installation.token.startswith("ghs_"), True)
    check("its permissions", installation.permissions.get("members"), "write")
    hub = client(github.Auth.Token(installation.token))
    member("for-the-app")
    check("app reads members", "for-the-app" in [user.login for user in organization(hub).get_members()], True)
    found = refused(lambda: hub.get_user().login)
    check("an app is nobody", found[1:], (403, "Resource not accessible by integration"))
    wrong = github.Auth.AppAuth(7, key)
    integration = github.GithubIntegration(auth=wrong, base_url=ORIGIN, retry=None)
    check("another app", refused(integration.get_access_token, 42424242)[1], 404)
    control("POST", "clock/advance", {"millis": 3_601_000})
    check("expired", refused(lambda: list(organization(hub).get_members()))[1], 401)


def members():
    number = member("hubert")
    hub = client()
    user = hub.get_user("HUBERT")
    check("login without case", (user.login, user.id, user.type), ("hubert", number, "User"))
    check("by id", hub.get_user_by_id(number).login, "hubert")
    check("unknown", refused(lambda: hub.get_user("nobody-at-all"))[:2], ("UnknownObjectException", 404))
    held = user.get_organization_membership("acme")
    check("membership", (held.role, held.state), ("member", "active"))
    org = organization(hub)
    org.remove_from_membership(user)
    check("removed", refused(user.get_organization_membership, "acme")[1], 404)
    check("removed twice", refused(org.remove_from_membership, user)[1], 404)
    org.add_to_members(user, role="member")
    held = user.get_organization_membership("acme")
    check("invited", (held.role, held.state), ("member", "pending"))
    org.remove_from_membership(user)
    control("PATCH", "config", {"accepts_after_millis": 1000})
    org.add_to_members(user, role="member")
    control("POST", "clock/advance", {"millis": 1000})
    check("accepted", user.get_organization_membership("acme").state, "active")
    owner = hub.get_user("octo-owner")
    check("last owner", refused(org.remove_from_membership, owner)[1], 403)
    for number in range(65):
        member(f"page-{number}")
    logins = [user.login for user in org.get_members()]
    check("all pages", {f"page-{number}" for number in range(65)} <= set(logins), True)
    check("owners", [user.login for user in org.get_members(role="admin")], ["octo-owner"])


def suspension():
    member("susan")
    hub = client(base=f"{ORIGIN}/api/v3")
    check("not suspended", hub.get_user("susan").suspended_at, None)
    call = hub.requester.requestJsonAndCheck
    call("PUT", "/users/susan/suspended", input={"reason": "quell"})
    check("suspended", hub.get_user("susan").suspended_at is not None, True)
    call("DELETE", "/users/susan/suspended")
    check("not any more", hub.get_user("susan").suspended_at, None)
    check("oneself", refused(call, "PUT", "/users/octo-owner/suspended")[1], 403)


def managed():
    control("POST", "managed", {"user_name": "mia@corp.example", "active": True, "role": "user"})
    call = client().requester.requestJsonAndCheck
    path = "/scim/v2/enterprises/acme-inc/Users"
    _, found = call("GET", path, parameters={"filter": 'userName eq "mia@corp.example"'})
    check("found", found["totalResults"], 1)
    number = found["Resources"][0]["id"]
    operation = {"op": "replace", "value": {"active": False}}
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
    _, changed = call("PATCH", f"{path}/{number}", input=body)
    check("changed", changed["active"], False)
    check("is read", call("GET", f"{path}/{number}")[1]["active"], False)
    try:
        call("GET", f"{path}/nobody")
        FAILURES.append("an unknown managed user was found")
    except github.GithubException as error:
        check("scim error", (error.status, error.data["schemas"]), (404, ["urn:ietf:params:scim:api:messages:2.0:Error"]))


def secrets():
    for number in range(5):
        control("POST", "secrets", {"repository": "shop", "number": number + 1, "secret_type": "aws_access_key_id",
                                    "secret": "AKIA-not-one", "state": "open", "validity": "active", "publicly_leaked": True})
        control("POST", "clock/advance", {"millis": 1000})
    requester = client().requester
    ask = {"sort": "updated", "direction": "desc", "hide_secret": "true", "per_page": "2"}
    pages, url = [], "/orgs/acme/secret-scanning/alerts"
    while url:
        headers, found = requester.requestJsonAndCheck("GET", url, parameters=ask if not pages else None)
        pages.append([alert["number"] for alert in found])
        check("hidden", [alert for alert in found if "secret" in alert], [])
        links = requests.utils.parse_header_links(headers.get("link", ""))
        url = next((link["url"] for link in links if link.get("rel") == "next"), None)
    check("newest first", pages, [[5, 4], [3, 2], [1]])
    _, shown = requester.requestJsonAndCheck("GET", "/orgs/acme/secret-scanning/alerts")
    check("shown unless hidden", shown[0]["secret"], "AKIA-not-one")


def faults():
    hub = client()
    control("POST", "faults", {"endpoint": "read_user", "fault": "throttled", "retry_after_seconds": 7})
    check("secondary limit", refused(lambda: hub.get_user("octo-owner"))[:2], ("RateLimitExceededException", 403))
    control("POST", "faults", {"endpoint": "read_user", "fault": "token_revoked"})
    check("401", refused(lambda: hub.get_user("octo-owner"))[1], 401)
    control("POST", "credentials", {"token": "ghp_reader", "login": "octo-owner", "rights": ["members"]})
    weak = client(github.Auth.Token("ghp_reader"))
    user = weak.get_user("octo-owner")
    check("may not remove", refused(organization(weak).remove_from_membership, user)[1], 403)


for step in [tokens, members, suspension, managed, secrets, faults]:
    try:
        step()
    except Exception as error:  # a step that breaks is a finding like any other
        FAILURES.append(f"{step.__name__}: {type(error).__name__}: {error}")

for failure in FAILURES:
    print(failure)
sys.exit(1 if FAILURES else 0)
