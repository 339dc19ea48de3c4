"""The trainer's side of the contract: what a request and its tables must look like, and how a refusal is said."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CONTRACT_VERSION = 1
ROWS_MAX = 1_000_000
FEATURES_MAX = 512
LABELS_MAX = 256
CANDIDATES_MAX = 64
MEMBERS_MAX = 64
HIDDEN_MAX = 1_024
ITERATIONS_MAX = 10_000
FOLDS_MAX = 20
SEED_MAX = 2**25 - 1


class Refusal(Exception):
    """Input that breaks the contract: becomes one JSON line on stderr and exit status 2."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


@dataclass(frozen=True)
class Search:
    """Candidates in the order of preference on equal scores."""

    folds: int
    inverse_penalties: tuple[float, ...]
    hidden: int
    members: int
    search_members: int
    iterations: int
    penalties: tuple[float, ...]


@dataclass(frozen=True)
class Request:
    features: tuple[str, ...]
    labels: tuple[str, ...]
    seed: int
    search: Search


@dataclass(frozen=True)
class Table:
    """Rows of one split. x is [rows][features] in float64; y holds indices into the request's labels."""

    sample_ids: list[str]
    groups: np.ndarray
    x: np.ndarray
    y: np.ndarray


def read_request(path: Path) -> Request:
    document = _object(_json(path), "request.json")
    if document.get("contract") != CONTRACT_VERSION:
        raise Refusal("CONTRACT_VERSION", f"this trainer speaks contract {CONTRACT_VERSION}, the request says {document.get('contract')!r}")
    feature_set = _object(document.get("featureSet"), "featureSet")
    entries = feature_set.get("features")
    if not isinstance(entries, list) or not 1 <= len(entries) <= FEATURES_MAX:
        raise Refusal("REQUEST_INVALID", f"featureSet.features must be a list of 1 to {FEATURES_MAX} features")
    features = _distinct([_object(entry, "feature").get("name") for entry in entries], "featureSet.features")
    labels = document.get("labels")
    if not isinstance(labels, list) or not 2 <= len(labels) <= LABELS_MAX:
        raise Refusal("REQUEST_INVALID", f"labels must be a list of 2 to {LABELS_MAX} labels")
    return Request(features, _distinct(labels, "labels"), _integer(document, "seed", 0, SEED_MAX), _search(document.get("search")))


def read_table(path: Path, request: Request) -> Table:
    table = _parquet(path)
    for name in ("sample_id", "session", "label", *request.features):
        if name not in table.column_names:
            raise Refusal("COLUMN_MISSING", f"{path.name} has no column {name}", file=path.name, column=name)
    if table.num_rows == 0:
        raise Refusal("TABLE_EMPTY", f"{path.name} has no rows", file=path.name)
    if table.num_rows > ROWS_MAX:
        raise Refusal("TABLE_LIMIT", f"{path.name} has more than {ROWS_MAX} rows", file=path.name)
    sample_ids = _strings(table, "sample_id", path)
    if len(set(sample_ids)) != len(sample_ids):
        raise Refusal("SAMPLE_DUPLICATE", f"{path.name} names a sample_id twice", file=path.name)
    index = {label: position for position, label in enumerate(request.labels)}
    names = _strings(table, "label", path)
    for row, name in enumerate(names):
        if name not in index:
            raise Refusal("LABEL_UNKNOWN", f"{path.name} row {row} has label {name}, which the request does not name", file=path.name, row=row)
    groups = _strings(table, "group" if "group" in table.column_names else "session", path)
    x = np.column_stack([_numbers(table, name, path) for name in request.features])
    return Table(sample_ids, np.array(groups), x, np.array([index[name] for name in names]))


