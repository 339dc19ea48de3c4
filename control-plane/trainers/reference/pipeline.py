"""From checked tables to the files of the contract."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contract import CONTRACT_VERSION, Request, Table
from onnx_export import export_fp32, export_int8, run
from search import Score, Weights, fit_candidate, scale, search_best, split_folds

GOLDEN_ROWS = 32
PACKAGES = ("numpy", "scikit-learn", "scipy", "onnx", "onnxruntime", "pyarrow")
DISTANCE_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999, "max": 1.0}
FEATURE_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def run_pipeline(request: Request, train: Table, test: Table, target: Path, say: Callable[..., None]) -> None:
    started = time.monotonic()
    best, scores = search_best(train, request, lambda done, of, score: say("search", done=done, of=of, **_score_fields(score)))
    say("fit", candidate=best.name)
    weights = fit_candidate(best, train.x, train.y, request, request.search.members)
    fp32, int8 = target / "model.onnx", target / "model.int8.onnx"
    export_fp32(weights, request.labels, fp32)
    export_int8(fp32, int8)
    say("export", fp32Bytes=fp32.stat().st_size, int8Bytes=int8.stat().st_size)
    outputs, outputs_int8 = run(fp32, test.x), run(int8, test.x)
    write_predictions(target / "predictions.parquet", request, test, outputs)
    write_predictions(target / "predictions.int8.parquet", request, test, outputs_int8)
    _write_json(target / "training-stats.json", training_stats(train, request))
    _write_json(target / "golden.json", golden(test, outputs))
    _write_json(target / "environment.json", environment())
    _write_json(target / "metrics.json", metrics(request, train, test, (outputs, outputs_int8), weights) | {
        "selected": {"kind": best.kind, "penalty": best.penalty, "name": best.name},
        "search": [_score_fields(score) for score in scores],
        "seconds": round(time.monotonic() - started, 3),
    })
    say("done", seconds=round(time.monotonic() - started, 3))


def metrics(request: Request, train: Table, test: Table, outputs: tuple[np.ndarray, np.ndarray], weights: Weights) -> dict[str, Any]:
    """For the experiment log only: the gate computes its own figures from predictions.parquet."""
    fp32, int8 = outputs
    hit = fp32.argmax(axis=1) == test.y
    recall = {label: float(hit[test.y == index].mean()) for index, label in enumerate(request.labels) if (test.y == index).any()}
    return {
        "contract": CONTRACT_VERSION,
        "trainSamples": len(train.y),
        "testSamples": len(test.y),
        "accuracy": float(hit.mean()),
        "recall": recall,
        "export": {
            "fp32WorstDifference": float(np.abs(fp32 - weights.probabilities(test.x)).max()),
            "int8WorstDifference": float(np.abs(int8 - fp32).max()),
            "int8Agreement": float((int8.argmax(axis=1) == fp32.argmax(axis=1)).mean()),
        },
    }


def training_stats(train: Table, request: Request) -> dict[str, Any]:
    """Distance of x: mean over features of ((x - mean) / std)^2. Its quantiles come from sessions held out of mean and std."""
    mean, std = scale(train.x)
    held_out = np.concatenate([_distance(train.x[held], *scale(train.x[fit])) for fit, held in split_folds(train, request)])
    quantiles = np.quantile(train.x, FEATURE_QUANTILES, axis=0)
    return {
        "features": [
            {"name": name, "mean": float(mean[i]), "std": float(std[i]), "quantiles": {f"q{q:g}": float(v) for q, v in zip(FEATURE_QUANTILES, quantiles[:, i])}}
            for i, name in enumerate(request.features)
        ],
        "distance": {
            "definition": "mean over features of ((x - mean) / std)^2",
            "heldOutSessions": {name: float(np.quantile(held_out, q)) for name, q in DISTANCE_QUANTILES.items()},
            "training": {name: float(np.quantile(_distance(train.x, mean, std), q)) for name, q in DISTANCE_QUANTILES.items()},
        },
        "labelShare": {label: float((train.y == index).mean()) for index, label in enumerate(request.labels)},
    }


def _distance(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return (((x - mean) / std) ** 2).mean(axis=1)


def golden(test: Table, outputs: np.ndarray) -> dict[str, Any]:
    """Rows spread evenly over the test split, with what the fp32 file answered."""
    rows = np.unique(np.linspace(0, len(test.y) - 1, GOLDEN_ROWS).astype(int))
    return {"inputs": test.x[rows].tolist(), "outputs": outputs[rows].astype(float).tolist()}


def environment() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "threads": 1,
        "packages": {name: version(name) for name in PACKAGES},
    }


def write_predictions(path: Path, request: Request, test: Table, outputs: np.ndarray) -> None:
    top = outputs.argmax(axis=1)
    columns: dict[str, Any] = {
        "sample_id": test.sample_ids,
        "label": [request.labels[index] for index in test.y],
        "predicted": [request.labels[index] for index in top],
        "confidence": outputs[np.arange(len(top)), top].astype(np.float64),
    }
    columns |= {f"p_{label}": outputs[:, index].astype(np.float64) for index, label in enumerate(request.labels)}
    scratch = path.with_suffix(".active")
    pq.write_table(pa.table(columns), scratch, compression="zstd")
    scratch.replace(path)


def _write_json(path: Path, document: dict[str, Any]) -> None:
    scratch = path.with_suffix(".active")
    scratch.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    scratch.replace(path)


def _score_fields(score: Score) -> dict[str, Any]:
    return {"candidate": score.candidate.name, "macroRecall": score.macro_recall, "accuracy": score.accuracy, "logLoss": score.log_loss}
