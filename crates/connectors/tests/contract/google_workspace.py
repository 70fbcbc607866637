"""Judges recorded requests of the Google Workspace connector by the discovery documents Google ships in its own client.

Usage: google_workspace.py REQUESTS_FILE
"""

import importlib.resources
import json
import sys

from description import Description, judge

DOCUMENTS = importlib.resources.files("googleapiclient.discovery_cache") / "documents"
# Beginning of the path, and the document that describes what is below it.
SERVICES = [
    ("/admin/directory/", "admin.directory_v1"),
    ("/admin/reports/", "admin.reports_v1"),
    ("/v1beta1/", "alertcenter.v1beta1"),
]
# Discovery documents describe services, not how tokens are obtained; the vendor's client judges that (tests/sdk).
EXEMPT = [("POST", "/token", "OAuth is not part of any discovery document")]

with open(sys.argv[1], encoding="utf-8") as file:
    requests = json.load(file)


def of(request, prefix):
    return request["target"].startswith(prefix)


strangers = {
    f"{request['method']} {request['target']}"
    for request in requests
    if not any(of(request, prefix) for prefix, _ in SERVICES)
    and not any((request["method"], request["target"]) == (method, path) for method, path, _ in EXEMPT)
}
if strangers:
    raise SystemExit(f"to no service: {sorted(strangers)}")

for prefix, name in SERVICES:
    document = json.loads((DOCUMENTS / f"{name}.json").read_text(encoding="utf-8"))
    judge(Description(document), [request for request in requests if of(request, prefix)], EXEMPT)
