"""Judges requests to Duo's Admin API by the vendor's own client: it signs each of them again.

Usage: duo.py REQUESTS IKEY SKEY

REQUESTS is a JSON list of {"method", "target", "headers", "body"}. Duo publishes no description of its API, so its
signer is the peer. Both versions of the signature are told apart as Duo does: by the kind of body.
"""

import email.utils
import hashlib
import json
import sys
import urllib.parse

from duo_client.client import sign

REQUESTS, IKEY, SKEY = sys.argv[1:]

# What duo_client/admin.py itself calls, and the parameters it sends there.
KNOWN = {
    ("GET", "/admin/v1/users"): {"username", "email", "limit", "offset"},
    ("GET", "/admin/v1/trust_monitor/events"): {"mintime", "maxtime", "limit", "offset", "type"},
    ("GET", "/admin/v2/logs/authentication"): {"mintime", "maxtime", "limit", "next_offset", "sort"},
}
FAILURES = []


def parameters(text):
    return urllib.parse.parse_qs(text, keep_blank_values=True, strict_parsing=True) if text else {}


for request in json.load(open(REQUESTS)):
    method, headers, body = request["method"], request["headers"], request["body"]
    path, _, query = request["target"].partition("?")
    sent = parameters(query)
    if method == "GET" and (method, path) in KNOWN:
        for name in sent.keys() - KNOWN[method, path]:
            FAILURES.append(f"{method} {path}: `{name}` is no parameter")
    elif not path.startswith("/admin/v1/users/") or "/" in path.removeprefix("/admin/v1/users/"):
        FAILURES.append(f"{method} {path} is not called by the vendor's client")
    if email.utils.parsedate_to_datetime(headers["date"]) is None:
        FAILURES.append(f"{method} {path}: `{headers['date']}` is no date")

    kind = headers.get("content-type", "")
    if method == "GET":
        versions = [(5, {}), (2, {"digestmod": hashlib.sha512})]
    elif kind == "application/json":
        versions = [(5, {})]
        if body != json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")):
            FAILURES.append(f"{method} {path}: the body is not in the form that is signed")
        sent = {}
    else:
        versions = [(2, {"digestmod": hashlib.sha512})]
        sent = parameters(body)
    host = headers["host"].rpartition(":")[0]
    expected = []
    for version, options in versions:
        signed = body if version == 5 else None
        if version == 5:
            options = {"digestmod": hashlib.sha512, "additional_headers": {}}
        expected.append(sign(IKEY, SKEY, method, host, path, headers["date"], version, sent, body=signed, **options))
    if headers["authorization"] not in expected:
        FAILURES.append(f"{method} {request['target']}: the vendor's client signs it otherwise")

for failure in FAILURES:
    print(failure)
sys.exit(1 if FAILURES else 0)
