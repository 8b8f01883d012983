#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the simulation by itself: run.py --seed 7 --steps 120 --backend servers, or --seeds 1-500.

What a run did stands in FOLDER/SEED/trace, the server's log beside it; of runs that fail these stay.
"""

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from machine import BUCKET
from simulation import Simulation

import backends
from rabbitmq_server import Broker
from seaweed_server import Seaweed

# "stores": the servers, and RabbitMQ and an S3 store besides.
BACKENDS = ("embedded", "servers", "stores")

STEPS = 120


def seeds_of(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def replay(seed, steps, backend):
    return f"python tests/simulation/run.py --seed {seed} --steps {steps} --backend {backend}"


@contextlib.contextmanager
def backend_of(name, folder):
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(
            (backends.embedded if name == "embedded" else backends.servers)(folder))
        if name == "stores":
            found["queue"] = stack.enter_context(Broker()).url
            found["store"] = stack.enter_context(Seaweed())
            found["store"].client().create_bucket(Bucket=BUCKET)
        yield found


def simulate(seed, steps, folder, backend, keep=False):
    """Raises Broken, and leaves the folder, when something was lost."""
    simulation = Simulation(seed, steps, folder, backend)
    try:
        simulation.begin()
        simulation.run()
    except BaseException:
        shutil.copytree(simulation.machine.data, folder / "data-left", dirs_exist_ok=True,
                        ignore_dangling_symlinks=True)
        raise
    finally:
        simulation.close()
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    return simulation


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and disks go too
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=seeds_of, metavar="A-B")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--backend", choices=BACKENDS, default="embedded")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true", help="the folders of all runs")
    parser.add_argument("--minutes", type=float, help="begin no further seed after that time")
    arguments = parser.parse_args()
    seeds = [arguments.seed] if arguments.seed is not None else arguments.seeds or range(1, 21)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="imagesync-simulation-"))
    failed, done, counts, without, began = [], 0, {}, set(), time.monotonic()
    with backend_of(arguments.backend, folder / "servers") as backend:
        for seed in seeds:
            if arguments.minutes and time.monotonic() - began > arguments.minutes * 60:
                break
            started = time.monotonic()
            done += 1
            try:
                simulation = simulate(seed, arguments.steps, folder / f"seed-{seed}", backend,
                                      arguments.keep)
                without.update(simulation.without())
                for name, count in simulation.counts.items():
                    counts[name] = counts.get(name, 0) + count
                print(f"seed {seed}: ok ({time.monotonic() - started:.1f} s)", flush=True)
            except Exception:
                failed.append(seed)
                print(f"seed {seed}: FAILED, see {folder}/seed-{seed}/trace; again: "
                      f"{replay(seed, arguments.steps, arguments.backend)}\n"
                      f"{traceback.format_exc(limit=-3)[:3000]}", flush=True)
    print(f"{done} seeds, {len(failed)} failed: {failed}; {time.monotonic() - began:.0f} s; {counts}")
    for reason in sorted(without):
        print(reason)
    if not failed and not arguments.folder:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed or not done else 0


if __name__ == "__main__":
    sys.exit(main())
