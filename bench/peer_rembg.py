# SPDX-License-Identifier: Apache-2.0
"""The peer: rembg on the same weights, as a library in one process, the fastest way to use it.

Started by compare.py with the ONNX file; prints "ready" when its session is up. Then each line of
standard input is `CONCURRENCY PHOTO PHOTO ...`; the answer is one JSON line: seconds per photo, in
order, and the wall clock of the whole line.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rembg import new_session, remove


def main():
    session = new_session("dis_custom", model_path=sys.argv[1])
    print("ready", flush=True)

    def cut_out(photo):
        started = time.monotonic()
        assert remove(photo, session=session)[:4] == b"\x89PNG"
        return time.monotonic() - started

    for line in sys.stdin:
        concurrency, *names = line.split()
        photos = [Path(name).read_bytes() for name in names]
        started = time.monotonic()
        with ThreadPoolExecutor(int(concurrency)) as pool:
            seconds = list(pool.map(cut_out, photos))
        print(json.dumps({"seconds": seconds, "wall": time.monotonic() - started}), flush=True)


if __name__ == "__main__":
    main()
