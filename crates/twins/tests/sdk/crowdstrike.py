"""Drives a running CrowdStrike twin with the vendor's own Python SDK.

Usage: crowdstrike.py BASE_URL

The twin is expected to run with a manual clock, the small demo fleet, the default client, and no region named in its
token replies (the SDK would follow the region and leave for the vendor's real cloud). Every check that fails is
printed; the exit code says whether any did.
"""

import sys
import uuid

import requests
from falconpy import IOC, Alerts, APIHarnessV2, Hosts, OAuth2, RealTimeResponse

BASE = sys.argv[1]
CLIENT = {"client_id": "twin-client-id", "client_secret": "twin-client-secret"}
FAILURES = []


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


def advance(seconds):
    control("POST", "clock/advance", {"millis": int(seconds * 1000)})


def login(**creds):
    return OAuth2(base_url=BASE, **(creds or CLIENT))


def first_error(answer):
    return (answer["body"].get("errors") or [{}])[0]


def host_named(auth, name):
    found = Hosts(auth_object=auth).query_devices_by_filter(filter=f"hostname:'{name}'")
    check(f"query for {name}", (found["status_code"], len(found["body"]["resources"])), (200, 1))
    return found["body"]["resources"][0]


def token():
    auth = login()
    answer = auth.login()
    check("token status", answer["status_code"], 201)
    check("token members", sorted(answer["body"]), ["access_token", "expires_in", "token_type"])
    check("base url kept", auth.base_url, BASE)
    used = answer["body"]["access_token"]
    held = Hosts(access_token=used, base_url=BASE)
    check("token works", held.query_devices_by_filter()["status_code"], 200)
    check("revoke status", auth.revoke(used)["status_code"], 200)
    check("revoked token", held.query_devices_by_filter()["status_code"], 401)


def bad_secret():
    auth = login(client_id=CLIENT["client_id"], client_secret="wrong")
    answer = auth.login()
    check("bad secret status", answer["status_code"], 403)
    check("bad secret message", first_error(answer)["message"], "Failed to issue access token - Not Authorized")
    answer = login(client_id="nobody", client_secret="x").login()
    check("unknown client status", answer["status_code"], 400)
    check_that("unknown client message", "clientID=nobody" in first_error(answer)["message"], answer["body"])


def expired_token():
    auth = login()
    hosts = Hosts(auth_object=auth)
    check("before expiry", hosts.query_devices_by_filter()["status_code"], 200)
    advance(1800)
    answer = hosts.query_devices_by_filter()
    check("after expiry", answer["status_code"], 401)
    check("expiry message", first_error(answer)["message"], "access denied, invalid bearer token")
    auth.login()
    check("after a new token", hosts.query_devices_by_filter()["status_code"], 200)


def missing_scope():
    control("POST", "clients", {"id": "reader", "secret": "s", "scopes": ["hosts_read", "rtr_read"]})
    auth = login(client_id="reader", client_secret="s")
    aid = host_named(auth, "WS-SALES-04")
    answer = Hosts(auth_object=auth).perform_action(action_name="contain", ids=aid)
    check("contain without scope", answer["status_code"], 403)
    check("scope message", first_error(answer)["message"], "access denied, authorization failed")
    rtr = RealTimeResponse(auth_object=auth)
    session = rtr.init_session(device_id=aid)["body"]["resources"][0]["session_id"]
    answer = rtr.execute_active_responder_command(
        base_command="kill", command_string="kill 936", session_id=session, device_id=aid
    )
    check("kill without write scope", answer["status_code"], 403)
    rtr.delete_session(session)


