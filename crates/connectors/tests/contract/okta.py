"""Judges the requests of the Okta connector by the vendor's published description of its API.

Usage: okta.py REQUESTS.json
"""

import json
import pathlib
import sys

from description import Description, from_npm, judge

SHA512 = "twwPLKMJ5HlEZvdL6n0TiOIYqJVihM7g3UI1oSKBm9mPb0Fv9BIFKVOOrloJ3LiEnhTOzkR8w16BdCxbPTVcjg=="

# The newest description in a registry is from 2022; the API has moved on.
EXEMPT = [
    ("POST", r"/oauth2/v1/token", "the description is of the management API; signing in is not in it"),
    ("GET", r"/oauth2/v1/clients/[^/]+/roles", "roles of apps came later"),
    ("GET", r"/api/v1/iam/assignees/users", "the list of administrators came later"),
    ("POST", r"/api/v1/users/[^/]+/lifecycle/expire_password_with_temp_password",
     "the description still has `expire_password?tempPassword=true`, which this path replaced"),
]
# `forgetDevices` of DELETE /users/{id}/sessions came later.
LATER_QUERY = {"forgetDevices"}

description = Description(from_npm("@okta/openapi", "2.15.0", "package/dist/spec.json", SHA512))
requests = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
judge(description, requests, exempt=EXEMPT, allowed_query=LATER_QUERY)
