#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A sealed upload into a folder of blobs beside `dd conv=fsync` of as many bytes, in turns.

    bench/blobs.py [MIB [ROUNDS [FOLDER]]]

Both end when the bytes are durable. The median of the rounds' ratios is what counts, as each
round's halves see the same disk.
"""

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "build" / "bench" / "blobs_bench"
MIB = 1 << 20


def dd(folder, mib):
    """MiB/s of dd alone; the zeros cost it nothing."""
    out = subprocess.run(["dd", "if=/dev/zero", f"of={folder}/plain", "bs=1M", f"count={mib}",
                          "conv=fsync"], check=True, capture_output=True, text=True,
                         env={"LC_ALL": "C"}).stderr
    size, seconds = re.search(r"(\d+) bytes .* copied, ([\d.e-]+) s", out).groups()
    (folder / "plain").unlink()
    return int(size) / MIB / float(seconds)


def ours(folder, mib, sync_mib):
    with tempfile.TemporaryDirectory(dir=folder) as store:
        return float(subprocess.run([BENCH, f"{store}/blobs", str(mib), str(sync_mib)], check=True,
                                    capture_output=True, text=True).stdout)


def main():
    mib, rounds = (int(word) for word in (sys.argv[1:3] + ["512", "5"][len(sys.argv[1:3]):]))
    with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else ROOT) as name:
        folder = Path(name)
        runs = [(dd(folder, mib), ours(folder, mib, 0), ours(folder, mib, 8))
                for _ in range(rounds)]
    for at, what in ((1, "synced once"), (2, "synced every 8 MiB")):
        ratio = statistics.median(run[at] / run[0] for run in runs)
        print(f"sealed upload of {mib} MiB, {what}: "
              f"{statistics.median(run[at] for run in runs):.0f} MiB/s, dd conv=fsync "
              f"{statistics.median(run[0] for run in runs):.0f} MiB/s, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
