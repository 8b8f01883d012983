# SPDX-License-Identifier: Apache-2.0
"""Equalising must not change what a model computes."""

import unittest

import numpy as np
import openvino as ov
from openvino import opset1
from openvino import opset13 as op

from equalise import equalise, trace
from graph import source


def conv(x: ov.Node, channels: int, rng: np.random.Generator, name: str) -> ov.Node:
    weights = rng.normal(size=(channels, x.get_output_shape(0)[1], 3, 3)).astype(np.float32)
    weights *= rng.uniform(0.05, 3.0, size=(channels, 1, 1, 1)).astype(np.float32)
    made = op.convolution(x, op.constant(weights), [1, 1], [1, 1], [1, 1], [1, 1])
    made.set_friendly_name(name)
    return op.add(made, op.constant(rng.normal(size=(1, channels, 1, 1)).astype(np.float32)))


def small_model() -> ov.Model:
    """Everything that ISNet has: pooling, resizing, skip by Concat, residual Add, a sigmoid."""
    rng = np.random.default_rng(1)
    x = op.parameter([1, 3, 16, 16], np.float32)
    a = op.relu(conv(x, 8, rng, "a"))
    pooled = opset1.max_pool(a, [2, 2], [0, 0], [0, 0], [2, 2])  # one output, as from ONNX
    b = op.relu(conv(pooled, 8, rng, "b"))
    up = op.interpolate(b, np.array([16, 16]), "linear_onnx", "sizes", axes=np.array([2, 3]))
    c = op.relu(conv(op.concat([up, a], 1), 8, rng, "c"))
    d = conv(op.add(c, a), 1, rng, "d")
    return ov.Model([op.sigmoid(op.multiply(d, np.float32(0.01)))], [x])


def run(model: ov.Model, x: np.ndarray) -> np.ndarray:
    return next(iter(ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([x])
                     .values()))


class Equalise(unittest.TestCase):
    def test_same_answer_with_other_weights(self) -> None:
        model = small_model()
        pictures = [np.random.default_rng(i).normal(size=(1, 3, 16, 16)).astype(np.float32)
                    for i in range(3)]
        changed = equalise(model, pictures, 0.5)
        for x in pictures:
            np.testing.assert_allclose(run(changed, x), run(model, x), atol=1e-4)
        before = next(n for n in model.get_ordered_ops() if n.get_friendly_name() == "b")
        after = next(n for n in changed.get_ordered_ops() if n.get_friendly_name() == "b")
        self.assertFalse(np.allclose(source(before, 1).data, source(after, 1).data))

    def test_added_tensors_share_factors_and_ends_are_fixed(self) -> None:
        f = trace(small_model())
        self.assertEqual(f.root("a"), f.root("c"))
        self.assertIn(f.root("d"), f.fixed)
        self.assertNotIn(f.root("b"), f.fixed)


if __name__ == "__main__":
    unittest.main()
