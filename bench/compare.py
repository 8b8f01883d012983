#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Image Sync beside rembg: the same weights, the same photos, the same machine, in turn.

`make bench` runs it. rembg is used as a library in one warm process (its fastest way); Image Sync
is the real server over HTTP, its cache of mattes switched off. The two take turns photo set by
photo set, so that a machine whose speed drifts does not favour one. Prints figures and ratios and
writes them to out/bench.json; never fails because of a figure.
"""

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from process_tree import MemoryWatch, cpu_seconds, memory_bytes

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "build" / "imagesync"
MODELS = ROOT / "var" / "models"
KEY = "bench-key"
MB = 1e6


def photos(folder):
    """Twelve real photos of one megapixel each, and one of 24, made once as JPEG files."""
    data = next(ROOT.glob(".deps/venv/lib/python3*/site-packages/skimage/data"))
    opencv = Path("/usr/share/doc/opencv-doc/examples/data")
    wanted = [data / "astronaut.png", data / "chelsea.png", data / "coffee.png",
              data / "rocket.jpg", *(opencv / name for name in (
                  "aloeL.jpg", "apple.jpg", "orange.jpg", "butterfly.jpg", "fruits.jpg",
                  "HappyFish.jpg", "squirrel_cls.jpg", "home.jpg", "messi5.jpg", "lena.jpg"))]
    sources = [path for path in wanted if path.exists()][:12]
    if len(sources) < 4:
        sys.exit("The benchmark's photos are missing: run tools/setup.sh bench.")
    folder.mkdir(parents=True, exist_ok=True)

    def resized(path, pixels, name):
        target = folder / name
        if not target.exists():
            image = Image.open(path).convert("RGB")
            scale = (pixels / (image.width * image.height)) ** 0.5
            size = round(image.width * scale), round(image.height * scale)
            image.resize(size, Image.Resampling.LANCZOS).save(target, quality=92)
        return target

    small = [resized(path, 1e6, f"{path.stem}-1mp.jpg") for path in sources]
    return small, resized(sources[0], 24e6, "photo-24mp.jpg")


def rembg_home(onnx):
    """rembg loads models from its own folder only, which the environment names."""
    return {**os.environ, "U2NET_HOME": str(onnx.parent)}


class Rembg:
    name = "rembg"

    def __init__(self, onnx):
        self.process = subprocess.Popen(
            [ROOT / ".deps/bench/bin/python", ROOT / "bench/peer_rembg.py", onnx],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=rembg_home(onnx))
        if self.process.stdout.readline().strip() != "ready":
            sys.exit("rembg did not start; its error is above.")
        self.pid = self.process.pid

    def run(self, batch, concurrency):
        print(concurrency, *batch, file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        return answer["seconds"], answer["wall"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class ImageSync:
    name = "Image Sync"

    def __init__(self, data):
        (data / "models").symlink_to(MODELS)
        self.process = subprocess.Popen(
            [BINARY, "serve", "--listen", "127.0.0.1:0", "--data", data, "--matte-cache-mib", "0"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            env={**os.environ, "IMAGESYNC_API_KEYS": KEY,
                 "IMAGESYNC_MEGAPIXELS_PER_MINUTE": "1000000"})
        self.pid = self.process.pid
        self.port = None
        while self.port is None:
            line = self.process.stderr.readline()
            if not line:
                sys.exit("imagesync serve did not start; run it by hand to see why.")
            if line.startswith("{") and json.loads(line).get("event") == "listening":
                self.port = json.loads(line)["port"]
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()
        while self.get("/readyz") != 200:
            time.sleep(0.01)

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        return connection.getresponse().status

    def post(self, photo, fields=(("size", "full"), ("format", "png"))):
        boundary = "----bench"
        body = b"".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
                        f"{value}\r\n".encode() for name, value in fields)
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="image_file"; '
                 f'filename="photo.jpg"\r\n\r\n').encode() + photo + f"\r\n--{boundary}--\r\n".encode()
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", "/v1.0/removebg", body, {
            "X-API-Key": KEY, "Content-Type": f"multipart/form-data; boundary={boundary}"})
        reply = connection.getresponse()
        content = reply.read()
        assert reply.status == 200, content[:500]
        return time.monotonic() - started

    def run(self, batch, concurrency):
        contents = [Path(photo).read_bytes() for photo in batch]
        started = time.monotonic()
        with ThreadPoolExecutor(concurrency) as pool:
            seconds = list(pool.map(self.post, contents))
        return seconds, time.monotonic() - started

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(systems, batch, concurrency, rounds):
    """Each system in turn runs the batch, `rounds` times; the figures of all rounds together."""
    figures = {system.name: {"seconds": [], "wall": 0.0, "cpu": 0.0, "pss": 0, "rss": 0}
               for system in systems}
    for _ in range(rounds):
        for system in systems:
            total = figures[system.name]
            cpu = cpu_seconds(system.pid)
            with MemoryWatch(system.pid) as memory:
                seconds, wall = system.run(batch, concurrency)
            total["seconds"] += seconds
            total["wall"] += wall
            total["cpu"] += cpu_seconds(system.pid) - cpu
            total["pss"] = max(total["pss"], memory.peak[0])
            total["rss"] = max(total["rss"], memory.peak[1])
    for total in figures.values():
        count = len(total["seconds"])
        total |= {"images_per_s": count / total["wall"], "cpu_per_image": total["cpu"] / count,
                  "p50": statistics.median(total["seconds"]),
                  "p99": percentile(total["seconds"], 0.99)}
    return figures


def cold_start(photo, onnx, data):
    """From nothing to the first cut-out on disk, whole processes; the best of three each."""
    def timed(command, **options):
        started = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       **options)
        return time.monotonic() - started

    ours = [timed([BINARY, "cutout", photo, "-o", data / "cold.png", "--force", "--data", data])
            for _ in range(3)]
    theirs = [timed([ROOT / ".deps/bench/bin/python", ROOT / "bench/peer_rembg.py", onnx],
                    input=f"1 {photo}\n", text=True, env=rembg_home(onnx)) for _ in range(3)]
    return min(ours), min(theirs)


def outside_model(photos_1mp, data):
    """The share of an image's time spent outside the model, from the tool's own step times."""
    done = subprocess.run(
        [BINARY, "cutout", *photos_1mp, "-o", data / "steps", "--json", "--jobs", "1", "--format",
         "png", "--force", "--data", data, "--matte-cache-mib", "0"],
        check=True, capture_output=True, text=True)
    steps = [json.loads(line)["timings_ms"] for line in done.stdout.splitlines()
             if line.startswith("{") and "timings_ms" in line]
    return {name: statistics.median(step[name] for step in steps) for name in steps[0]}


def row(label, ours, theirs, unit, better):
    ratio = ours / theirs if better == "more" else theirs / ours
    print(f"  {label:<28}{ours:>10.2f}{theirs:>12.2f} {unit:<9}{ratio:>6.2f}x")
    return ratio


def report(title, figures):
    ours, theirs = figures["Image Sync"], figures["rembg"]
    print(f"\n{title:<30}{'Image Sync':>10}{'rembg':>12}{'':10}{'better by':>7}")
    row("images a second", ours["images_per_s"], theirs["images_per_s"], "/s", "more")
    row("time of an image, p50", ours["p50"], theirs["p50"], "s", "less")
    row("time of an image, p99", ours["p99"], theirs["p99"], "s", "less")
    row("CPU time of an image", ours["cpu_per_image"], theirs["cpu_per_image"], "s", "less")
    row("peak memory, PSS", ours["pss"] / MB, theirs["pss"] / MB, "MB", "less")
    row("peak memory, sum of RSS", ours["rss"] / MB, theirs["rss"] / MB, "MB", "less")


def asked(label, value, limit, at_least):
    met = value >= limit if at_least else value <= limit
    print(f"  {label:<58}{value:>7.2f}  {'>=' if at_least else '<='} {limit:<6} "
          f"{'reached' if met else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="times the photo set is run")
    parser.add_argument("--flat", type=int, default=300, help="images of the memory test")
    arguments = parser.parse_args()

    small, large = photos(ROOT / "var" / "bench" / "photos")
    onnx = ROOT / "var" / "bench" / "isnet-general-use.onnx"
    if not onnx.exists():
        subprocess.run([sys.executable, ROOT / "models/prepare.py", "isnet-general-use",
                        "--onnx-only", onnx], check=True)
    with tempfile.TemporaryDirectory(prefix="imagesync-bench-") as folder:
        ours, theirs = ImageSync(Path(folder)), Rembg(onnx)
        for system in (ours, theirs):
            system.run(small[:1], 1)  # warm
        one = measure([ours, theirs], small, 1, arguments.rounds)
        report(f"one at a time, {len(small)} photos", one)
        four = measure([ours, theirs], small, 4, arguments.rounds)
        report("four at a time", four)
        theirs.stop()

        white = (("size", "full"), ("format", "jpg"), ("bg_color", "ffffff"))
        time_1mp = statistics.median(ours.post(photo.read_bytes(), white) for photo in small)
        time_24mp = statistics.median(ours.post(large.read_bytes(), white) for _ in range(5))
        early = late = 0
        for done in range(0, arguments.flat, 10):
            ours.run([small[index % len(small)] for index in range(done, done + 10)], 4)
            now = memory_bytes(ours.pid)[0]
            early = max(early, now) if done < 50 else early
            late = max(late, now) if done >= arguments.flat - 50 else late
        ours.stop()

        steps = outside_model(small, Path(folder))
        cold_ours, cold_theirs = cold_start(small[0], onnx, Path(folder))

    print("\nothers")
    row("cold start to first result", cold_ours, cold_theirs, "s", "less")
    print(f"  {'24 MP to JPEG on white':<28}{time_24mp:>10.2f}{'':>13}s\n"
          f"  {'1 MP to JPEG on white':<28}{time_1mp:>10.2f}{'':>13}s")
    print("  steps of a 1 MP photo, ms:  " +
          "  ".join(f"{name} {value:.0f}" for name, value in steps.items()))
    print(f"  memory over {arguments.flat} images: {early / MB:.0f} MB in the first 50, "
          f"{late / MB:.0f} MB in the last 50 (PSS)")

    print("\nasked")
    a, b = one["Image Sync"], one["rembg"]
    asked("images a second, one at a time, times rembg's", a["images_per_s"] / b["images_per_s"],
          2.2, True)
    asked("images a second, four at a time, times rembg's",
          four["Image Sync"]["images_per_s"] / four["rembg"]["images_per_s"], 2.2, True)
    asked("rembg's peak memory, one at a time, times ours", b["pss"] / a["pss"], 6, True)
    asked("rembg's peak memory, four at a time, times ours",
          four["rembg"]["pss"] / four["Image Sync"]["pss"], 6, True)
    # Waiting for a worker is no work: the command hands over pictures before it is their turn.
    work = sum(steps[name] for name in ("decode", "inference", "refine", "compose", "encode"))
    asked("share of a 1 MP photo's time outside the model, per cent",
          100 * (1 - steps["inference"] / work), 15, False)
    asked("time of 24 MP to JPEG on white, times that of 1 MP", time_24mp / time_1mp, 2.5, False)
    asked("memory in the last 50 of the images, times the first 50", late / early, 1.05, False)

    output = ROOT / "out" / "bench.json"
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps({"one": one, "four": four, "steps_ms": steps,
                                  "cold_start_s": [cold_ours, cold_theirs],
                                  "time_24mp_s": time_24mp, "time_1mp_s": time_1mp,
                                  "memory_pss": [early, late]}, indent=1))
    print(f"\nThe figures are in {output.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
