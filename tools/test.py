#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the test suites one after another and closes with one line: N passed, N failed.

Every suite is an ordinary command that can be run alone (it is printed); those that know their
tests write JUnit XML, the others count as one test. A suite that cannot start is a failure, and so
is one that reports no test.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
PYTHON = sys.executable
PROCESSES = min(os.cpu_count() + 1, 8)
BINARY = {"IMAGESYNC_BIN": str(ROOT / "build" / "imagesync")}
ADDRESS = ["-Db_sanitize=address,undefined", "-Db_lundef=false"]
THREAD = ["-Db_sanitize=thread", "-Db_lundef=false"]


@dataclass
class Suite:
    name: str
    command: list[str]
    kind: str = "test"  # or "lint"
    junit: Path | None = None
    full_only: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def meson_suite(name, folder, options=(), full_only=False, environment=None):
    """Unit tests of one build folder, which is set up when it is not there."""
    run = f"tools/build.sh {folder} {' '.join(options)}\n" \
          f"meson test -C {folder} --no-rebuild --print-errorlogs"
    return Suite(name, ["sh", "-ec", run], full_only=full_only,
                 junit=ROOT / folder / "meson-logs" / "testlog.junit.xml",
                 environment=environment or {})


def pytest_suite(folder, full_only=False, arguments=(), note="", files=(), environment=None,
                 shared_out=False):
    """Its files are shared out to several processes, each with servers of its own, when
    `shared_out`: most tests wait for a server more than they compute."""
    report = REPORTS / f"{folder.replace('/', '-')}{'-' + note.replace(' ', '-') if note else ''}.xml"
    paths = [f"{folder}/{name}" for name in files] or [folder]
    return Suite(f"{folder}{', ' + note if note else ''}",
                 [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths,
                  f"--junit-xml={report}", *arguments,
                  *(["-n", str(PROCESSES), "--dist", "loadfile"] if shared_out else [])],
                 junit=report, full_only=full_only,
                 environment={**BINARY, **(environment or {})})


def sanitized_suite(note, folder, options, names):
    """Some of tests/integration with a binary that reports what it does wrong: see sanitizer.py."""
    suite = pytest_suite("tests/integration", full_only=True, note=note, shared_out=True,
                         files=[f"test_{name}.py" for name in names],
                         environment={"IMAGESYNC_BIN": str(ROOT / folder / "imagesync")})
    suite.command[:0] = ["sh", "-ec", f'tools/build.sh {folder} {" ".join(options)}; exec "$@"', "sh"]
    return suite