def devices():
    hosts = Hosts(auth_object=login())
    answer = hosts.query_devices_by_filter(filter="platform_name:'Windows'+product_type_desc:'Server'", sort="hostname.asc")
    servers = answer["body"]["resources"]
    check("servers", len(servers), 2)
    check("pagination", answer["body"]["meta"]["pagination"]["total"], 2)
    details = hosts.get_device_details(ids=servers)
    check("details status", details["status_code"], 200)
    names = [device["hostname"] for device in details["body"]["resources"]]
    check("details in order", names, ["SRV-BUILD-02", "SRV-FILES-01"])
    check("GET details", len(hosts.get_device_details_v2(ids=servers)["body"]["resources"]), 2)
    check("too many ids in GET", hosts.get_device_details_v2(ids=["0" * 32] * 101)["status_code"], 400)
    either = hosts.query_devices_by_filter(filter="hostname:'DC-01',hostname:'web-01'")
    check("either of two", len(either["body"]["resources"]), 2)
    unknown = hosts.get_device_details(ids="0" * 32)
    check("unknown device", (unknown["body"]["resources"], first_error(unknown)["code"]), ([], 404))
    away = host_named(hosts.auth_object, "WS-TRAVEL-09")
    states = hosts.get_online_state(ids=[servers[0], away])["body"]["resources"]
    check("online states", [state["state"] for state in states], ["online", "offline"])
    combined = hosts.query_devices_by_filter_combined(filter="product_type_desc:'Domain Controller'")
    check("combined", [device["hostname"] for device in combined["body"]["resources"]], ["DC-01"])
    for offset, wanted in [(0, ["DC-01"]), (1, [])]:
        page = hosts.query_devices_by_filter(
            filter="product_type_desc:'Domain Controller'", sort="device_id.asc", limit=1000, offset=offset
        )
        found = page["body"]["resources"]
        named = [d["hostname"] for d in hosts.get_device_details(ids=found)["body"]["resources"]] if found else []
        check("domain controllers", (named, page["body"]["meta"]["pagination"]["total"]), (wanted, 1))
    check("how many", hosts.query_devices_by_filter(limit=1)["body"]["meta"]["pagination"]["total"], 8)
    check("offset too far", hosts.query_devices_by_filter(limit=5000, offset=5001)["status_code"], 400)
    check("bad filter", hosts.query_devices_by_filter(filter="hostname='x'")["status_code"], 400)


def contain_and_lift():
    hosts = Hosts(auth_object=login())
    aid = host_named(hosts.auth_object, "WS-FINANCE-01")

    def status():
        return hosts.get_device_details(ids=aid)["body"]["resources"][0]["status"]

    check("before", status(), "normal")
    answer = hosts.perform_action(action_name="contain", ids=aid)
    check("contain status", answer["status_code"], 202)
    check("contain resource", answer["body"]["resources"][0]["id"], aid)
    check("contain errors", answer["body"]["errors"], [])
    check("accepted", status(), "containment_pending")
    advance(5)
    check("settled", status(), "contained")
    again = hosts.perform_action(action_name="contain", ids=aid)
    check("contain again", (again["status_code"], first_error(again)["code"]), (409, 409))
    check_that("409 names the host", aid in first_error(again)["message"], again["body"])
    other = host_named(hosts.auth_object, "WS-SALES-04")
    mixed = hosts.perform_action(action_name="contain", ids=[aid, other, "f" * 32])
    check("mixed status", mixed["status_code"], 202)
    check("mixed accepted", [host["id"] for host in mixed["body"]["resources"]], [other])
    check("mixed refused", [error["code"] for error in mixed["body"]["errors"]], [409, 404])
    answer = hosts.perform_action(action_name="lift_containment", ids=[aid, other])
    check("lift status", answer["status_code"], 202)
    check("lift accepted", status(), "lift_containment_pending")
    advance(10)
    check("lifted", status(), "normal")
    check("too many ids", hosts.perform_action(action_name="contain", ids=["0" * 32] * 101)["status_code"], 400)


def real_time_response():
    rtr = RealTimeResponse(auth_object=login())
    aid = host_named(rtr.auth_object, "WS-FINANCE-01")
    answer = rtr.init_session(device_id=aid, origin="sdk-check", queue_offline=False)
    check("session status", answer["status_code"], 201)
    session = answer["body"]["resources"][0]["session_id"]
    check("session listed", session in rtr.list_all_sessions()["body"]["resources"], True)
    check("session read", rtr.list_sessions(ids=session)["body"]["resources"][0]["device_id"], aid)

    def run(base, line, send, poll):
        sent = send(base_command=base, command_string=line, session_id=session, device_id=aid, id=0, persist=True)
        check(f"{line}: sent", sent["status_code"], 201)
        request = sent["body"]["resources"][0]["cloud_request_id"]
        waiting = poll(cloud_request_id=request, sequence_id=0)
        check(f"{line}: waiting", (waiting["status_code"], waiting["body"]["resources"][0]["complete"]), (200, False))
        advance(2)
        done = poll(cloud_request_id=request, sequence_id=0)["body"]["resources"][0]
        check(f"{line}: complete", done["complete"], True)
        return done

    listing = run("ps", "ps", rtr.execute_command, rtr.check_command_status)
    check_that("ps lists the process", "excel" in listing["stdout"] and "5208" in listing["stdout"], listing["stdout"])
    kill = (rtr.execute_active_responder_command, rtr.check_active_responder_command_status)
    killed = run("kill", "kill 5208", *kill)
    check("kill output", (killed["stdout"], killed["stderr"]), ("", ""))
    gone = run("kill", "kill 5208", *kill)
    check("kill again", gone["stderr"], "Cannot find a process with the process identifier 5208.")
    listing = run("ps", "ps", rtr.execute_command, rtr.check_command_status)
    check_that("ps no longer lists it", "5208" not in listing["stdout"], listing["stdout"])
    check("refresh", rtr.pulse_session(device_id=aid)["status_code"], 201)
    control("POST", "clients", {"id": "other", "secret": "s", "scopes": ["rtr_read", "rtr_write", "hosts_read"]})
    stranger = RealTimeResponse(auth_object=login(client_id="other", client_secret="s"))
    theirs = stranger.execute_command(base_command="ps", command_string="ps", session_id=session, device_id=aid)
    check("a session of another client", theirs["status_code"], 404)
    closed = rtr.delete_session(session)
    check("close status", closed["status_code"] if isinstance(closed, dict) else closed, 204)
    check("closed for good", rtr.delete_session(session)["status_code"], 404)
    away = host_named(rtr.auth_object, "WS-TRAVEL-09")
    answer = rtr.init_session(device_id=away)
    check("offline host", (answer["status_code"], first_error(answer)["code"]), (404, 40401))


