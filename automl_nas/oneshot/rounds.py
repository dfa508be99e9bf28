"""A one-shot run as a chain of rounds: each trains some epochs and ends with a configuration.

    outcome, setup_seconds = play(plan, 3, cache)

What round n gives is determined by the plan alone. Live modules in `cache.memory` and checkpoints
in `cache.folder` only spare the rounds before; where both are gone they are played again. All
generators are reseeded for every round; the caller's generators and thread count are put back.
A checkpoint is numbered by the rounds played: `round-1` is what round 0 left.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, identity, seeds
from automl_nas.images import ImageTask, Splits
from automl_nas.isolation import isolated, reseed
from automl_nas.oneshot import bilevel, checkpoints
from automl_nas.oneshot.ranking import best_path
from automl_nas.oneshot.recipe import OneShotRecipe
from automl_nas.oneshot.relaxation import Relaxation
from automl_nas.oneshot.samplers import Sampler
from automl_nas.supernet.mixture import Supernet, SupernetRecipe
from automl_nas.types import Cache

_DIGITS = 6
"""Decimals of probabilities in the record."""


@dataclass(frozen=True)
class Plan:
    """All that determines a run."""

    name: str
    """Names the folder and keys the random numbers."""
    space: ConfigurationSpace
    supernet: SupernetRecipe
    sampler: Sampler
    data: ImageTask
    rounds: int
    recipe: OneShotRecipe
    candidates: int
    seed: int
    """The study's."""

    @property
    def chain(self) -> str:
        """Digest of the plan, the space and torch's version: what a checkpoint must match."""
        parts = [identity.describe(self), identity.versions(["torch"])]
        text = json.dumps([*parts, configs.space_to_json(self.space)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def epochs(self) -> int:
        """Epochs of the whole run."""
        return self.rounds * self.recipe.epochs_per_round

    def derive(self, *parts: seeds.Part) -> int:
        """A seed for one purpose."""
        return seeds.derive("gradient", self.name, self.seed, *parts)


@dataclass(frozen=True)
class Outcome:
    """What a round says."""

    configuration: dict[str, configs.Value]
    training_flops: float
    """Of this round: training, and forward passes of ranking paths."""
    attrs: dict[str, Any]
    """For the record, JSON."""


@dataclass
class Position:
    """Where a run stands after `number` rounds; it goes on from here."""

    chain: str
    number: int
    """Rounds played so far."""
    state: bilevel.OneShot
    splits: Splits
    outcome: Outcome | None = None
    """Of the last round."""


def play(plan: Plan, index: int, cache: Cache) -> tuple[Outcome, float]:
    """The outcome of round `index` (from 0) and the seconds that only prepared it.

    Preparation is building, loading and replaying earlier rounds, and all training of a sampler
    that does not learn: its search is the ranking of paths. The FLOPs are of this round alone:
    replayed ones have been charged before.
    """
    recipe, began = plan.recipe, time.perf_counter()
    with isolated(recipe.device, threads=recipe.threads):
        position = _resume(plan, index, cache)
        while position.number < index:
            _advance(plan, position, cache.folder)
        setup = time.perf_counter() - began
        if position.number == index:
            training = _advance(plan, position, cache.folder)
            setup += 0.0 if plan.sampler.learns else training
    cache.memory[plan.name] = position
    assert position.outcome is not None
    return position.outcome, setup


def _resume(plan: Plan, index: int, cache: Cache) -> Position:
    """The latest position that is not past round `index`.

    It is taken out of the memory, so that an interrupted round cannot be mistaken for a whole one.
    """
    chain = plan.chain
    kept: Position | None = cache.memory.pop(plan.name, None)
    if kept is not None and (kept.chain != chain or kept.number > index + 1):
        kept = None
    first = 1 if kept is None else kept.number + 1
    content = None
    if cache.folder is not None:
        folder = _folder(plan, cache.folder)
        content = checkpoints.newest(folder, chain, first=first, last=index + 1)
    if content is None:
        return kept or _fresh(plan, chain)
    return _restore(kept or _fresh(plan, chain), content)


def _fresh(plan: Plan, chain: str) -> Position:
    recipe = plan.recipe
    reseed(seeds.derive("gradient", "weights", plan.seed), recipe.device)
    network = plan.supernet.build()
    reseed(seeds.derive("gradient", "architecture", plan.seed), recipe.device)
    state = bilevel.start(network, Relaxation(plan.space), recipe)
    return Position(chain, 0, state, _on_device(plan.data.load(), recipe.device))


def _on_device(splits: Splits, device: str) -> Splits:
    train, architecture = splits.train.to(device), splits.architecture.to(device)
    return replace(splits, train=train, architecture=architecture)


def _advance(plan: Plan, position: Position, root: Path | None) -> float:
    """Plays the next round and saves it; returns the seconds of its training."""
    began = time.perf_counter()
    flops = _train(plan, position)
    training = time.perf_counter() - began
    _choose(plan, position, flops)
    _save(plan, position, root)
    return training


def _train(plan: Plan, position: Position) -> float:
    """The epochs of the next round; returns their FLOPs."""
    recipe, first = plan.recipe, position.number * plan.recipe.epochs_per_round
    reseed(plan.derive(position.number), recipe.device)
    return sum(
        bilevel.train_epoch(
            position.state, plan.sampler, position.splits, recipe, epoch=epoch, epochs=plan.epochs
        )
        for epoch in range(first, first + recipe.epochs_per_round)
    )


def _choose(plan: Plan, position: Position, flops: float) -> None:
    """Ends the round with its outcome."""
    decide = _by_probability if plan.sampler.learns else _by_rank
    position.outcome = decide(plan, position, flops)
    position.number += 1


def _by_probability(plan: Plan, position: Position, flops: float) -> Outcome:
    relaxation = position.state.relaxation
    chosen = configs.to_dict(relaxation.mode(plan.sampler))
    probabilities = relaxation.probabilities(plan.sampler)
    attrs = {
        "round": position.number,
        "entropy": round(_entropy(probabilities), _DIGITS),
        "probability": {
            name: round(probabilities[name][_index(plan.space, name, value)], _DIGITS)
            for name, value in chosen.items()
        },
    }
    return Outcome(chosen, flops, attrs)


def _by_rank(plan: Plan, position: Position, flops: float) -> Outcome:
    """The best of random legal paths and the choice of the round before."""
    rng = seeds.rng("gradient", plan.name, plan.seed, position.number, "candidates")
    paths = [configs.sample(plan.space, rng) for _ in range(plan.candidates)]
    if position.outcome is not None:
        paths.insert(0, configs.from_dict(plan.space, position.outcome.configuration))
    distinct: dict[str, Configuration] = {configs.digest(path): path for path in paths}
    reseed(plan.derive(position.number, "ranking"), plan.recipe.device)
    best = best_path(
        position.state.network,
        list(distinct.values()),
        position.splits.architecture,
        plan.recipe.batch_size,
    )
    attrs = {
        "round": position.number,
        "accuracy": round(best.accuracy, _DIGITS),
        "candidates": len(distinct),
    }
    return Outcome(configs.to_dict(best.configuration), flops + best.flops, attrs)


def _index(space: ConfigurationSpace, name: str, value: configs.Value) -> int:
    return (configs.choices(space[name]) or ()).index(value)


def _entropy(probabilities: Mapping[str, list[float]]) -> float:
    """Mean over hyperparameters, in nats."""
    each = [float(torch.special.entr(torch.tensor(p)).sum()) for p in probabilities.values()]
    return sum(each) / len(each)


def _folder(plan: Plan, root: Path) -> Path:
    return root / plan.name.replace(":", "-")


def _save(plan: Plan, position: Position, root: Path | None) -> None:
    if root is None or position.outcome is None:
        return
    state = position.state
    content = {
        "network": state.network.state_dict(),
        "relaxation": state.relaxation.state_dict(),
        "weights": state.weights.state_dict(),
        "architecture": state.architecture.state_dict(),
        "outcome": asdict(position.outcome),
    }
    checkpoints.save(_folder(plan, root), position.chain, position.number, content)


def _restore(position: Position, content: dict[str, Any]) -> Position:
    state = position.state
    state.network.load_state_dict(content["network"])
    state.relaxation.load_state_dict(content["relaxation"])
    state.weights.load_state_dict(content["weights"])
    state.architecture.load_state_dict(content["architecture"])
    position.number, position.outcome = content["round"], Outcome(**content["outcome"])
    return position


def epoch_flops(plan: Plan) -> float:
    """Training FLOPs of one epoch, see `bilevel.epoch_flops`."""
    with isolated(plan.recipe.device, threads=plan.recipe.threads):
        supernet, splits = _untrained(plan)
        return bilevel.epoch_flops(supernet, plan.space, plan.sampler, splits, plan.recipe)


def ranking_flops(plan: Plan) -> float:
    """Expected forward FLOPs of ranking paths once; zero where the sampler learns."""
    if plan.sampler.learns:
        return 0.0
    with isolated(plan.recipe.device, threads=plan.recipe.threads):
        supernet, splits = _untrained(plan)
        forward = bilevel.expected_forward(supernet, plan.space, plan.sampler)
    return (plan.candidates + 1) * len(splits.architecture.labels) * forward


def _untrained(plan: Plan) -> tuple[Supernet, Splits]:
    reseed(plan.seed, plan.recipe.device)
    return cast(Supernet, plan.supernet.build()), plan.data.load()
