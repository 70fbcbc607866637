"""Makes the domain that the tests of Active Directory run against: a Samba domain controller's folder,
with certificates and the people of a small company. Usage: provision.py FOLDER ADDRESS...

It is made once and copied for every test, so nothing in it knows where it lies or on which address it
is served.
"""

import os
import subprocess
import sys

from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

FOLDER, ADDRESSES = sys.argv[1], sys.argv[2:]
PASSWORD = "Tests-only-1234!"
DOMAIN = "DC=corp,DC=example,DC=test"
STAFF = f"OU=Staff,{DOMAIN}"
ELSEWHERE = f"OU=Elsewhere,{DOMAIN}"
# Class "user", its attributes userAccountControl and pwdLastSet, and the right to reset passwords.
USER = "bf967aba-0de6-11d0-a285-00aa003049e2"
WRITABLE = ["bf967a68-0de6-11d0-a285-00aa003049e2", "bf967a0a-0de6-11d0-a285-00aa003049e2"]
RESET = "00299570-246d-11d0-a768-00aa006e0529"


def run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{words[0]} failed:\n{done.stdout}")


def certificates(folder):
    """An authority, a certificate of it for every address, and an authority nobody trusts."""
    names = [f"IP:{address}" for address in ADDRESSES] + ["DNS:dc1.corp.example.test"]
    at = lambda name: os.path.join(folder, name)
    new_key = ["-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "3650"]
    for authority in ["ca", "other-ca"]:
        run("openssl", "req", "-x509", *new_key, "-subj", f"/CN=Tests {authority}",
            "-keyout", at(f"{authority}.key"), "-out", at(f"{authority}.pem"))
    with open(at("extensions"), "w") as file:
        file.write(f"subjectAltName={','.join(names)}\nbasicConstraints=CA:FALSE\n")
    run("openssl", "req", *new_key, "-subj", "/CN=dc1.corp.example.test",
        "-keyout", at("key.pem"), "-out", at("request"))
    run("openssl", "x509", "-req", "-in", at("request"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"),
        "-CAcreateserial", "-sha256", "-days", "3650", "-extfile", at("extensions"), "-out", at("cert.pem"))
    os.chmod(at("key.pem"), 0o600)


def people(database):
    def add(name, kinds, **attributes):
        database.add({"dn": name, "objectClass": kinds, **attributes})

    def user(name, place=STAFF, control=512, **attributes):
        attributes.setdefault("sAMAccountName", name)
        add(f"CN={name},{place}", ["top", "person", "organizationalPerson", "user"],
            userAccountControl=str(control), unicodePwd=f'"{PASSWORD}"'.encode("utf-16-le"), **attributes)

    def group(name, members):
        add(f"CN={name},{STAFF}", ["top", "group"], sAMAccountName=name, member=members)

    for place in [STAFF, ELSEWHERE]:
        add(place, ["top", "organizationalUnit"])
    user("quell", place=f"CN=Users,{DOMAIN}", userPrincipalName="quell@corp.example.test")
    user("powerless", place=f"CN=Users,{DOMAIN}", userPrincipalName="powerless@corp.example.test")
    user("bob", userPrincipalName="bob@corp.example.test", mail="robert@example.test")
    # Has no principal name of her own.
    user("carol")
    user("lasting", control=512 | 0x10000)
    user("gone", control=514)
    user("elsewhere", place=ELSEWHERE)
    user("twin-1", mail="twins@example.test")
    user("twin-2", mail="twins@example.test")
    user("web", servicePrincipalName="HTTP/web.corp.example.test")
    user("odd", sAMAccountName="o'dd)(x", mail="*)(\\odd@example.test")
    user("boss")
    group("Bosses", f"CN=boss,{STAFF}")
    add(f"CN=WS-07,{STAFF}", ["top", "person", "organizationalPerson", "user", "computer"],
        sAMAccountName="WS-07$", userAccountControl=str(0x1000))
    # An administrator through a group in a group.
    database.modify_ldif(
        f"dn: CN=Domain Admins,CN=Users,{DOMAIN}\nchangetype: modify\nadd: member\nmember: CN=Bosses,{STAFF}\n")


def main():
    run("samba-tool", "domain", "provision", "--realm=CORP.EXAMPLE.TEST", "--domain=CORP", "--server-role=dc",
        "--dns-backend=NONE", f"--adminpass={PASSWORD}", "--host-name=dc1", f"--host-ip={ADDRESSES[0]}",
        f"--targetdir={FOLDER}", "--option=interfaces=lo", "--option=bind interfaces only=yes",
        # Without it, a file system with security attributes is needed.
        "--option=vfs objects = dfs_samba4 acl_xattr xattr_tdb")
    configuration = os.path.join(FOLDER, "etc", "smb.conf")
    parameters = LoadParm()
    parameters.load(configuration)
    path = os.path.join(FOLDER, "private", "sam.ldb")
    database = SamDB(url=path, session_info=system_session(), lp=parameters)
    people(database)
    found = database.search(f"CN=quell,CN=Users,{DOMAIN}", scope=0, attrs=["objectSid"])
    sid = database.schema_format_value("objectSid", found[0]["objectSid"][0]).decode()
    granted = [f"(OA;CIIO;RPWP;{attribute};{USER};{sid})" for attribute in WRITABLE]
    granted.append(f"(OA;CIIO;CR;{RESET};{USER};{sid})")
    run("samba-tool", "dsacl", "set", f"--objectdn={STAFF}", f"--sddl={''.join(granted)}", "-H", path,
        "-s", configuration)
    tls = os.path.join(FOLDER, "private", "tls")
    os.makedirs(tls, exist_ok=True)
    certificates(tls)


main()