def batch_kill():
    rtr = RealTimeResponse(auth_object=login())
    aids = [host_named(rtr.auth_object, name) for name in ("SRV-FILES-01", "SRV-BUILD-02", "WS-TRAVEL-09")]
    for aid in aids[:1]:
        control("PATCH", f"hosts/{aid}", {"processes": [{"pid": 77, "image": "wiper.exe"}]})
    answer = rtr.batch_init_sessions(host_ids=aids, queue_offline=False)
    check("batch status", answer["status_code"], 201)
    opened = answer["body"]["resources"]
    check("batch hosts", [opened[aid]["complete"] for aid in aids], [True, True, False])
    check("batch offline host", opened[aids[2]]["errors"][0]["code"], 40401)
    control("PATCH", "config", {"settle": {"containment_millis": 4000, "lift_millis": 6000, "command_millis": 0}})
    answer = rtr.batch_active_responder_command(
        base_command="kill", command_string="kill 77", batch_id=answer["body"]["batch_id"], timeout=30
    )
    check("batch kill status", answer["status_code"], 201)
    done = answer["body"]["combined"]["resources"]
    check("batch kill answers", sorted(done), sorted(aids[:2]))
    check("batch killed", (done[aids[0]]["stderr"], done[aids[0]]["complete"]), ("", True))
    check("batch not there", done[aids[1]]["stderr"], "Cannot find a process with the process identifier 77.")
    control("PATCH", "config", {"settle": {"containment_millis": 4000, "lift_millis": 6000, "command_millis": 1500}})
    nobody = rtr.batch_init_sessions(host_ids=[aids[2]])
    check("batch without a host", nobody["status_code"], 404)


def alerts():
    api = Alerts(auth_object=login())
    aid = host_named(api.auth_object, "WS-FINANCE-01")
    raised = [
        control("POST", "alerts", {"aid": aid, "severity": severity, "title": f"case {severity}"})["composite_id"]
        for severity in (30, 60, 90)
    ]
    answer = api.query_alerts_v2(filter="product:'epp'+severity:>=60+status:['new','reopened']", sort="severity|desc")
    check("query", (answer["status_code"], answer["body"]["resources"]), (200, [raised[2], raised[1]]))
    documents = api.get_alerts_v2(composite_ids=raised)["body"]["resources"]
    check("fetch", [document["severity"] for document in documents], [30, 60, 90])
    since = documents[0]["updated_timestamp"]
    query = {"filter": f"updated_timestamp:>='{since}'", "sort": "updated_timestamp|asc", "limit": 2}
    first = api.get_alerts_combined(**query)["body"]
    check("first page", [document["composite_id"] for document in first["resources"]], raised[:2])
    second = api.get_alerts_combined(**query, after=first["meta"]["pagination"]["after"])["body"]
    check("second page", [document["composite_id"] for document in second["resources"]], raised[2:])
    check("no third page", second["meta"]["pagination"].get("after"), None)
    answer = api.update_alerts_v3(
        composite_ids=raised[:2], update_status="closed", append_comment="seen by the check", add_tag="true_positive"
    )
    check("update", (answer["status_code"], answer["body"]["meta"]["writes"]["resources_affected"]), (200, 2))
    changed = api.get_alerts_v2(composite_ids=raised[0])["body"]["resources"][0]
    check("status written", changed["status"], "closed")
    check("tag written", changed["tags"], ["true_positive"])
    check("comment written", changed["comments"][0]["value"], "seen by the check")
    check_that("update moves the time", changed["updated_timestamp"] != since, changed["updated_timestamp"])
    nothing = api.update_alerts_v3(composite_ids="no:such:alert", update_status="closed")
    check("nothing to update", nothing["body"]["meta"]["writes"]["resources_affected"], 0)
    check("bad status", api.update_alerts_v3(composite_ids=raised[0], update_status="done")["status_code"], 400)
    check("bad limit", api.get_alerts_combined(limit=1001)["status_code"], 400)


