"""The models of the reference trainer and the choice between them by folds that hold out whole sessions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier

from contract import MEMBERS_MAX, Request, Search, Table

LOGISTIC_ITERATIONS = 1_000
SCORE_EPSILON = 1e-9
MEMBER_STRIDE = MEMBERS_MAX  # seeds of members of two requests never meet
ABSENT_LOGIT = -30.0


@dataclass(frozen=True)
class Candidate:
    kind: str
    penalty: float

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.penalty:g}"


@dataclass(frozen=True)
class Weights:
    """Layers applied to (x - mean) / std, with ReLU between them; the last gives one logit per label."""

    mean: np.ndarray
    std: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        z = (x - self.mean) / self.std
        for position, (matrix, bias) in enumerate(self.layers):
            z = z @ matrix + bias
            if position + 1 < len(self.layers):
                z = np.maximum(z, 0.0)
        z = np.exp(z - z.max(axis=1, keepdims=True))
        return z / z.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Score:
    candidate: Candidate
    macro_recall: float
    accuracy: float
    log_loss: float


def candidates(search: Search) -> list[Candidate]:
    """Simplest first: logistic regression, strongest penalty first; then the networks likewise."""
    logistic = [Candidate("logistic", value) for value in sorted(search.inverse_penalties)]
    network = [Candidate("network", value) for value in sorted(search.penalties, reverse=True)]
    return logistic + network


def search_best(train: Table, request: Request, report: Callable[[int, int, Score], None]) -> tuple[Candidate, list[Score]]:
    folds = split_folds(train, request)
    options = candidates(request.search)
    scores: list[Score] = []
    for position, candidate in enumerate(options):
        score = _score(candidate, train, folds, request)
        scores.append(score)
        report(position + 1, len(options), score)
    best = scores[0]
    for score in scores[1:]:
        if score.macro_recall > best.macro_recall + SCORE_EPSILON:
            best = score
    return best.candidate, scores


def split_folds(train: Table, request: Request) -> list[tuple[np.ndarray, np.ndarray]]:
    count = min(request.search.folds, len(np.unique(train.groups)))
    folder = StratifiedGroupKFold(count, shuffle=True, random_state=request.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a label with fewer sessions than folds is expected here
        folds = list(folder.split(train.x, train.y, train.groups))
    return [(fit, held) for fit, held in folds if held.size and len(np.unique(train.y[fit])) > 1]


def fit_candidate(candidate: Candidate, x: np.ndarray, y: np.ndarray, request: Request, members: int) -> Weights:
    mean, std = scale(x)
    z = (x - mean) / std
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the iteration limit is the stopping rule
        layers = _logistic(candidate, z, y, request) if candidate.kind == "logistic" else _network(candidate, z, y, request, members)
    return Weights(mean, std, layers)


def scale(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population standard deviation; 1 for a feature that does not vary."""
    mean, std = x.mean(axis=0), x.std(axis=0)
    return mean, np.where(std > 1e-12 * np.maximum(1.0, np.abs(mean)), std, 1.0)


def _score(candidate: Candidate, train: Table, folds: list[tuple[np.ndarray, np.ndarray]], request: Request) -> Score:
    probabilities = np.full((len(train.y), len(request.labels)), 1.0 / len(request.labels))
    covered = np.zeros(len(train.y), dtype=bool)
    for fit, held in folds:
        weights = fit_candidate(candidate, train.x[fit], train.y[fit], request, request.search.search_members)
        probabilities[held] = weights.probabilities(train.x[held])
        covered[held] = True
    y, p = train.y[covered], probabilities[covered]
    hit = p.argmax(axis=1) == y
    recalls = [hit[y == label].mean() for label in np.unique(y)]
    loss = -np.log(np.clip(p[np.arange(len(y)), y], 1e-6, 1.0)).mean()
    return Score(candidate, float(np.mean(recalls)), float(hit.mean()), float(loss))


def _logistic(candidate: Candidate, z: np.ndarray, y: np.ndarray, request: Request) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    model = LogisticRegression(C=candidate.penalty, max_iter=LOGISTIC_ITERATIONS, random_state=request.seed).fit(z, y)
    matrix, bias = model.coef_.T, model.intercept_
    return (_all_labels(matrix, bias, model.classes_, request),)


def _network(
    candidate: Candidate, z: np.ndarray, y: np.ndarray, request: Request, members: int
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Members differ in their first weights only. The mean of their logits is itself one network with members * hidden units."""
    search = request.search
    first, second, bias = [], [], np.zeros(len(request.labels))
    for member in range(members):
        model = MLPClassifier(
            (search.hidden,), solver="lbfgs", alpha=candidate.penalty, max_iter=search.iterations, random_state=request.seed * MEMBER_STRIDE + member
        ).fit(z, y)
        matrix, own_bias = _all_labels(model.coefs_[1], model.intercepts_[1], model.classes_, request)
        first.append((model.coefs_[0], model.intercepts_[0]))
        second.append(matrix / members)
        bias = bias + own_bias / members
    hidden = (np.hstack([pair[0] for pair in first]), np.concatenate([pair[1] for pair in first]))
    return (hidden, (np.vstack(second), bias))


def _all_labels(matrix: np.ndarray, bias: np.ndarray, classes: np.ndarray, request: Request) -> tuple[np.ndarray, np.ndarray]:
    """One column per label of the request: two-class models have one logit, and a label absent from the fit gets none."""
    if matrix.shape[1] == 1:
        matrix, bias = np.hstack([np.zeros_like(matrix), matrix]), np.concatenate([[0.0], bias])
    full = np.zeros((matrix.shape[0], len(request.labels)))
    offset = np.full(len(request.labels), ABSENT_LOGIT)
    full[:, classes], offset[classes] = matrix, bias
    return full, offset
