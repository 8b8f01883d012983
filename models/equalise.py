# SPDX-License-Identifier: Apache-2.0
"""Spreads the channels' ranges evenly before quantising. Changes nothing in real arithmetic.

One int8 scale serves all channels of a tensor, so a channel that only reaches a tenth of the
range of its loudest neighbour has 25 levels instead of 255. But relu, max pooling, linear
resizing and adding all commute with a positive factor: dividing a channel by s where a convolution
makes it and multiplying the weights that read it by s gives the same answer, with better-filled
channels, at no cost at run time ("cross-layer equalisation", Nagel et al. 2019).

s = range^a / weight^(1-a) per channel moves the difficulty from the activations to the weights,
which have a scale per output channel and can bear it. Tensors that are added to each other share
their factors. Tensors that reach anything else (the sigmoid, the graph's input) keep factor 1.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import openvino as ov
from openvino import opset13 as op

from graph import is_constant, source

HOMOGENEOUS = ("Relu", "MaxPool", "Interpolate")
FLOOR = 1e-3  # a dead channel's range counts as this part of the largest
FACTOR_MAX = 64.0


@dataclass
class Factors:
    """Which factors a tensor's channels have.

    A factor vector is named by the convolution that makes the channels. `of` lists, for each node
    by name, the vectors of its channels in order (more than one after Concat).
    """
    of: dict[str, list[str]] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    parent: dict[str, str] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    convolutions: list[ov.Node] = field(default_factory=list)

    def root(self, name: str) -> str:
        while self.parent[name] != name:
            name = self.parent[name]
        return name

    def new(self, name: str, channels: int) -> None:
        self.parent[name], self.size[name], self.of[name] = name, channels, [name]

    def at(self, node: ov.Node) -> list[str]:
        return self.of.get(node.get_friendly_name(), [])


def trace(model: ov.Model) -> Factors:
    """Follows the channels through the graph."""
    f = Factors()
    for node in model.get_ordered_ops():
        kind, name = node.get_type_name(), node.get_friendly_name()
        if kind == "Constant":
            continue
        if kind == "Convolution" and is_constant(source(node, 1)):
            f.new(name, node.get_output_shape(0)[1])
            f.convolutions.append(node)
        elif kind in HOMOGENEOUS:
            f.of[name] = f.at(source(node))
        elif kind == "Add" and is_constant(source(node, 1)):
            f.of[name] = f.at(source(node))
        elif kind == "Add":
            a, b = f.at(source(node)), f.at(source(node, 1))
            f.of[name] = b
            if len(a) == len(b) == 1:
                f.parent[f.root(a[0])] = f.root(b[0])
            else:
                f.fixed.update(a, b)
        elif kind == "Concat":
            f.of[name] = [v for x in node.input_values() for v in f.at(x.get_node())]
        else:
            for value in node.input_values():
                f.fixed.update(f.at(value.get_node()))
            if kind == "Parameter":
                f.new(name, node.get_output_shape(0)[1])
                f.fixed.add(name)
    f.fixed = {f.root(v) for v in f.fixed}
    return f


def channel_ranges(model: ov.Model, pictures: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """The largest magnitude per channel, as a mean over the pictures, of every tensor that will
    get a scale: after relu and after a residual addition."""
    model = model.clone()
    nodes = [n for n in model.get_ordered_ops() if n.get_type_name() == "Relu"
             or (n.get_type_name() == "Add" and not is_constant(source(n, 1)))]
    for result in model.get_results():
        model.remove_result(result)
    axes = np.array([0, 2, 3])
    model.add_results([op.result(op.reduce_max(op.abs(n), axes, False)) for n in nodes])
    request = ov.compile_model(model, "CPU").create_infer_request()
    total: list[np.ndarray] = [np.zeros(1, np.float32)] * len(nodes)
    count = 0
    for picture in pictures:
        request.infer([picture])
        total = [t + request.get_output_tensor(i).data for i, t in enumerate(total)]
        count += 1
    return {n.get_friendly_name(): t / max(count, 1) for n, t in zip(nodes, total, strict=True)}


def factors(f: Factors, ranges: dict[str, np.ndarray], a: float) -> dict[str, np.ndarray]:
    """The factor vector of every root."""
    loud: dict[str, np.ndarray] = {}
    heavy: dict[str, np.ndarray] = {}
    for name, peak in ranges.items():
        if len(f.of[name]) == 1:
            root = f.root(f.of[name][0])
            loud[root] = np.maximum(loud.get(root, 0), peak)
    for node in f.convolutions:
        peak, at = np.abs(source(node, 1).data).max((0, 2, 3)), 0
        for vector in f.at(source(node)):
            end, root = at + f.size[vector], f.root(vector)
            heavy[root], at = np.maximum(heavy.get(root, 0), peak[at:end]), end
    found: dict[str, np.ndarray] = {}
    for root in {f.root(v) for v in f.size}:
        s = np.ones(f.size[root], np.float32)
        if root not in f.fixed and root in loud and root in heavy:
            r = np.maximum(loud[root], FLOOR * loud[root].max() + 1e-12)
            w = np.maximum(heavy[root], FLOOR * heavy[root].max() + 1e-12)
            s = r ** a / w ** (1 - a)
            s = np.clip(s / np.exp(np.log(s).mean()), 1 / FACTOR_MAX, FACTOR_MAX)
        found[root] = s.astype(np.float32)
    return found


def equalise(model: ov.Model, pictures: Iterable[np.ndarray], a: float) -> ov.Model:
    """Returns a copy of the model with the factors worked into weights and biases."""
    ranges = channel_ranges(model, pictures)
    model = model.clone()
    f = trace(model)
    s = factors(f, ranges, a)
    for node in f.convolutions:
        read = np.concatenate([s[f.root(v)] for v in f.at(source(node))])
        made = s[f.root(node.get_friendly_name())]
        weights = source(node, 1).data * read[None, :, None, None] / made[:, None, None, None]
        replace_constant(node, 1, weights)
        for target in list(node.output(0).get_target_inputs()):
            user = target.get_node()
            if user.get_type_name() == "Add" and is_constant(source(user, 1)):
                replace_constant(user, 1, source(user, 1).data / made[None, :, None, None])
    return model


def replace_constant(node: ov.Node, i: int, values: np.ndarray) -> None:
    old = source(node, i)
    new = op.constant(values.astype(np.float32))
    new.set_friendly_name(old.get_friendly_name())
    node.input(i).replace_source_output(new.output(0))
