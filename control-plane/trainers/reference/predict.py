"""Predict mode of the reference trainer: a model of before answers for the test split of another dataset. See ../README.md."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # as in training: one thread gives one order of additions

import sys

sys.dont_write_bytecode = True  # the folder of the sources stays as it is

import argparse
import json
from pathlib import Path

from contract import Refusal, read_request, read_table

EXIT_REFUSED = 2
EXIT_FAILED = 3


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="predict.py", description="reference trainer, contract 1, predict mode")
    parser.add_argument("--in", dest="source", type=Path, required=True, help="folder with request.json, test.parquet, model.onnx")
    parser.add_argument("--out", dest="target", type=Path, required=True, help="folder for predictions.parquet")
    options = parser.parse_args(arguments)
    try:
        _predict(options.source, options.target)
        return 0
    except Refusal as refusal:
        _say_error(refusal.code, str(refusal))
        return EXIT_REFUSED
    except Exception as error:  # whatever it is, the caller gets a line it can read
        _say_error("TRAINER_FAILED", f"{type(error).__name__}: {error}")
        return EXIT_FAILED


def _predict(source: Path, target: Path) -> None:
    request = read_request(source / "request.json")
    test = read_table(source / "test.parquet", request)
    model = source / "model.onnx"
    if not model.is_file():
        raise Refusal("MODEL_MISSING", "model.onnx does not exist")
    from onnx_export import run
    from pipeline import write_predictions

    target.mkdir(parents=True, exist_ok=True)
    outputs = run(model, test.x)
    if outputs.shape != (len(test.y), len(request.labels)):
        raise Refusal("MODEL_SHAPE", f"model.onnx answers {outputs.shape[1]} numbers for {len(request.labels)} labels")
    write_predictions(target / "predictions.parquet", request, test, outputs)
    print(json.dumps({"event": "done", "test": len(test.y)}), flush=True)


def _say_error(code: str, message: str) -> None:
    print(json.dumps({"error": {"code": code, "message": message, "details": {}}}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
