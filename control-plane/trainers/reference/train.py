"""The reference trainer: reads one request, searches, fits, exports ONNX and writes what the gate needs. See ../README.md."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported: one thread gives one order of additions

import sys

sys.dont_write_bytecode = True  # the folder of the sources stays as it is

import argparse
import json
import logging
from pathlib import Path
from typing import Any

from contract import Refusal, check_training, read_request, read_table

EXIT_REFUSED = 2
EXIT_FAILED = 3


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="train.py", description="reference trainer, contract 1")
    parser.add_argument("--in", dest="source", type=Path, required=True, help="folder with request.json, train.parquet, test.parquet")
    parser.add_argument("--out", dest="target", type=Path, required=True, help="folder for the results")
    options = parser.parse_args(arguments)
    logging.getLogger().setLevel(logging.ERROR)
    try:
        _train(options.source, options.target)
        return 0
    except Refusal as refusal:
        _say_error(refusal.code, str(refusal), refusal.details)
        return EXIT_REFUSED
    except Exception as error:  # whatever it is, the caller gets a line it can read
        _say_error("TRAINER_FAILED", f"{type(error).__name__}: {error}", {})
        return EXIT_FAILED


def _train(source: Path, target: Path) -> None:
    request = read_request(source / "request.json")
    train, test = read_table(source / "train.parquet", request), read_table(source / "test.parquet", request)
    check_training(train, test)
    _say("read", train=len(train.y), test=len(test.y), features=len(request.features))
    from pipeline import run_pipeline  # takes more than a second to import: a refusal need not wait for it

    target.mkdir(parents=True, exist_ok=True)
    run_pipeline(request, train, test, target, _say)


def _say(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def _say_error(code: str, message: str, details: dict[str, Any]) -> None:
    print(json.dumps({"error": {"code": code, "message": message, "details": details}}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
