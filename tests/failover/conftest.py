# SPDX-License-Identifier: Apache-2.0
"""A load of users on the database adapter, while servers are paused and killed beneath it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from postgres_server import wait_for  # noqa: E402

LOAD = Path(os.environ["IMAGESYNC_BIN"]).parent / "tests" / "contract" / "db_postgres_load"
TABLE = ("CREATE TABLE load_note (user_id BIGINT, number BIGINT, "
         "PRIMARY KEY (user_id, number))")
LOOKUP_S = 60


class Load:
    def __init__(self, folder, url, replica_urls, users=4):
        self.acknowledged_file = folder / "acknowledged"
        self.process = subprocess.Popen(
            [LOAD, self.acknowledged_file, str(users), url, *replica_urls],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.goes_on(1)

    def acknowledged(self):
        """(user, number) of each write that the users were told is done."""
        if not self.acknowledged_file.exists():
            return []
        lines = self.acknowledged_file.read_text().splitlines()
        return [tuple(map(int, line.split())) for line in lines]

    def goes_on(self, writes=300, seconds=LOOKUP_S):
        """Until so many more writes are done."""
        wanted = len(self.acknowledged()) + writes

        def done():
            assert self.process.poll() is None, "the load has ended"
            return len(self.acknowledged()) >= wanted

        wait_for(done, seconds, "the load does not go on")

    def finish(self):
        output, _ = self.process.communicate(timeout=60)
        print(output.strip())
        assert self.process.returncode == 0
        return json.loads(output)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def start_load(tmp_path):
    loads = []

    def start(url, replica_urls):
        loads.append(Load(tmp_path, url, replica_urls))
        return loads[-1]

    yield start
    for load in loads:
        load.stop()
