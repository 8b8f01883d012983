# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C in the middle of a cut-out."""

import os
import shutil
import signal
import subprocess

import pytest

from processes import descendants, wait_until


@pytest.fixture
def many(photo, tmp_path):
    """More pictures than can be done before the signal comes."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(400):
        shutil.copy(photo, folder / f"{number:03}.png")
    return folder


def start(binary, env, cwd, *words):
    return subprocess.Popen([binary, "cutout", *words], env=env, cwd=cwd, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_runs_leave_whole_files_only(binary, env, many, tmp_path, number):
    process = start(binary, env, tmp_path, "many", "-o", "out", "--json")
    first = process.stdout.readline()
    assert '"status":"ok"' in first
    children = descendants(process.pid)
    assert children
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err
    assert all(path.read_bytes().endswith(b"IEND\xaeB`\x82")
               for path in (tmp_path / "out").iterdir())
    assert 0 < len(os.listdir(tmp_path / "out")) < 400
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children))


def test_waiting_for_standard_input_can_be_interrupted(binary, env, tmp_path):
    process = subprocess.Popen([binary, "cutout", "-", "-o", "out.png"], env=env, cwd=tmp_path,
                               stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: descendants(process.pid))
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait(timeout=30) == 130
    assert os.listdir(tmp_path) == []


def test_killed_runs_leave_no_process(binary, env, many, tmp_path):
    process = start(binary, env, tmp_path, "many", "-o", "out", "--json")
    process.stdout.readline()
    children = descendants(process.pid)
    process.kill()
    process.communicate(timeout=30)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children))


def test_closed_standard_descriptors_are_not_taken_by_files(env, binary, many, tmp_path):
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$0" cutout many -o out <&- >&- 2>&-', binary], env=env, cwd=tmp_path)
    children = wait_until(lambda: len(descendants(process.pid)) > 1 and descendants(process.pid))
    wait_until(lambda: (tmp_path / "out").exists() and os.listdir(tmp_path / "out"))
    for pid in [process.pid, *children]:
        for number in range(3):
            assert os.readlink(f"/proc/{pid}/fd/{number}") == "/dev/null"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
