# SPDX-License-Identifier: Apache-2.0
"""Makes the int8 model, runs models, and measures which block of layers costs accuracy."""

import contextlib
import io
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as op

from graph import is_constant, source

# What benchmark and product use: one picture at a time on the cores there are.
LATENCY = {"PERFORMANCE_HINT": "LATENCY"}


class Runner:
    """A compiled model that maps one picture to its matte."""

    def __init__(self, model: ov.Model | Path) -> None:
        self.request = ov.Core().compile_model(model, "CPU", LATENCY).create_infer_request()

    def matte(self, picture: np.ndarray) -> np.ndarray:
        self.request.infer([picture])
        return self.request.get_output_tensor(0).data[0, 0].copy()

    def seconds(self, picture: np.ndarray, rounds: int = 3) -> float:
        """The fastest of some runs: what else the machine does can only add."""
        def once() -> float:
            start = time.perf_counter()
            self.request.infer([picture])
            return time.perf_counter() - start
        once()
        return min(once() for _ in range(rounds))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """NNCF draws progress bars and lists every layer; we print one line per step instead."""
    import nncf
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def calibrate(model: ov.Model, pictures: Sequence[np.ndarray],
              ignored: Sequence[str]) -> ov.Model:
    """Returns the int8 model. `ignored` are regular expressions on operation names.

    overflow_fix: without VNNI a CPU adds pairs of int8 products in 16 bits, which saturates.
    Weights of 7 bits cannot, and give the same answer on every CPU.
    """
    import nncf
    from nncf.quantization.advanced_parameters import OverflowFix
    scope = nncf.IgnoredScope(patterns=list(ignored), validate=False) if ignored else None
    with quiet():
        return nncf.quantize(
            model, nncf.Dataset(pictures), subset_size=len(pictures),
            preset=nncf.QuantizationPreset.MIXED, ignored_scope=scope,
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=OverflowFix.ENABLE))


def versions() -> dict[str, str]:
    from importlib.metadata import version
    return {name: version(name) for name in ("openvino", "nncf")}


def block_of(name: str) -> str | None:
    """Layers are named /block/layer/...; the first part is the block"""
    parts = name.split("/")
    return parts[1] if len(parts) >= 3 and parts[0] == "" else None


def blocks(model: ov.Model, ignored: Sequence[str]) -> list[str]:
    """The blocks with convolutions that are not ignored yet, in the order of the graph."""
    found: dict[str, None] = {}
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        if node.get_type_name() == "Convolution" and (block := block_of(name)):
            if not any(re.match(pattern, name) for pattern in ignored):
                found[block] = None
    return list(found)


def pattern_of(block: str) -> str:
    return f"^/{re.escape(block)}/.*"


def with_block_in_float(path: Path, block: str, float_model: ov.Model) -> ov.Model:
    """The int8 model with one block as it was: activations not quantised, the old weights.

    Much faster to make than calibrating again with that block ignored, and close to it.
    """
    model = ov.Core().read_model(path)
    before = {node.get_friendly_name(): source(node, 1) for node in float_model.get_ordered_ops()
              if node.get_type_name() in ("Convolution", "Add")}
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        if node.get_type_name() == "FakeQuantize":
            for target in list(node.output(0).get_target_inputs()):
                if block_of(target.get_node().get_friendly_name()) == block:
                    target.replace_source_output(node.input_value(0))
        elif block_of(name) == block and name in before and is_constant(before[name]):
            node.input(1).replace_source_output(op.constant(before[name].data).output(0))
    return model


def most_harmful_block(path: Path, float_model: ov.Model, candidates: Sequence[str],
                       pictures: Mapping[str, np.ndarray],
                       full: Mapping[str, np.ndarray]) -> tuple[str, list[dict]]:
    """The block that is worth most in full precision: error removed per second it adds.

    Returns it with all the measurements, for the report.
    """
    first = next(iter(pictures.values()))

    def error_and_time(model: ov.Model | Path) -> tuple[float, float]:
        run = Runner(model)
        errors = [np.abs(run.matte(x) - full[name]).mean() for name, x in pictures.items()]
        return float(np.mean(errors)), run.seconds(first, 2)

    base_error, base_s = error_and_time(path)
    rows = []
    for block in candidates:
        error, seconds = error_and_time(with_block_in_float(path, block, float_model))
        rows.append({"block": block, "error_removed": round(base_error - error, 6),
                     "seconds_added": round(seconds - base_s, 3)})
    best = max(rows, key=lambda r: r["error_removed"] / max(r["seconds_added"], 0.005))
    return best["block"], rows
