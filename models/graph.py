# SPDX-License-Identifier: Apache-2.0
"""Reads the ONNX graph and makes it plain: one input, one output, float, no shape arithmetic."""

from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as op
from openvino.passes import ConstantFolding, Manager

from errors import PrepareError
from manifest import Input

FLOATS = (ov.Type.f16, ov.Type.f32)


def read_onnx(path: Path, spec: Input, output_index: int) -> ov.Model:
    """The model with the one output that is wanted, everything in f32.

    Training leaves side outputs in the graph: each would be computed on every call. The published
    weights are f16 and so is the graph's arithmetic; a CPU computes in f32 anyhow, and the casts
    in between would only stand in the way of fusing and of quantising.
    """
    model = ov.Core().read_model(path)
    results = model.get_results()
    if output_index >= len(results):
        raise PrepareError(f"the model has {len(results)} outputs, `output.index` "
                           f"{output_index} is not one of them: correct the manifest")
    for i, result in enumerate(results):
        if i != output_index:
            model.remove_result(result)
    model = model.clone()  # without the nodes that only fed the removed outputs
    to_f32(model)
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)
    check_shapes(model, spec)
    return model


def to_f32(model: ov.Model) -> None:
    """Turns f16 constants into f32 and drops the casts between the two. Exact: f16 is a subset."""
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind == "Constant" and node.get_element_type() == ov.Type.f16:
            constant = op.constant(node.data.astype(np.float32))
            constant.set_friendly_name(node.get_friendly_name())
            redirect(node.output(0), constant.output(0))
        elif (kind == "Convert" and node.get_output_element_type(0) in FLOATS
                and node.get_input_element_type(0) in FLOATS):
            redirect(node.output(0), node.input_value(0))
    model.validate_nodes_and_infer_types()


def redirect(old: ov.Output, new: ov.Output) -> None:
    """Every user of `old` uses `new` from now on."""
    for target in list(old.get_target_inputs()):
        target.replace_source_output(new)


def check_shapes(model: ov.Model, spec: Input) -> None:
    """What the consumer relies on: f32 [1, 3, H, W] in, f32 [1, 1, H, W] out."""
    size = [spec.height, spec.width]
    ports = [(model.inputs, [1, 3, *size], "input"), (model.outputs, [1, 1, *size], "output")]
    for found, wanted, what in ports:
        if len(found) != 1 or found[0].element_type != ov.Type.f32 or (
                found[0].partial_shape != ov.PartialShape(wanted)):
            raise PrepareError(f"the model's {what} is {found}, not one f32 {wanted}: "
                               "correct `input` in the manifest")


def save(model: ov.Model, folder: Path, f16_weights: bool) -> None:
    ov.save_model(model, folder / "model.xml", compress_to_fp16=f16_weights)


def source(node: ov.Node, i: int = 0) -> ov.Node:
    return node.input_value(i).get_node()


def is_constant(node: ov.Node) -> bool:
    return node.get_type_name() == "Constant"