def check_training(train: Table, test: Table) -> None:
    if len(np.unique(train.y)) < 2:
        raise Refusal("SINGLE_CLASS", "train.parquet holds fewer than two labels; nothing can be learned")
    if len(np.unique(train.groups)) < 2:
        raise Refusal("SINGLE_SESSION", "train.parquet holds fewer than two sessions; no fold can be held out")
    shared = sorted(set(train.groups) & set(test.groups))
    if shared:
        raise Refusal("LEAKAGE", f"session {shared[0]} is in train.parquet and in test.parquet", sessions=shared[:20])
    both = sorted(set(train.sample_ids) & set(test.sample_ids))
    if both:
        raise Refusal("LEAKAGE", f"sample {both[0]} is in train.parquet and in test.parquet", samples=both[:20])


def _search(value: Any) -> Search:
    search = _object(value, "search")
    logistic = _object(search.get("logistic"), "search.logistic")
    network = _object(search.get("network"), "search.network")
    inverse_penalties = _positive(logistic, "inversePenalty")
    penalties = _positive(network, "penalty")
    if not 1 <= len(inverse_penalties) + len(penalties) <= CANDIDATES_MAX:
        raise Refusal("REQUEST_INVALID", f"the search must name 1 to {CANDIDATES_MAX} candidates")
    return Search(
        folds=_integer(search, "folds", 2, FOLDS_MAX),
        inverse_penalties=inverse_penalties,
        hidden=_integer(network, "hidden", 1, HIDDEN_MAX),
        members=_integer(network, "members", 1, MEMBERS_MAX),
        search_members=_integer(network, "searchMembers", 1, MEMBERS_MAX),
        iterations=_integer(network, "iterations", 1, ITERATIONS_MAX),
        penalties=penalties,
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal("REQUEST_MISSING", f"{path.name} does not exist") from None
    except ValueError as error:
        raise Refusal("REQUEST_INVALID", f"{path.name} is not JSON: {error}") from error


def _parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except FileNotFoundError:
        raise Refusal("TABLE_MISSING", f"{path.name} does not exist", file=path.name) from None
    except (pa.ArrowException, OSError) as error:
        raise Refusal("TABLE_UNREADABLE", f"{path.name} is not Parquet: {error}", file=path.name) from error


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refusal("REQUEST_INVALID", f"{what} must be an object")
    return value


def _distinct(values: list[Any], what: str) -> tuple[str, ...]:
    if not all(isinstance(value, str) and value for value in values):
        raise Refusal("REQUEST_INVALID", f"{what} must be names")
    if len(set(values)) != len(values):
        raise Refusal("REQUEST_INVALID", f"{what} names something twice")
    return tuple(values)


def _integer(source: dict[str, Any], name: str, least: int, most: int) -> int:
    value = source.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Refusal("REQUEST_INVALID", f"{name} must be an integer from {least} to {most}, it is {value!r}")
    return value


def _positive(source: dict[str, Any], name: str) -> tuple[float, ...]:
    values = source.get(name)
    if not isinstance(values, list):
        raise Refusal("REQUEST_INVALID", f"{name} must be a list of positive numbers")
    for value in values:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value) or value <= 0:
            raise Refusal("REQUEST_INVALID", f"{name} must hold positive numbers, {value!r} is none")
    return tuple(float(value) for value in values)


def _strings(table: pa.Table, name: str, path: Path) -> list[str]:
    values = table.column(name).to_pylist()
    for row, value in enumerate(values):
        if not isinstance(value, str) or not value:
            raise Refusal("VALUE_INVALID", f"{path.name} row {row} has no text in {name}", file=path.name, column=name, row=row)
    return values


def _numbers(table: pa.Table, name: str, path: Path) -> np.ndarray:
    column = table.column(name)
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise Refusal("VALUE_INVALID", f"{path.name} column {name} is {column.type}, not a number", file=path.name, column=name)
    values = np.asarray(column.to_numpy(), dtype=np.float64)
    broken = np.flatnonzero(~np.isfinite(values))
    if broken.size:
        row = int(broken[0])
        raise Refusal("VALUE_INVALID", f"{path.name} row {row} has no finite number in {name}", file=path.name, column=name, row=row)
    return values
