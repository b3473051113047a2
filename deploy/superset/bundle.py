#!/usr/bin/env python3
"""Zips the bundle of Superset dashboards, and imports it. Needs Python 3.9 and nothing else.

  bundle.py zip FILE     a zip for Superset's own import: Dashboards, the button beside + Dashboard
  bundle.py import       imports into a running Superset, over what an earlier version of the bundle left there

Both put the connection of the warehouse into it: SMARTASSIST_BI_URL, as postgresql+psycopg2://login@host:5432/database; without one, the
one of the compose file. Its password is read from the file SMARTASSIST_BI_PASSWORD_FILE, and is never in a zip: Superset asks for it.

import: SUPERSET_URL (http://127.0.0.1:8088), SUPERSET_USER (admin), SUPERSET_PASSWORD_FILE. SUPERSET_WAIT_SECONDS (0): how long to
wait for a Superset that is starting.
"""

import io
import json
import os
import pathlib
import re
import sys
import time
import urllib.error
import urllib.request
import uuid
import zipfile

BUNDLE = pathlib.Path(__file__).resolve().parent / "bundle"
DATABASE = "databases/SmartAssist.yaml"
ROOT = "smartassist"


def zipped(kind):
    """The bundle as bytes; kind is what Superset takes it for: Dashboard in the browser, assets in the API, which overwrites."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(BUNDLE.rglob("*.yaml")):
            name = path.relative_to(BUNDLE).as_posix()
            text = path.read_text(encoding="utf-8")
            if name == "metadata.yaml":
                text = re.sub(r"(?m)^type: .*$", f"type: {kind}", text)
            elif name == DATABASE:
                text = with_connection(text)
            archive.writestr(f"{ROOT}/{name}", text)
    return buffer.getvalue()


def with_connection(text):
    url = os.environ.get("SMARTASSIST_BI_URL")
    if not url:
        return text
    if not re.fullmatch(r"postgresql(\+psycopg2)?://[^\s@/:]+@[^\s@]+", url):
        sys.exit("bundle: SMARTASSIST_BI_URL must be postgresql+psycopg2://login@host:5432/database, without a password")
    # The mask tells Superset that there is a password, which comes beside the bundle.
    masked = url.replace("@", ":XXXXXXXXXX@", 1)
    return re.sub(r"(?m)^sqlalchemy_uri: .*$", lambda _: f"sqlalchemy_uri: {json.dumps(masked)}", text)


def secret(variable):
    path = os.environ.get(variable)
    if not path:
        sys.exit(f"bundle: {variable} is not set: the name of a file with the password")
    return pathlib.Path(path).read_text(encoding="utf-8").strip()


class Superset:
    def __init__(self):
        self.url = os.environ.get("SUPERSET_URL", "http://127.0.0.1:8088").rstrip("/")
        self.headers = {}
        # A cookie belongs to the token that protects against forged requests.
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def ask(self, path, body=None, content_type="application/json"):
        headers = dict(self.headers, Referer=self.url)
        if body is not None:
            headers["Content-Type"] = content_type
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        with self.opener.open(request, timeout=300) as answer:
            return answer.read()

    def wait(self):
        deadline = time.monotonic() + int(os.environ.get("SUPERSET_WAIT_SECONDS", "0"))
        while True:
            try:
                return self.ask("/health")
            except OSError as error:
                if time.monotonic() > deadline:
                    sys.exit(f"bundle: no Superset at {self.url}: {error}")
                time.sleep(2)

    def sign_in(self):
        login = {
            "username": os.environ.get("SUPERSET_USER", "admin"),
            "password": secret("SUPERSET_PASSWORD_FILE"),
            "provider": "db",
        }
        answer = json.loads(self.ask("/api/v1/security/login", json.dumps(login).encode()))
        self.headers["Authorization"] = f"Bearer {answer['access_token']}"
        self.headers["X-CSRFToken"] = json.loads(self.ask("/api/v1/security/csrf_token/"))["result"]

    def upload(self, path, field, bundle, password):
        boundary = uuid.uuid4().hex
        passwords = json.dumps({DATABASE: password}).encode()
        parts = [
            (b'name="passwords"', passwords),
            (b'name="%s"; filename="smartassist.zip"\r\nContent-Type: application/zip' % field.encode(), bundle),
        ]
        body = b"".join(
            b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (boundary.encode(), head, content) for head, content in parts
        )
        body += b"--%s--\r\n" % boundary.encode()
        self.ask(path, body, f"multipart/form-data; boundary={boundary}")

    def import_assets(self, bundle, password):
        """Over what is there."""
        self.upload("/api/v1/assets/import/", "bundle", bundle, password)


def main(arguments):
    if arguments[:1] == ["zip"] and len(arguments) == 2:
        pathlib.Path(arguments[1]).write_bytes(zipped("Dashboard"))
        print(f"bundle: {arguments[1]} is written")
    elif arguments == ["import"]:
        superset = Superset()
        try:
            superset.wait()
            superset.sign_in()
            superset.import_assets(zipped("assets"), secret("SMARTASSIST_BI_PASSWORD_FILE"))
        except urllib.error.HTTPError as error:
            sys.exit(f"bundle: {error.url}: {error.code}: {error.read().decode(errors='replace')[:2000]}")
        print(f"bundle: the dashboards are at {superset.url}/dashboard/list/")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
