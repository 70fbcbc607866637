"""Drives a running Entra ID twin with the vendor's own Python SDKs: `msgraph-sdk` for the API, `msal` for assertions.

Usage: entra_id.py ORIGIN

The twin is expected to run with a manual clock, its default app, the users of `sdk.rs` and no limit on risk requests.
The SDK takes another host by its adapter's `base_url`, and plain http with an authentication provider of one's own;
MSAL insists on https, so the assertion it makes is posted with `requests`. Every check that fails is printed; the exit
code says whether any did.
"""

import asyncio
import base64
import datetime
import sys
import types

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kiota_abstractions.api_error import APIError
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msal.oauth2cli.assertion import JwtAssertionCreator
from msgraph import GraphServiceClient
from msgraph.generated.identity_protection.risk_detections.risk_detections_request_builder import (
    RiskDetectionsRequestBuilder as Detections,
)
from msgraph.generated.identity_protection.risky_users.confirm_compromised.confirm_compromised_post_request_body import (
    ConfirmCompromisedPostRequestBody,
)
from msgraph.generated.identity_protection.risky_users.dismiss.dismiss_post_request_body import DismissPostRequestBody
from msgraph.generated.identity_protection.risky_users.risky_users_request_builder import (
    RiskyUsersRequestBuilder as RiskyUsers,
)
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.subscription import Subscription
from msgraph.generated.models.user import User
from msgraph.generated.users.item.check_member_groups.check_member_groups_post_request_body import (
    CheckMemberGroupsPostRequestBody,
)
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder as OneUser
from msgraph.generated.users.users_request_builder import UsersRequestBuilder as Users
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph_core import GraphClientFactory

# The batch helper imports a package that msgraph-core does not name among its own, for a decorator that only warns.
sys.modules["deprecated"] = types.SimpleNamespace(deprecated=lambda *_: lambda kept: kept)
from msgraph_core.requests.batch_request_builder import BatchRequestBuilder  # noqa: E402
from msgraph_core.requests.batch_request_content import BatchRequestContent  # noqa: E402
from msgraph_core.requests.batch_request_item import BatchRequestItem  # noqa: E402

ORIGIN = sys.argv[1]
TENANT = "3a7c1e52-9b40-4f6d-8e21-5d0c7b9a4f13"
CLIENT = "6f2d9c04-1b7e-4a35-9c58-e0b3f7a1d286"
SECRET = "twin~client~secret"
TOKEN_PATH = f"{ORIGIN}/{TENANT}/oauth2/v2.0/token"
GROUP = "9d1c7f30-4e58-4b6a-a2d9-0c83f5e7b164"
OTHER_GROUP = "11111111-2222-4333-8444-555555555555"
FAILURES = []


def check(what, found, wanted):
    if found != wanted:
        FAILURES.append(f"{what}: wanted {wanted!r}, found {found!r}")


