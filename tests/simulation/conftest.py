# SPDX-License-Identifier: Apache-2.0
"""Which seeds run on which back end: --seeds 1-20 --backend servers."""

from run import BACKENDS, seeds_of


def pytest_addoption(parser):
    parser.addoption("--seeds", type=seeds_of, default=range(1, 21), metavar="A-B")
    parser.addoption("--backend", choices=BACKENDS, action="append")


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", metafunc.config.getoption("backend") or ["embedded"],
                             scope="session")
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", metafunc.config.getoption("seeds"))
