# SPDX-License-Identifier: Apache-2.0
"""The npm package oidc-provider as a process, and a person's way through its pages."""

import contextlib
import html
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import urljoin

from test_removebg_node import find_node

HERE = Path(__file__).resolve().parent
SECRET = "a secret: of the clients %"
METHODS = {"rs": "client_secret_basic", "ps": "client_secret_post", "es": "none",
           "ed": "client_secret_basic"}


class Provider:
    def __init__(self, process):
        self.process = process
        self.url = self.told()["url"]

    def told(self):
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=30)[1]
        return json.loads(line)

    def configuration(self, name):
        """The file for --issuers, with the client of that name."""
        secret = {} if METHODS[name] == "none" else {"client_secret": SECRET}
        return {"allow": "127.0.0.1/32", "issuers": [
            {"name": name, "title": f"Provider {name}", "issuer": self.url, "client_id": name,
             "token_endpoint_auth_method": METHODS[name], **secret}]}

    def serve(self, url):
        """From now on, for the server at `url`."""
        self.process.stdin.write(json.dumps(
            {name: f"{url}/oauth/issuers/{name}/callback" for name in METHODS}) + "\n")
        self.process.stdin.flush()
        assert self.told() == "ready"


@contextlib.contextmanager
def provider():
    with subprocess.Popen([find_node(), HERE / "oidc_provider.mjs"], cwd=HERE, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        try:
            yield Provider(process)
        finally:
            process.kill()


def walk(browser, url, name, until):
    """Signs in at the provider and allows, until it leads to `until`; that address."""
    for _ in range(12):
        if url.startswith(until):
            return url
        reply = browser.get(url, timeout=30, allow_redirects=False)
        while reply.status_code == 200:
            action = html.unescape(re.search(r'action="([^"]+)"', reply.text)[1])
            hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', reply.text))
            reply = browser.post(urljoin(url, action), timeout=30, allow_redirects=False,
                                 data={**hidden, "login": name, "password": "any"})
        assert reply.status_code in (302, 303), reply.text
        url = urljoin(url, reply.headers["Location"])
    raise AssertionError(f"it leads nowhere: {url}")
