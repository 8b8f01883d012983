# SPDX-License-Identifier: Apache-2.0
"""A network of one node as an ONNX file: what is bright is the subject. Written by hand, because
it is small: field numbers are those of onnx.proto (ModelProto, GraphProto, NodeProto)."""

SIDE = 64


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def chunk(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, shape):
    dims = b"".join(chunk(1, number(1, size)) for size in shape)
    return chunk(1, name) + chunk(2, chunk(1, number(1, 1) + chunk(2, dims)))


def onnx():
    axes = chunk(1, "axes") + number(8, 1) + number(20, 7)
    keep = chunk(1, "keepdims") + number(3, 1) + number(20, 2)
    node = (chunk(1, "image") + chunk(2, "matte") + chunk(4, "ReduceMean") + chunk(5, axes) +
            chunk(5, keep))
    graph = (chunk(1, node) + chunk(2, "tiny") + chunk(11, tensor("image", (1, 3, SIDE, SIDE))) +
             chunk(12, tensor("matte", (1, 1, SIDE, SIDE))))
    return number(1, 8) + chunk(8, number(2, 13)) + chunk(7, graph)


ADD_OPTIONS = ["--width", str(SIDE), "--height", str(SIDE), "--mean", "0", "--scale", "255",
               "--range", "unit"]
