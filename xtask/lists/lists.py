"""Writes what much of the internet relies on, from the MISP warning lists, as small sorted texts.

Usage: lists.py PACKAGE_FOLDER OUT_FOLDER

Names are lower case, one a line, sorted by their bytes, so that a program can search the text as it is. Ranges are
merged: neighbours become one, and what lies inside another is left out.
"""

import ipaddress
import json
import sys
from pathlib import Path

VERSION = "1.7.0"

# The most visited domains: five rankings over thirty days, which is hard to climb with traffic of one's own.
DOMAINS = ["tranco10k"]
# What the two most copied companies say is theirs.
OWNED = ["google", "microsoft", "microsoft-office365", "microsoft-win10-connection-endpoints"]
# Host names asked for most. Taken only below one of the domains: the ranking counts questions, also those of malware.
HOSTS = ["cisco_top5k"]
# Below these anybody can have a name: dynamic DNS, and what attackers are known to rent or sign up for.
HOSTING = ["dynamic-dns", "lots-project"]
# Content networks, clouds, mail providers and proxies: one address there answers for many.
RANGES = [
    "akamai", "amazon-aws", "apple", "cloudflare", "fastly", "google-gcp", "google-gmail-sending-ips", "microsoft-azure",
    "microsoft-azure-china", "microsoft-azure-us-gov", "microsoft-office365-cn", "microsoft-office365-ip",
    "smtp-receiving-ips", "smtp-sending-ips", "wikimedia", "zscaler",
]

NOTICE = """\
# {title}
#
# Written by `cargo xtask lists`; do not edit. From pymispwarninglists {version} (https://github.com/MISP/misp-warninglists),
# Copyright (c) 2017, 2018, MISP Project, Raphael Vinot; 3-clause BSD licence, which stands in LICENSE beside this file.
# Lists: {lists}
"""


def load(package, name):
    found = sorted(package.glob(f"**/lists/{name}/list.json"))
    if len(found) != 1:
        sys.exit(f"the package has no list `{name}`")
    return json.loads(found[0].read_text(encoding="utf-8"))


def names(document):
    for entry in document["list"]:
        name = entry.strip().lower().lstrip(".").rstrip(".")
        ascii_name = name.isascii() and all(c.isalnum() or c in "-._" for c in name)
        if "." in name and ascii_name:
            yield name


def above(name):
    """The names above a name, the nearest first."""
    labels = name.split(".")
    return (".".join(labels[i:]) for i in range(1, len(labels) - 1))


def licence(package):
    found = sorted(package.glob("**/*.dist-info/**/LICENSE"))
    if len(found) != 1:
        sys.exit("the package has no licence, or several")
    return found[0].read_text(encoding="utf-8")


def write(folder, file, title, used, lines):
    lists = ", ".join(f"{name} {document['version']}" for name, document in used)
    header = NOTICE.format(title=title, version=VERSION, lists=lists)
    text = header + "".join(f"{line}\n" for line in lines)
    (folder / file).write_text(text, encoding="ascii", newline="\n")


def main():
    package, folder = Path(sys.argv[1]), Path(sys.argv[2])
    loaded = {name: load(package, name) for name in [*DOMAINS, *OWNED, *HOSTS, *HOSTING, *RANGES]}

    def used(*groups):
        return [(name, loaded[name]) for group in groups for name in group]

    domains = {name for list_name in DOMAINS for name in names(loaded[list_name])}
    owned = {name for list_name in OWNED for name in names(loaded[list_name])}
    hosts = {name for list_name in HOSTS for name in names(loaded[list_name])}
    # A name below a listed domain is a host of it; any other that a company calls its own is a domain too.
    domains |= {name for name in owned if not any(other in domains for other in above(name))}
    hosts = {name for name in owned | hosts if name not in domains and any(other in domains for other in above(name))}
    # `lots-project` spells "anything below" with a dot; its other entries are hosts and pages.
    rented = {entry.lstrip(".") for name in HOSTING for entry in loaded[name]["list"] if entry.startswith(".")}
    hosting = {name for name in rented if name in domains or any(other in domains for other in above(name))}

    networks = {4: [], 6: []}
    for name in RANGES:
        for entry in loaded[name]["list"]:
            network = ipaddress.ip_network(entry.strip(), strict=False)
            networks[network.version].append(network)
    merged = [network for version in (4, 6) for network in ipaddress.collapse_addresses(networks[version])]

    (folder / "LICENSE").write_text(licence(package), encoding="utf-8", newline="\n")
    write(folder, "top-domains.txt", "The most visited domains.", used(DOMAINS, OWNED), sorted(domains))
    write(folder, "top-hosts.txt", "Host names asked for most, below these domains.", used(HOSTS, OWNED), sorted(hosts))
    write(folder, "hosting-domains.txt", "Names of the above below which anybody can have one.", used(HOSTING), sorted(hosting))
    write(folder, "shared-ranges.txt", "Addresses that many share.", used(RANGES), merged)


if __name__ == "__main__":
    main()
