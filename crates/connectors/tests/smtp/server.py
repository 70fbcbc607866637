"""An SMTP server to test against, with a certificate authority of its own.

Usage: server.py '{"tls": "starttls|implicit|none", "auth": true, "folder": "…"}'

It listens on a free port of this machine and prints one line of JSON: the port and the files of two certificate
authorities, the one that signed its certificate and one that did not. Then it obeys, one line of JSON each, what comes
on standard input, and answers each with one line. It ends with its standard input.

Addresses decide: `gone@` is refused for good, `later@` for now. What the tests read is parsed by Python's own parser.
"""

import asyncio
import email
import email.policy
import html.parser
import json
import ssl
import sys

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

OPTIONS = json.loads(sys.argv[1])
USER, PASSWORD = b"quell", b"correct horse"


def say(value):
    print(json.dumps(value), flush=True)


class Markup(html.parser.HTMLParser):
    """What a mail program would make of the HTML: its tags, where it leads, and the attributes it has."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.attributes = set(), [], set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        self.links += [value for name, value in attributes if name in ("href", "src")]


def markup(parsed):
    found = [Markup(part.get_content()) for part in parsed.iter_parts() if part.get_content_type() == "text/html"]
    return {
        "tags": sorted(set().union(*(page.tags for page in found))),
        "attributes": sorted(set().union(*(page.attributes for page in found))),
        "links": [link for page in found for link in page.links],
    }


class Handler:
    def __init__(self):
        self.messages = []
        self.servers = set()
        self.drop = 0
        self.stall = 0
        self.replies = {}

    def forced(self, command):
        """A reply the test asked for, once."""
        return self.replies.pop(command, None)

    async def handle_MAIL(self, server, session, envelope, address, options):
        if reply := self.forced("MAIL"):
            return reply
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone"):
            return "550 5.1.1 no such user here"
        if address.startswith("later"):
            return "452 4.2.2 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.stall:
            self.stall -= 1
            say({"event": "stalled"})
            await asyncio.Event().wait()
        if reply := self.forced("DATA"):
            return reply
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.messages.append(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "peer": session.peer[1],
                "encrypted": session.ssl is not None or OPTIONS["tls"] == "implicit",
                "authenticated": bool(session.authenticated),
                "headers": [[name, str(value)] for name, value in parsed.items()],
                "recipients": [[str(a.display_name), a.addr_spec] for a in parsed["To"].addresses],
                "parts": [[part.get_content_type(), part.get_content()] for part in parsed.iter_parts()],
                "markup": markup(parsed),
                "defects": [repr(defect) for part in parsed.walk() for defect in part.defects],
                "longest_line": max(len(line) for line in envelope.original_content.splitlines()),
                "ascii": envelope.original_content.isascii(),
            }
        )
        if self.drop:
            self.drop -= 1
            server.transport.abort()
        return "250 2.0.0 taken"

    async def obey(self, order):
        match order["op"]:
            case "messages":
                return self.messages
            case "drop_after_data":
                self.drop = order["times"]
            case "stall":
                self.stall = order["times"]
            case "reply":
                self.replies[order["command"]] = order["reply"]
            case "close_all":
                for server in list(self.servers):
                    if server.transport is not None:
                        server.transport.abort()
        return True


class Server(SMTP):
    def connection_made(self, transport):
        self.event_handler.servers.add(self)
        super().connection_made(transport)

    def connection_lost(self, error):
        self.event_handler.servers.discard(self)
        super().connection_lost(error)


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == USER and data.password == PASSWORD
    return AuthResult(success=good, handled=False)


async def main():
    loop = asyncio.get_running_loop()
    handler = Handler()
    authority, stranger = trustme.CA(), trustme.CA()
    files = {}
    for name, ca in [("ca_file", authority), ("other_ca_file", stranger)]:
        files[name] = f"{OPTIONS['folder']}/{name}.pem"
        ca.cert_pem.write_to_path(files[name])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    tls = OPTIONS["tls"]
    keywords = {"authenticator": authenticate, "auth_required": True} if OPTIONS["auth"] else {}
    if tls == "starttls":
        keywords |= {"tls_context": context, "require_starttls": True}
    else:
        keywords |= {"auth_require_tls": False}

    def protocol():
        return Server(handler, hostname="mail.test", ident="test", loop=loop, **keywords)

    listening = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if tls == "implicit" else None)
    say({"port": listening.sockets[0].getsockname()[1], **files})
    orders = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        say(await handler.obey(json.loads(line)))


asyncio.run(main())
