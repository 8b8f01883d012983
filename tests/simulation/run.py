#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the simulation by itself: run.py --seed 7 --steps 120 --backend servers, or --seeds 1-500.

What a run did stands in FOLDER/SEED/trace, the server's log beside it; of runs that fail these stay.
"""

import argparse
import contextlib
import multiprocessing
import os
import queue
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from machine import BUCKET, migrate
from simulation import Simulation
from wire import Wire

import backends
import kafka_server
from rabbitmq_server import Broker
from seaweed_server import Seaweed

# "split": the servers, and user and sync part behind nginx. "stores": the servers, and RabbitMQ, an S3
# store and, when tests/kafka has gathered it, Kafka.
BACKENDS = ("embedded", "servers", "split", "stores")

STEPS = 120
MEMORY, MEMORY_MIN = "/dev/shm", 8 << 30


def seeds_of(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def replay(seed, steps, backend):
    return f"python tests/simulation/run.py --seed {seed} --steps {steps} --backend {backend}"


@contextlib.contextmanager
def in_memory():
    """Servers that are begun meanwhile keep nothing on a disk, where most of a run's time went to the
    thousands of files of its database: none of them is to survive a power cut."""
    before = tempfile.tempdir
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_MIN:
        tempfile.tempdir = MEMORY
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def backend_of(name, folder):
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack, in_memory():
        found = stack.enter_context(
            (backends.embedded if name == "embedded" else backends.servers)(folder))
        if name != "embedded":
            migrate(found["database"])
        if name == "stores":
            found["queue"] = stack.enter_context(Broker()).url
            found["store"] = stack.enter_context(Seaweed())
            found["store"].client().create_bucket(Bucket=BUCKET)
            if kafka_server.jars_folder().exists():
                found["events"], found["events_line"] = far_kafka(stack)
        if name == "split":
            found["split"] = True
        yield found


def far_kafka(stack):
    """Kafka names its clients the address that they come back to: that of the line to it, which all
    runs share for that reason."""
    kafka = kafka_server.Kafka()
    line = Wire(kafka.far_port)
    stack.callback(line.close)
    kafka.line_port = line.port
    return stack.enter_context(kafka), line


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


@dataclass
class Result:
    """`error`: None when all that was promised is there. `seed`: None when no server could be had."""
    seed: int | None
    error: str | None = None
    counts: dict = field(default_factory=dict)
    without: list = field(default_factory=list)
    possible: set = field(default_factory=set)
    seconds: float = 0


def one(seed, arguments, folder, backend):
    started = time.monotonic()
    try:
        simulation = simulate(seed, arguments.steps, folder, backend, arguments.keep)
        return Result(seed, None, simulation.counts, simulation.without(), simulation.possible(),
                      time.monotonic() - started)
    except Exception:
        return Result(seed, f"see {folder}/trace; again: "
                      f"{replay(seed, arguments.steps, arguments.backend)}\n"
                      f"{traceback.format_exc(limit=-3)[:3000]}", seconds=time.monotonic() - started)


def work(number, arguments, folder, taken, results):
    """Takes seeds until there are none, and tells of each what came of it."""
    began, parent = time.monotonic(), os.getppid()
    try:
        with backend_of(arguments.backend, folder / f"servers-{number}") as backend:
            while os.getppid() == parent and not (
                    arguments.minutes and time.monotonic() - began > arguments.minutes * 60):
                with taken:
                    at, taken.value = taken.value, taken.value + 1
                if at >= len(arguments.seeds):
                    break
                seed = arguments.seeds[at]
                results.put(one(seed, arguments, folder / f"seed-{seed}", backend))
    except Exception:
        results.put(Result(None, traceback.format_exc()[:3000]))


def results_of(workers, results):
    """As they come, until all workers have ended."""
    while True:
        ended = not any(worker.is_alive() for worker in workers)
        try:
            yield results.get(timeout=0.2)
        except queue.Empty:
            if ended:
                return


@contextlib.contextmanager
def side_by_side(arguments, folder):
    """What workers, each with servers of its own, tell of the seeds; they end with the block."""
    taken, results = multiprocessing.Value("i", 0), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(n, arguments, folder, taken, results))
               for n in range(arguments.jobs)]
    try:
        for worker in workers:
            worker.start()
        yield results_of(workers, results)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def print_counts(counts):
    """What was done and what went wrong, in three columns."""
    texts = [f"{name:30}{n:7}" for name, n in sorted(counts.items()) if n]
    rows = -(-len(texts) // 3)
    for row in range(rows):
        print("   ".join(texts[row::rows]))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and disks go too
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", dest="seeds", type=seeds_of, default=argparse.SUPPRESS)
    parser.add_argument("--seeds", type=seeds_of, default=range(1, 21), metavar="A-B")
    parser.add_argument("--jobs", type=int, default=1, help="seeds side by side")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--backend", choices=BACKENDS, default="embedded")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true", help="the folders of all runs")
    parser.add_argument("--minutes", type=float, help="begin no further seed after that time")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="imagesync-simulation-"))
    failed, done, counts, without, began = [], 0, Counter(), set(), time.monotonic()
    possible = set()
    with side_by_side(arguments, folder) as results:
        for result in results:
            done += result.seed is not None
            counts.update(result.counts)
            without.update(result.without)
            possible |= result.possible
            if result.error:
                failed.append(result.seed)
            print(f"seed {result.seed}: {result.error and 'FAILED, ' + result.error or 'ok'} "
                  f"({result.seconds:.1f} s)", flush=True)
    print(f"{done} seeds, {len(failed)} failed: {failed}; {time.monotonic() - began:.0f} s")
    print_counts(counts)
    if done >= 20 and (never := possible - counts.keys()):
        print(f"never done: {', '.join(sorted(never))}")
    for reason in sorted(without):
        print(reason)
    if not failed and not arguments.folder:
        shutil.rmtree(folder, ignore_errors=True)
    left = not arguments.minutes and done < len(arguments.seeds)
    return 1 if failed or left or not done else 0


if __name__ == "__main__":
    sys.exit(main())
