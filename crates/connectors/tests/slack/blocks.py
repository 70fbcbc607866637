"""Judges messages with the models of Slack's own Python SDK.

Reads a JSON list of messages ({"text", "blocks"}) from standard input, parses every block and checks its length limits.
Every finding is printed; the exit code says whether there is any.
"""

import json
import sys

from slack_sdk.models.blocks import Block

FINDINGS = []

for number, message in enumerate(json.load(sys.stdin)):
    blocks = Block.parse_all(message["blocks"])
    if len(blocks) > 50:
        FINDINGS.append(f"message {number}: {len(blocks)} blocks")
    if not message["text"]:
        FINDINGS.append(f"message {number}: no fallback text")
    for block, sent in zip(blocks, message["blocks"], strict=True):
        if block.type != sent["type"]:
            FINDINGS.append(f"message {number}: {sent['type']} is not a block the SDK knows")
        try:
            block.validate_json()
        except Exception as error:
            FINDINGS.append(f"message {number}: {sent['type']}: {error}")

for finding in FINDINGS:
    print(finding)
sys.exit(1 if FINDINGS else 0)
