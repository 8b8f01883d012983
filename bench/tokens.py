#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokens issued beside the npm package oidc-provider, in turns.

    bench/tokens.py [ROUNDS [SECONDS]]

Eight clients refresh as fast as they are answered: each answer rotates the refresh token and signs
an access and an ID token with ES256. Ours writes each rotation to the disk before it answers;
oidc-provider keeps everything in memory.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile

from user_server import ROOT, Person, memory_mib, processor_s, user_server

sys.path.insert(0, str(ROOT / "tests" / "clients"))

from test_oidc import CLIENTS, Browser  # noqa: E402
from test_removebg_node import find_node  # noqa: E402

CLIENTS_AT_ONCE = 8

# A thread a client, as each goes on with what it was answered.
REFRESH = """
local tokens, n = {%s}, 0
setup = function(thread)
    n = n + 1
    thread:set("token", tokens[n])
end
init = function()
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end
request = function()
    return wrk.format(nil, nil, nil,
                      "grant_type=refresh_token&client_id=shop&refresh_token=" .. token)
end
response = function(status, headers, body)
    token = body:match('"refresh_token":"([^"]+)"') or error(status .. " " .. body)
end
"""


def refresh(url, tokens, seconds):
    """Answers/s. Takes tokens out: the answers that come after the end are not read, so that those
    that were used cannot be gone on with."""
    mine = [tokens.pop() for _ in range(CLIENTS_AT_ONCE)]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(REFRESH % ", ".join(f'"{token}"' for token in mine))
        script.flush()
        out = subprocess.run(["wrk", f"-t{CLIENTS_AT_ONCE}", f"-c{CLIENTS_AT_ONCE}",
                              f"-d{seconds}s", "--timeout=30s", "-s", script.name, url],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(out)
    return float(out.split("Requests/sec:")[1].split()[0])


@contextlib.contextmanager
def oidc_provider(n_tokens):
    with subprocess.Popen([find_node(), ROOT / "bench" / "token_provider.mjs", str(n_tokens)],
                          text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        started = json.loads(process.stdout.readline())
        yield started["url"] + "/token", started["tokens"], process.pid
        process.stdin.close()


@contextlib.contextmanager
def imagesync(n_tokens):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as clients:
        json.dump(CLIENTS, clients)
        clients.flush()
        with user_server(oidc_clients=clients.name, attempts_per_address=1000000) as server:
            tokens = [Browser(server, scope="openid offline_access account")
                      .tokens(Person(server))["refresh_token"] for _ in range(n_tokens)]
            yield server.url + "/oauth/token", tokens, server


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    ours, theirs, used = [], [], []
    n_tokens = rounds * CLIENTS_AT_ONCE
    with (imagesync(n_tokens) as (url, tokens, server),
          oidc_provider(n_tokens) as (peer_url, peer_tokens, peer_pid)):
        for _ in range(rounds):
            before_s, peer_before_s = processor_s(server.process.pid), processor_s(peer_pid)
            theirs.append(refresh(peer_url, peer_tokens, seconds))
            ours.append(refresh(url, tokens, seconds))
            used.append(ours[-1] / (processor_s(server.process.pid) - before_s) /
                        (theirs[-1] / (processor_s(peer_pid) - peer_before_s)))
        ratio = statistics.median(own / their for own, their in zip(ours, theirs))
        print(f"refresh: {statistics.median(ours):.0f}/s, oidc-provider "
              f"{statistics.median(theirs):.0f}/s, {ratio:.1f} times; by processor time "
              f"{statistics.median(used):.1f} times; {memory_mib(server):.0f} MiB resident, "
              f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
