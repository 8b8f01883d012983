# SPDX-License-Identifier: Apache-2.0
"""What was asked of a figure, said beside it."""


def at_least(value, least):
    return "" if least is None else f" (asked: at least {least:g}, {verdict(value >= least)})"


def at_most(value, most):
    return "" if most is None else f" (asked: at most {most:g}, {verdict(value <= most)})"


def verdict(good):
    return "MET" if good else "MISSED"
