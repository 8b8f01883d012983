#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a check and a rebuild of a library take, and how long they keep others from writing: on SQLite and
this machine's disk.

Prints a Markdown table.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=100_000)
    arguments = parser.parse_args()
    subprocess.run(["ninja", "-C", ROOT / "build", "--quiet", "bench/rebuild_bench"], check=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        subprocess.run([ROOT / "build" / "bench" / "rebuild_bench", Path(folder) / "library.db",
                        str(arguments.photos)], check=True)


if __name__ == "__main__":
    main()
