# SPDX-License-Identifier: Apache-2.0
"""Nothing that was promised is lost, whatever fails: a run of tests/simulation for each seed."""

import warnings

import pytest

from run import STEPS, backend_of, replay, simulate


@pytest.fixture(scope="session")
def found(backend, tmp_path_factory):
    with backend_of(backend, tmp_path_factory.mktemp(backend)) as settings:
        yield settings


def test_nothing_that_was_promised_is_lost(backend, found, seed, tmp_path):
    print(f"again: {replay(seed, STEPS, backend)}\ntrace: {tmp_path}/seed-{seed}/trace")
    simulation = simulate(seed, STEPS, tmp_path / f"seed-{seed}", found)
    for reason in simulation.without():
        warnings.warn(reason)
    assert simulation.counts["fault"] > 0 or STEPS < 50
