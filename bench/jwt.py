#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Token verification beside `openssl speed` for the same signature, in turns.

    bench/jwt.py [ROUNDS]

All count processor time, so other work on the machine does not matter. The median of the rounds'
ratios is what counts, as each round's two halves see the same machine.
"""

import re
import statistics
import subprocess
import sys
from pathlib import Path

import asked

BENCH = Path(__file__).resolve().parent.parent / "build" / "bench" / "jwt_bench"


def openssl(algorithm):
    """(verifications/s, signings/s) of OpenSSL alone."""
    out = subprocess.run(["openssl", "speed", "-seconds", "1", algorithm], check=True,
                         capture_output=True, text=True).stdout
    sign, verify = re.search(r"([\d.]+)\s+([\d.]+)\s*$", out.strip()).groups()
    return float(verify), float(sign)


def ours(algorithm):
    """(verifications/s, signings/s, verifications/s of a token that was verified before)."""
    out = subprocess.run([BENCH, algorithm, "1"], check=True, capture_output=True, text=True).stdout
    return tuple(map(float, out.split()))


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for name, theirs in (("es256", "ecdsap256"), ("eddsa", "ed25519")):
        runs = [(openssl(theirs), ours(name)) for _ in range(rounds)]
        for at, what, least in ((0, "verify", 0.9), (1, "sign", None)):
            ratio = statistics.median(own[at] / bare[at] for bare, own in runs)
            print(f"{name} {what}: {statistics.median(own[at] for _, own in runs):.0f}/s, openssl "
                  f"{statistics.median(bare[at] for bare, _ in runs):.0f}/s, ratio {ratio:.3f}"
                  f"{asked.at_least(ratio, least)}")
        again = statistics.median(own[2] for _, own in runs)
        print(f"{name} verify, cached: {again:.0f}/s a core{asked.at_least(again, 500_000)}")


if __name__ == "__main__":
    main()