def indicators():
    api = IOC(auth_object=login())
    digest = uuid.uuid4().hex * 2
    wanted = {"type": "sha256", "value": digest, "action": "prevent", "severity": "high",
              "platforms": ["windows", "mac", "linux"], "applied_globally": True, "source": "check"}
    answer = api.indicator_create(comment="check", retrodetects=False, ignore_warnings=False, **wanted)
    check("create", answer["status_code"], 201)
    created = answer["body"]["resources"][0]["id"]
    again = api.indicator_create(**wanted)
    check("duplicate", again["status_code"], 400)
    check_that("duplicate message", again["body"]["resources"][0]["message"].startswith("Duplicate type"), again["body"])
    search = f"type:'sha256'+value:'{digest}'"
    check("search ids", api.indicator_search(filter=search)["body"]["resources"], [created])
    found = api.indicator_combined(filter=search)["body"]["resources"]
    check("search combined", [(ioc["id"], ioc["action"]) for ioc in found], [(created, "prevent")])
    check("read", api.indicator_get(ids=created)["body"]["resources"][0]["value"], digest)
    answer = api.indicator_update(body={"comment": "softer", "indicators": [{"id": created, "action": "detect"}]})
    check("update", (answer["status_code"], answer["body"]["resources"][0]["action"]), (200, "detect"))
    answer = api.indicator_delete(ids=created, comment="check over")
    check("delete", (answer["status_code"], answer["body"]["resources"]), (200, [created]))
    check("deleted", api.indicator_search(filter=search)["body"]["resources"], [])
    check("delete again", first_error(api.indicator_delete(ids=created))["code"], 404)
    check("sha1", api.indicator_create(**{**wanted, "type": "sha1", "value": "a" * 40})["status_code"], 400)
    check("short hash", api.indicator_create(**{**wanted, "value": "abc"})["status_code"], 400)
    domain = {**wanted, "type": "domain", "value": "bad.example"}
    check("prevent a domain", api.indicator_create(**domain)["status_code"], 400)
    check("detect a domain", api.indicator_create(**{**domain, "action": "detect"})["status_code"], 201)


def sightings():
    ioc = IOC(auth_object=login())
    seen = "5e" * 32
    check("unseen", ioc.devices_count(type="sha256", value=seen)["status_code"], 404)
    for number, name in enumerate(["WS-FINANCE-01", "SRV-FILES-01"], 1):
        aid = host_named(ioc.auth_object, name)
        control("PATCH", f"hosts/{aid}", {"processes": [{"pid": 700, "image": "agent.exe", "sha256": seen}]})
        answer = ioc.devices_count(type="sha256", value=seen)
        check("seen status", answer["status_code"], 200)
        counted = answer["body"]["resources"][0]
        check("seen on", (counted["type"], counted["value"], counted["device_count"]), ("sha256", seen, number))
    check("no value", ioc.devices_count(type="sha256")["status_code"], 400)
    check("no hash", ioc.devices_count(type="sha256", value="x")["status_code"], 400)
    control("POST", "clients", {"id": "manager", "secret": "s", "scopes": ["ioc_read"]})
    manager = IOC(auth_object=login(client_id="manager", client_secret="s"))
    check("another scope", manager.devices_count(type="sha256", value=seen)["status_code"], 403)


def whole_sdk():
    """The one-class flavour of the SDK reaches the same endpoints by operation id."""
    harness = APIHarnessV2(base_url=BASE, **CLIENT)
    answer = harness.command("QueryDevicesByFilter", filter="hostname:'DC-01'")
    check("by operation id", (answer["status_code"], len(answer["body"]["resources"])), (200, 1))
    answer = harness.command("PerformActionV2", action_name="contain", ids=answer["body"]["resources"])
    check("action by operation id", answer["status_code"], 202)


JOBS = [token, bad_secret, expired_token, missing_scope, devices, contain_and_lift, real_time_response, batch_kill,
        alerts, indicators, sightings, whole_sdk]


def main():
    for job in JOBS:
        before = len(FAILURES)
        try:
            job()
        except Exception as error:  # A job that dies must not hide the others.
            FAILURES.append(f"{job.__name__} died: {type(error).__name__}: {error}")
        print(f"{'ok  ' if len(FAILURES) == before else 'FAIL'} {job.__name__}")
    for failure in FAILURES:
        print(f"  {failure}")
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