def suites():
    """Those that always run, and behind them those of --full."""
    sanitizers = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
                  "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    races = {"TSAN_OPTIONS": "halt_on_error=1:ignore_noninstrumented_modules=1"}
    return [
        Suite("layers and style (tools/tidy.py)", [PYTHON, "tools/tidy.py"], kind="lint"),
        Suite("layout (clang-format)",
              ["sh", "-c", "git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' | "
               "xargs clang-format-14 --dry-run -Werror"], kind="lint"),
        Suite("clang-tidy", [PYTHON, "tools/clang_tidy.py"], kind="lint"),
        meson_suite("unit tests", "build"),
        meson_suite("unit tests, address and undefined behaviour sanitizers", "build-asan",
                    ADDRESS, environment=sanitizers),
        Suite("model preparation", [PYTHON, "-m", "unittest", "discover", "-s", "models"]),
        pytest_suite("tests/contract", shared_out=True),
        pytest_suite("tests/cli", shared_out=True),
        pytest_suite("tests/integration", shared_out=True),
        pytest_suite("tests/clients"),
        Suite("tests/e2e", ["tests/e2e/run", "--test-reporter=junit",
                            f"--test-reporter-destination={REPORTS}/tests-e2e.xml"],
              junit=REPORTS / "tests-e2e.xml", environment=BINARY),
        pytest_suite("tests/simulation"),  # 20 seeds

        # Before a release.
        meson_suite("unit tests, thread sanitizer", "build-tsan", THREAD, full_only=True,
                    environment=races),
        # The parsers of what strangers send, in the server, the workers and the commands.
        sanitized_suite("address sanitizer", "build-asan", ADDRESS, (
            "backup", "bad_input", "cutout_api", "form_uploads", "ingest", "ingest_crashes",
            "login", "pairs", "photos", "relay", "uploads", "zip")),
        # All that waits for others: streams, uploads, jobs, the folder that is watched. Not
        # test_relay: librdkafka starts threads by thrd_create(), of which that sanitizer does not
        # know. Neither suite has test_crashes, which counts what is done within seconds.
        sanitized_suite("thread sanitizer", "build-tsan", THREAD, (
            "change_stream", "changes", "ingest", "ingest_crashes", "library", "login", "sync_dir",
            "upload_cuts", "uploads", "zip")),
        # All that is about what a caller sees. test_split.py and the API keys run always, and the
        # others cannot: test_admin_clients and test_two_servers have two servers on one database as
        # it is; test_audit tampers with a file of SQLite; test_replicas and test_encrypted have
        # databases of their own; test_crashes, test_lifecycle, test_limits and test_determinism
        # start servers of their own and look into one process; test_quality is about the model;
        # test_deploy starts all parts itself; test_ingest_crashes kills one process; and
        # test_register reads the documents alone.
        pytest_suite("tests/integration", full_only=True, note="three processes",
                     shared_out=True, arguments=["--backend", "split"],
                     files=[f"test_{name}.py" for name in (
                         "accounts", "attacks", "attempts", "avatar", "backup", "bad_input",
                         "change_stream", "changes", "consents", "cutout_api", "device_grant",
                         "erased_library", "erasure", "exports", "films", "form_uploads", "hostile_issuers",
                         "hostile_strings", "issuers", "keys", "library", "login", "oidc",
                         "oidc_tokens", "openapi", "pairs", "passkeys", "passwords", "photos",
                         "profile_cache", "quota", "raws", "rebuild", "removebg",
                         "schemathesis", "segment", "shares", "stolen", "sync_dir", "upload_cuts", "uploads",
                         "urls", "ways", "zip")]),
        # All that brings, keeps or reads files.
        pytest_suite("tests/integration", full_only=True, note="RabbitMQ and S3",
                     shared_out=True, arguments=["--backend", "stores"],
                     files=[f"test_{name}.py" for name in (
                         "backup", "changes", "dead_jobs", "form_uploads", "ingest",
                         "ingest_crashes", "library", "photos", "rebuild", "reingest", "shares", "upload_cuts", "upload_sweep",
                         "uploads", "zip")]),
        pytest_suite("tests/integration", full_only=True, note="files of 2 and 4 GB",
                     arguments=["-k", "large"], files=["test_upload_cuts.py", "test_large_film.py"],
                     environment={"IMAGESYNC_LARGE": "1"}),
        # Gathers Kafka, which the simulation uses where it is there.
        pytest_suite("tests/kafka", full_only=True, arguments=["-rP"]),
        # As many of 500 seeds as fit into 20 minutes altogether: most of a run is waiting, so several
        # go side by side.
        *(Suite(f"tests/simulation, {name}",
                [PYTHON, "tests/simulation/run.py", "--seeds", "1-500", "--minutes", minutes,
                 "--jobs", jobs, "--backend", name], full_only=True, environment=BINARY)
          for name, minutes, jobs in (("embedded", "11", "6"), ("servers", "4", "4"),
                                      ("split", "3", "3"), ("stores", "3", "2"))),
        pytest_suite("tests/failover", full_only=True, arguments=["-rP"]),
        Suite("fuzzing, a minute each", ["tools/fuzz.sh"], full_only=True),
    ]


def read_junit(path):
    """(passed, failed, skipped) of a JUnit file."""
    passed = failed = skipped = 0
    # Messages may hold what colours a terminal, which is no XML.
    text = re.sub("[\x00-\x08\x0b-\x1f]", "", path.read_text(encoding="utf-8"))
    for case in ElementTree.fromstring(text).iter("testcase"):
        failure = case.find("failure") if case.find("failure") is not None else case.find("error")
        if failure is not None:
            failed += 1
            print(f"failed: {case.get('name')}: {(failure.text or '').strip()[:1500]}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def run(suite):
    print(f"\n=== {suite.name}", flush=True)
    if suite.junit and suite.junit.exists():
        suite.junit.unlink()
    started = time.monotonic()
    code = subprocess.run(suite.command, cwd=ROOT, env={**os.environ, **suite.environment},
                          stdin=subprocess.DEVNULL, check=False).returncode
    seconds = time.monotonic() - started
    if suite.junit and suite.junit.exists():
        passed, failed, skipped = read_junit(suite.junit)
        if passed + failed == 0 or (code != 0 and failed == 0):
            failed += 1
    else:
        passed, failed, skipped = (0, 1, 0) if code != 0 or suite.junit else (1, 0, 0)
    note = f", {skipped} skipped" if skipped else ""
    print(f"--- {suite.name}: {passed} passed, {failed} failed{note} ({seconds:.0f} s)", flush=True)
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the slow suites too")
    parser.add_argument("--only", metavar="WORD", help="suites of this kind or with WORD in the name")
    arguments = parser.parse_args()

    REPORTS.mkdir(parents=True, exist_ok=True)
    if not shutil.which("ninja"):
        sys.exit("ninja is missing: run `make test`, which installs what the tests need.")
    totals = [0, 0, 0]
    for suite in suites():
        if suite.full_only and not (arguments.full or arguments.only):
            continue
        if arguments.only and arguments.only != suite.kind and arguments.only not in suite.name:
            continue
        totals = [total + count for total, count in zip(totals, run(suite))]
    passed, failed, skipped = totals
    print(f"\n{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
