"""Writes weights as ONNX, by hand, so that the graph is the same bytes for the same weights and quantises to int8."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from search import Weights

OPSET = 17
IR_VERSION = 8
PRODUCER = "fleetloop-reference-trainer"
INPUT_NAME = "features"
OUTPUT_NAME = "probabilities"


def export_fp32(weights: Weights, labels: tuple[str, ...], path: Path) -> None:
    """Input float32 [N][features], output float32 [N][labels]: scaling, layers and softmax are inside."""
    constants = [_constant("mean", weights.mean), _constant("inverse_std", 1.0 / weights.std)]
    nodes = [
        helper.make_node("Sub", [INPUT_NAME, "mean"], ["centred"], name="centre"),
        helper.make_node("Mul", ["centred", "inverse_std"], ["layer_0"], name="scale"),
    ]
    last = len(weights.layers)
    for position, (matrix, bias) in enumerate(weights.layers, start=1):
        constants += [_constant(f"matrix_{position}", matrix), _constant(f"bias_{position}", bias)]
        nodes.append(helper.make_node("MatMul", [f"layer_{position - 1}", f"matrix_{position}"], [f"product_{position}"], name=f"matmul_{position}"))
        out = "logits" if position == last else f"sum_{position}"
        nodes.append(helper.make_node("Add", [f"product_{position}", f"bias_{position}"], [out], name=f"add_{position}"))
        if position < last:
            nodes.append(helper.make_node("Relu", [out], [f"layer_{position}"], name=f"relu_{position}"))
    nodes.append(helper.make_node("Softmax", ["logits"], [OUTPUT_NAME], name="softmax", axis=1))
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["N", weights.mean.shape[0]])],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["N", len(labels)])],
        constants,
    )
    model = helper.make_model(graph, producer_name=PRODUCER, producer_version="1", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    helper.set_model_props(model, {"labels": ",".join(labels)})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def export_int8(source: Path, path: Path) -> None:
    """Weights in 8 bits per output channel, of which 7 are used; activations are quantised as they come.

    With all 8 in use, processors without VNNI saturate in the middle of a product, and the same file answers differently on them
    (ONNX Runtime, "Quantize ONNX models", reduce_range).
    """
    handle, name = tempfile.mkstemp(suffix=".onnx", dir=path.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        quantize_dynamic(source, scratch, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
        path.write_bytes(onnx.load(scratch).SerializeToString(deterministic=True))
    finally:
        scratch.unlink(missing_ok=True)


def run(path: Path, x: np.ndarray) -> np.ndarray:
    """Probabilities [rows][labels] as the exported file gives them, one row at a time as on a vehicle."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    rows = x.astype(np.float32)
    return np.vstack([session.run([OUTPUT_NAME], {INPUT_NAME: rows[row : row + 1]})[0] for row in range(len(rows))])


def _constant(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float32), name)
