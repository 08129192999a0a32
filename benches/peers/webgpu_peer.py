"""An entry in onnxruntime's WebGPU provider: `python webgpu_peer.py NAME SECONDS` prints a JSON line.

Needs onnxruntime-webgpu, which shares no environment with onnxruntime, and onnx. Inputs and outputs are the processor's, as
those of a whole run of `kinetograph` are.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import shapes

RANDOM = np.random.default_rng(0)


def values(*shape):
    return (RANDOM.random(shape, np.float32) - 0.5) * 0.2


class Model:
    """An ONNX graph in the making."""

    def __init__(self, *shape):
        self.nodes, self.constants = [], []
        self.shape = shape
        self.value = "x"

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def then(self, op, *others, outputs=1, **attributes):
        """Appends a node; its first input is the value so far, which its first output becomes."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, [self.value, *others], names, **attributes))
        self.value = names[0]
        return names

    def conv3d(self, cin, cout):
        self.then("Conv", self.constant(values(cout, cin, 3, 3, 3)), self.constant(values(cout)), pads=[1] * 6)
        self.then("Relu")

    def linear(self, inputs, outputs):
        self.then("Gemm", self.constant(values(inputs, outputs)), self.constant(values(outputs)))

    def reshape(self, *shape):
        self.then("Reshape", self.constant(np.array(shape, np.int64)))

    def session(self):
        tensor = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "g", [tensor("x", self.shape)], [tensor(self.value, None)], self.constants)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # An operator that falls back to the processor would be another program's figure.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        return onnxruntime.InferenceSession(model.SerializeToString(), options, ["WebGpuExecutionProvider"])


def build(name):
    if name in shapes.CONV3D:
        t, h, w, cin, cout = shapes.CONV3D[name]
        model = Model(1, cin, t, h, w)
        model.conv3d(cin, cout)
    elif name in shapes.LINEAR:
        rows, inputs, outputs = shapes.LINEAR[name]
        model = Model(rows, inputs)
        model.linear(inputs, outputs)
    elif name in shapes.MATMUL:
        side = shapes.MATMUL[name]
        model = Model(side, side)
        model.then("MatMul", model.constant(values(side, side)))
    elif name in shapes.ATTENTION:
        frames, places, heads, over = shapes.ATTENTION[name]
        width = heads * 64
        model = Model(1, frames * places, 3 * width)
        model.reshape(frames, places, 3 * width)
        if over == "time":
            model.then("Transpose", perm=[1, 0, 2])
        _, key, value = model.then("Split", model.constant(np.array([width] * 3, np.int64)), outputs=3, axis=2)
        model.then("MultiHeadAttention", key, value, num_heads=heads, domain="com.microsoft")
        if over == "time":
            model.then("Transpose", perm=[1, 0, 2])
        model.reshape(1, frames * places, width)
    elif name in shapes.VQ:
        # The codes' own squares come from outside, as a program that runs many batches would have them.
        vectors, codes, length = shapes.VQ[name]
        codebook = values(codes, length)
        model = Model(vectors, length)
        model.then("MatMul", model.constant(np.ascontiguousarray(-2 * codebook.T)))
        model.then("Add", model.constant((codebook * codebook).sum(1)))
        model.then("ArgMin", axis=1, keepdims=0)
        index = model.value
        model.value = model.constant(codebook)
        model.then("Gather", index, axis=0)
    elif name == "network/c3d":
        model, channels, side = Model(1, 3, 16, 112, 112), 3, 112
        for layer in shapes.C3D:
            if isinstance(layer, int):
                model.conv3d(channels, layer)
                channels = layer
            else:
                pads = [0, 1, 1, 0, 1, 1] if side == 7 else [0] * 6
                model.then("MaxPool", kernel_shape=layer, strides=layer, pads=pads)
                side //= 2
        model.reshape(1, 8192)
        for i, (inputs, outputs) in enumerate([(8192, 4096), (4096, 4096), (4096, 487)]):
            model.linear(inputs, outputs)
            if i < 2:
                model.then("Relu")
    else:
        raise SystemExit("not run in onnxruntime")
    return model


def main():
    name, seconds = sys.argv[1], float(sys.argv[2])
    model = build(name)
    session = model.session()
    x = values(*model.shape)
    median, first = shapes.timed(lambda: session.run(None, {"x": x}), seconds)
    print(json.dumps({"peer": f"onnxruntime-webgpu {onnxruntime.__version__}", "seconds": median, "first": first}))


main()
