# SPDX-License-Identifier: Apache-2.0
"""The leader of three nodes is killed under load."""

import time

from conftest import TABLE
from patroni_cluster import LOOP_S, TTL_S, PatroniCluster
from postgres_server import psql, wait_for

# The lease must run out, a node must see it, win the next one and promote itself.
FAILOVER_S = TTL_S + 2 * LOOP_S + 10


def test_killed_leader(start_load):
    with PatroniCluster() as cluster:
        old = cluster.leader()
        psql(old.url, TABLE)
        load = start_load(cluster.url(), [node.url for node in cluster.nodes])
        load.goes_on()

        old.kill()
        killed_at = time.monotonic()
        wait_for(lambda: cluster.leader() not in (None, old), FAILOVER_S, "no new leader")
        print(f"\nnew leader after {time.monotonic() - killed_at:.1f} s")
        load.goes_on(1, FAILOVER_S)
        seconds = time.monotonic() - killed_at
        print(f"writes go on after {seconds:.1f} s")
        assert seconds < FAILOVER_S
        load.goes_on()

        cluster.start_node(old)
        wait_for(old.is_replica, 120, "the killed node does not come back")
        load.goes_on()

        seen = load.finish()
        assert seen["stale"] == 0
        assert seen["lost"] > 0 and seen["replica"] > 0
        rows = {tuple(map(int, row))
                for row in psql(cluster.leader().url, "SELECT user_id, number FROM load_note")}
        acknowledged = load.acknowledged()
        assert len(acknowledged) == seen["acknowledged"] > 900
        assert set(acknowledged) <= rows