def control(method, path, body=None):
    answer = requests.request(method, f"{ORIGIN}/_twin/{path}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def token(**fields):
    form = {"client_id": CLIENT, "grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
    return requests.post(TOKEN_PATH, data={**form, **fields}, timeout=10)


class Bearer(AuthenticationProvider):
    def __init__(self, value):
        self.value = value

    async def authenticate_request(self, request, additional_authentication_context=None):
        request.headers.add("Authorization", f"Bearer {self.value}")


def client(value):
    http = GraphClientFactory.create_with_default_middleware()
    adapter = GraphRequestAdapter(Bearer(value), http)
    adapter.base_url = f"{ORIGIN}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


async def refused(what, call, status, code):
    try:
        await call
    except APIError as error:
        check(what, (error.response_status_code, error.error.code), (status, code))
        return error
    FAILURES.append(f"{what}: not refused")
    return None


def selecting(parameters):
    return RequestConfiguration(query_parameters=parameters)


USER = OneUser.UserItemRequestBuilderGetQueryParameters(
    select=[
        "id", "userPrincipalName", "accountEnabled", "userType", "onPremisesSyncEnabled", "onPremisesSamAccountName",
        "onPremisesDomainName", "onPremisesSecurityIdentifier", "signInSessionsValidFromDateTime",
        "lastPasswordChangeDateTime",
    ]
)


async def sign_in(graph):
    answer = token(client_secret=SECRET)
    body = answer.json()
    check("token", (answer.status_code, body["token_type"], body["expires_in"]), (200, "Bearer", 3599))
    for what, fields, status, error, code in [
        ("wrong secret", {"client_secret": "x"}, 401, "invalid_client", 7000215),
        ("unknown app", {"client_secret": "x", "client_id": "nobody"}, 400, "unauthorized_client", 700016),
    ]:
        answer = token(**fields)
        found = answer.json()
        check(what, (answer.status_code, found["error"], found["error_codes"]), (status, error, [code]))
    other = requests.post(TOKEN_PATH.replace(TENANT, "nowhere"), data={}, timeout=10)
    check("unknown tenant", other.json()["error_codes"], [90002])


async def certificate(graph):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    made = made.sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    thumbprint = made.fingerprint(hashes.SHA256())
    creator = JwtAssertionCreator(pem, algorithm="PS256", sha256_thumbprint=thumbprint.hex())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    state = control("GET", "state")
    here = int(datetime.datetime.fromisoformat(state["now"]).timestamp())
    app = {
        "client_id": "cert-app", "secret": None, "permissions": ["User.Read.All"], "public_key": list(public),
        "thumbprint": base64.urlsafe_b64encode(thumbprint).decode().rstrip("="),
    }
    control("POST", "apps", app)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    made = creator.create_normal_assertion(TOKEN_PATH, "cert-app", expires_at=here + 600)
    made = made.decode() if isinstance(made, bytes) else made
    answer = token(client_id="cert-app", client_assertion_type=kind, client_assertion=made)
    check("MSAL's assertion", answer.status_code, 200)
    answer = token(client_id="cert-app", client_assertion_type=kind, client_assertion=made)
    check("the same assertion again", answer.status_code, 401)
    made = creator.create_normal_assertion(TOKEN_PATH, "cert-app", expires_at=here - 3600)
    answer = token(client_id="cert-app", client_assertion_type=kind, client_assertion=made)
    check("an old assertion", answer.status_code, 401)


async def users(graph):
    user = await graph.users.by_user_id("ada@corp.example").get(selecting(USER))
    check("user", (user.account_enabled, user.user_type, user.on_premises_sync_enabled), (True, "Member", None))
    check("by id", (await graph.users.by_user_id(user.id).get()).user_principal_name, "ada@corp.example")
    guest = await graph.users.by_user_id("eve_out.example#EXT#@corp.example").get(selecting(USER))
    check("guest", guest.user_type, "Guest")
    synced = await graph.users.by_user_id("sam@corp.example").get(selecting(USER))
    found = (synced.on_premises_sync_enabled, synced.on_premises_sam_account_name, synced.on_premises_domain_name)
    check("synchronised", found, (True, "sam", "corp.example"))
    check("its SID", synced.on_premises_security_identifier, "S-1-5-21-1-2-3-1104")
    await refused("no such user", graph.users.by_user_id("nobody@corp.example").get(), 404, "Request_ResourceNotFound")
    where = Users.UsersRequestBuilderGetQueryParameters(
        filter="mail eq 'ada@corp.example' or proxyAddresses/any(p:p eq 'smtp:ada@corp.example')",
        select=["id"], top=2,
    )
    found = await graph.users.get(selecting(where))
    check("by mail", [one.id for one in found.value], [user.id])


async def enable(graph):
    one = graph.users.by_user_id("ada@corp.example")
    for enabled in (False, True):
        await one.patch(User(account_enabled=enabled))
        check("enabled", (await one.get(selecting(USER))).account_enabled, enabled)
    synced = graph.users.by_user_id("sam@corp.example")
    await refused("synchronised", synced.patch(User(account_enabled=False)), 400, "Request_BadRequest")
    boss = graph.users.by_user_id("root@corp.example")
    await refused("administrator", boss.patch(User(account_enabled=False)), 403, "Authorization_RequestDenied")


async def sessions(graph):
    one = graph.users.by_user_id("ada@corp.example")
    before = (await one.get(selecting(USER))).sign_in_sessions_valid_from_date_time
    answer = await one.revoke_sign_in_sessions.post()
    check("revoked", answer.value, True)
    after = (await one.get(selecting(USER))).sign_in_sessions_valid_from_date_time
    check("sessions count from later", after > before, True)


async def password(graph):
    one = graph.users.by_user_id("ada@corp.example")
    before = (await one.get(selecting(USER))).last_password_change_date_time

    def profile(text):
        return User(password_profile=PasswordProfile(password=text, force_change_password_next_sign_in=True))

    await refused("weak", one.patch(profile("short")), 400, "Request_BadRequest")
    await one.patch(profile("Twin-4-the-Books!"))
    after = (await one.get(selecting(USER))).last_password_change_date_time
    check("password changed later", after > before, True)
    fed = graph.users.by_user_id("fay@fed.example")
    await refused("federated", fed.patch(profile("Twin-4-the-Books!")), 400, "Request_BadRequest")


async def roles(graph):
    boss = await graph.users.by_user_id("root@corp.example").get()
    held = await graph.users.by_user_id(boss.id).transitive_member_of.graph_directory_role.get()
    check("role", [role.display_name for role in held.value], ["Global Administrator"])
    check("its template", held.value[0].role_template_id, "62e90394-69f5-4237-9190-012177145e10")
    members = await graph.directory_roles.by_directory_role_id(held.value[0].id).members.graph_user.get()
    check("members", [one.id for one in members.value], [boss.id])
    domain = await graph.domains.by_domain_id("fed.example").get()
    check("domain", domain.authentication_type, "Federated")


async def batch(graph):
    wanted = BatchRequestContent()

    def part(name, information, url):
        item = BatchRequestItem(information, name)
        item.url = url  # the SDK leaves the host in; the vendor documents a path below the version
        wanted.add_request(name, item)

    one = graph.users.by_user_id("ada@corp.example")
    part("ada", one.to_get_request_information(selecting(USER)), "/users/ada@corp.example?$select=userPrincipalName")
    nobody = graph.users.by_user_id("nobody@corp.example").to_get_request_information()
    part("nobody", nobody, "/users/nobody@corp.example")
    asked = CheckMemberGroupsPostRequestBody(group_ids=[GROUP, OTHER_GROUP])
    part("groups", one.check_member_groups.to_post_request_information(asked), "/users/ada@corp.example/checkMemberGroups")
    answer = await BatchRequestBuilder(graph.request_adapter).post(wanted)
    check("parts", answer.get_response_status_codes(), {"ada": 200, "nobody": 404, "groups": 200})
    check("order", list(answer.responses), ["groups", "nobody", "ada"])
    # This version of the helper reads no body that is JSON; the twin's own tests do.


async def groups(graph):
    one = graph.users.by_user_id("ada@corp.example")
    asked = CheckMemberGroupsPostRequestBody(group_ids=[OTHER_GROUP, GROUP])
    check("groups", (await one.check_member_groups.post(asked)).value, [GROUP])
    many = CheckMemberGroupsPostRequestBody(group_ids=[GROUP] * 21)
    await refused("too many groups", one.check_member_groups.post(many), 400, "Request_BadRequest")
    check("group", (await graph.groups.by_group_id(GROUP).get()).id, GROUP)
    await refused("no such group", graph.groups.by_group_id(OTHER_GROUP).get(), 404, "Request_ResourceNotFound")


async def risk(graph):
    raised = {control("POST", "risk", {"user": "ada@corp.example"})["id"] for _ in range(23)}
    found, page, pages = set(), Detections.RiskDetectionsRequestBuilderGetQueryParameters(), 0
    answer = await graph.identity_protection.risk_detections.get(selecting(page))
    while True:
        found |= {one.id for one in answer.value}
        pages += 1
        if not answer.odata_next_link:
            break
        answer = await graph.identity_protection.risk_detections.with_url(answer.odata_next_link).get()
    check("detections", (found, pages), (raised, 2))
    one = answer.value[0]
    check("level", one.risk_level.value, "high")
    check("state", one.risk_state.value, "atRisk")
    check("place", one.location.country_or_region, "NO")
    check("by id", (await graph.identity_protection.risk_detections.by_risk_detection_id(one.id).get()).id, one.id)
    late = Detections.RiskDetectionsRequestBuilderGetQueryParameters(
        filter="detectedDateTime gt 2099-01-01T00:00:00Z", top=500
    )
    check("filter", (await graph.identity_protection.risk_detections.get(selecting(late))).value, [])
    many = Detections.RiskDetectionsRequestBuilderGetQueryParameters(top=501)
    await refused("page too large", graph.identity_protection.risk_detections.get(selecting(many)), 400, "BadRequest")
    risky = graph.identity_protection.risky_users
    await risky.confirm_compromised.post(ConfirmCompromisedPostRequestBody(user_ids=[one.user_id]))
    found = await risky.by_risky_user_id(one.user_id).get()
    check("confirmed", (found.risk_state.value, found.risk_level.value), ("confirmedCompromised", "high"))
    where = RiskyUsers.RiskyUsersRequestBuilderGetQueryParameters(
        filter="riskLastUpdatedDateTime ge 2020-01-01T00:00:00Z and riskState eq 'confirmedCompromised'", top=500
    )
    check("risky users", [user.id for user in (await risky.get(selecting(where))).value], [one.user_id])
    await risky.dismiss.post(DismissPostRequestBody(user_ids=[one.user_id]))
    check("dismissed", (await risky.by_risky_user_id(one.user_id).get()).risk_state.value, "dismissed")


async def subscriptions(graph):
    until = datetime.datetime.fromisoformat(control("GET", "state")["now"]) + datetime.timedelta(days=2)
    wanted = Subscription(
        change_type="updated", notification_url="https://quell.example/hook", resource="users",
        expiration_date_time=until, client_state="state",
    )
    made = await graph.subscriptions.post(wanted)
    check("made", made.resource, "users")
    later = until + datetime.timedelta(days=1)
    one = graph.subscriptions.by_subscription_id(made.id)
    renewed = await one.patch(Subscription(expiration_date_time=later))
    check("renewed", renewed.expiration_date_time, later)
    await one.delete()
    await refused("gone", one.patch(Subscription(expiration_date_time=later)), 404, "ResourceNotFound")
    wanted.expiration_date_time = until + datetime.timedelta(days=40)
    await refused("too long", graph.subscriptions.post(wanted), 400, "InvalidRequest")


async def access(graph):
    control("POST", "apps", {"client_id": "reader", "secret": "s", "permissions": ["User.Read.All"]})
    reader = client(token(client_id="reader", client_secret="s").json()["access_token"])
    one = reader.users.by_user_id("ada@corp.example")
    await refused("no permission", one.revoke_sign_in_sessions.post(), 403, "Authorization_RequestDenied")
    control("POST", "clock/advance", {"millis": 3_600_000})
    await refused("expired", one.get(), 401, "InvalidAuthenticationToken")


async def main():
    graph = client(token(client_secret=SECRET).json()["access_token"])
    for step in [sign_in, certificate, users, enable, sessions, password, roles, groups, batch, risk, subscriptions, access]:
        control("POST", "clock/advance", {"millis": 2000})
        try:
            await step(graph)
        except Exception as error:  # a step that breaks is a finding like any other
            FAILURES.append(f"{step.__name__}: {type(error).__name__}: {error}")


asyncio.run(main())
for failure in FAILURES:
    print(failure)
sys.exit(1 if FAILURES else 0)
