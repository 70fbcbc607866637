"""Judges the requests of the GitHub connector, and the webhooks its tests make up, by the vendor's published descriptions.

Usage: github.py RECORDED.json FIXTURES

RECORDED has a list of requests for each product; FIXTURES is the folder of the made-up webhooks.
"""

import json
import pathlib
import sys

from description import Description, from_npm, judge

REST = "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg=="
WEBHOOKS = "Z5eDsLCUNbx1zHpZb1LNQirADqdMTvWJQ/deahi0ws+tWWnwHXB+Pr4jfmM9OrETS9Y5iW8ZRu1fdbudObhLrg=="
# The description of each product, and what stands before its paths.
PRODUCTS = {"org": ("api.github.com", ""), "ghes": ("ghes-3.19", "/api/v3"), "emu": ("ghec", "")}

recorded = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
for product, (name, base) in PRODUCTS.items():
    document = from_npm("@octokit/openapi", "23.0.2", f"package/generated/{name}.json", REST)
    patch = document["components"]["schemas"].get("patch-schema")
    if patch:
        # Typed as a text here, while the description's own example `disableUser` sends an object.
        patch["properties"]["Operations"]["items"]["properties"]["value"] = {}
    judge(Description(document, base), recorded[product])

document = from_npm("@octokit/openapi-webhooks", "12.1.0", "package/generated/api.github.com.json", WEBHOOKS)
description = Description({**document, "paths": {}})
wrong = []
for file, webhook in [
    ("secret_scanning_alert", "secret-scanning-alert-publicly-leaked"),
    ("code_scanning_alert", "code-scanning-alert-created"),
    ("dependabot_alert", "dependabot-alert-fixed"),
]:
    fixture = json.loads((pathlib.Path(sys.argv[2]) / f"{file}.json").read_text(encoding="utf-8"))
    body = document["webhooks"][webhook]["post"]["requestBody"]["content"]["application/json"]["schema"]
    found = []
    description._fits(fixture, body, file, "$", found, set())
    # Fixtures leave out what is not read; what they have must be as the vendor has it.
    wrong += [complaint for complaint in found if not complaint.endswith(" is missing")]
if wrong:
    raise SystemExit("\n".join(wrong))
