#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over our own C files, as many at a time as there are processors.

A file that was clean stays clean until it, a header, or the rules change: its digest is kept in
build/clang-tidy/, because a whole run takes minutes.
"""

import concurrent.futures
import hashlib
import os
import subprocess
import sys
from pathlib import Path

CLEAN = Path("build/clang-tidy")


def listed(*patterns):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard",
                          *patterns], capture_output=True, text=True, check=True).stdout
    return sorted(path for path in out.splitlines() if Path(path).is_file())


def main():
    shared = hashlib.sha256()
    for path in [".clang-tidy", *listed("src/*.h")]:
        shared.update(Path(path).read_bytes())
    CLEAN.mkdir(parents=True, exist_ok=True)

    def check(path):
        digest = shared.copy()
        digest.update(path.encode() + Path(path).read_bytes())
        mark = CLEAN / digest.hexdigest()
        if mark.exists():
            return path, 0, ""
        done = subprocess.run(["clang-tidy-14", "--quiet", "-p", "build", path],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0:
            mark.touch()
        return path, done.returncode, done.stdout

    files = [path for path in listed("src/*.c") if not path.endswith("_test.c")]
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, code, output in pool.map(check, files):
            if code != 0:
                findings += 1
                print(f"{path}:\n{output}")
    print(f"clang-tidy: {len(files)} files, {findings} with findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
