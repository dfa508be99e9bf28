"""Syne Tune's regularized evolution as a searcher, with its multi-objective ranking put right.

    SyneTuneSearcher(space, "rea")             # one metric
    SyneTuneSearcher(space, "mo-rea")          # several metrics, ranks corrected
    SyneTuneSearcher(space, "mo-rea-shipped")  # as shipped, to reproduce published baselines

Syne Tune 0.9 to 0.16 scores the population with `nondominated_sort`, which returns indices in order
of rank where the rank of each index is meant, so that parents are nearly random (784 of 1000 random
sets of 20 have a dominated "best"). `mo-rea` gives each member its rank: fronts first, inside a
front the epsilon net's order, as the authors describe it.

Every proposal replays the youngest records, in order of completion, into a new Syne Tune searcher
under global generators seeded by (study seed, number, attempt), since Syne Tune ignores its own
seed; forbidden children are drawn again. Syne Tune has no conditions: it sees flat genomes
(`automl_nas.searchers.flat`), choices as indices.
Source: Real et al. 2019, AAAI; Salinas et al. 2021, "A multi-objective perspective on jointly
tuning hardware and hyperparameters", NAS workshop at ICLR.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import IntegerHyperparameter

from automl_nas import configs, pareto, seeds
from automl_nas.errors import UnknownName, UnsupportedObjectives
from automl_nas.searchers import flat
from automl_nas.searchers.base import (
    refuse_priors,
    require_choice,
    require_unmeasured,
)
from automl_nas.searchers.engines import contained
from automl_nas.settings import require_positive
from automl_nas.types import History, Proposal

_METHODS = ("rea", "mo-rea", "mo-rea-shipped")
_ATTEMPTS = 100
"""Forbidden children in a row after which the proposal is a random legal configuration."""

Priority = Callable[[pareto.Floats], Any]


@dataclass(frozen=True)
class SyneTuneSearcher:
    """Regularized evolution of Syne Tune for one or several metrics.

    Raises:
        UnknownName: a method that is not one of rea, mo-rea, mo-rea-shipped.
        UnsupportedSpace: weights or priors, or nothing to choose.
    """

    space: ConfigurationSpace
    """What can be chosen."""
    method: str = "mo-rea"
    """rea, mo-rea or mo-rea-shipped."""
    population_size: int = 100
    """How many of the youngest records may become parents."""
    sample_size: int = 10
    """How many draws, with replacement, compete for being the parent."""

    variant: ClassVar[str] = "method"
    variants: ClassVar[tuple[str, ...]] = _METHODS
    packages: ClassVar[tuple[str, ...]] = ("ConfigSpace", "syne-tune")

    def __post_init__(self) -> None:
        configs.check_space(self.space)
        if self.method not in _METHODS:
            raise UnknownName("Syne Tune method", self.method, _METHODS)
        require_positive(self, "population_size", "sample_size")
        require_choice(self.space, self.name)
        refuse_priors(self.space, self.name)

    @property
    def name(self) -> str:
        """`syne-tune:` and the method."""
        return f"syne-tune:{self.method}"

    def propose(self, history: History, number: int) -> Proposal:
        """What Syne Tune suggests after the youngest records.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
            UnsupportedObjectives: rea with several metrics.
        """
        if self.method == "rea" and len(history.metrics) > 1:
            advice = 'use method="mo-rea".'
            raise UnsupportedObjectives(self.name, "one metric", len(history.metrics), advice)
        require_unmeasured(self.space, history)
        for attempt in range(_ATTEMPTS):
            genes = self._suggest(history, number, attempt)
            configuration = configs.legal(self.space, flat.express(self.space, genes))
            if configuration is not None:
                kept = {**genes, **configs.to_dict(configuration)}
                return Proposal(configuration, attrs={flat.KEY: kept})
        rng = seeds.rng("syne-tune", self.method, history.seed, number, "fallback")
        return Proposal(configs.sample(self.space, rng), attrs={"fallback": True})

    def _suggest(self, history: History, number: int, attempt: int) -> dict[str, configs.Value]:
        # One more than the population: Syne Tune scores before it drops the oldest member.
        told = history.selectable()[-self.population_size - 1 :]
        seed = seeds.derive("syne-tune", self.method, history.seed, number, attempt)
        with contained(seed, "syne_tune"):
            engine = self._engine(seed, len(told))
            for record in told:
                losses = history.losses(record)
                genes = _encode(self.space, flat.genome(self.space, record))
                metric = losses[0] if self.method == "rea" else list(losses)
                engine.on_trial_complete(record.number, genes, metric)
            return _decode(self.space, engine.suggest())

    def _engine(self, seed: int, told: int) -> Any:
        from syne_tune.optimizer.schedulers.multiobjective import (
            MultiObjectiveRegularizedEvolution,
        )
        from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import (
            NonDominatedPriority,
        )
        from syne_tune.optimizer.schedulers.searchers.regularized_evolution import (
            RegularizedEvolution,
        )

        settings: dict[str, Any] = {
            "population_size": self.population_size,
            "sample_size": self.sample_size,
            "random_seed": seed,
        }
        domains = _domains(self.space)
        if self.method == "rea":
            return RegularizedEvolution(domains, **settings)
        priority = corrected_priority if self.method == "mo-rea" else NonDominatedPriority()
        settings["multiobjective_priority"] = _only_when_complete(priority, told)
        return MultiObjectiveRegularizedEvolution(domains, **settings)


def corrected_priority(losses: pareto.Floats) -> pareto.Floats:
    """Rank of each row, 0 the best: fronts first, inside a front the epsilon net's order."""
    from syne_tune.optimizer.schedulers.multiobjective.non_dominated_priority import (
        compute_epsilon_net,
    )

    layers, priority = pareto.ranks(losses), np.zeros(len(losses))
    for layer in range(int(layers.max()) + 1):
        members = np.flatnonzero(layers == layer)
        better = int((layers < layer).sum())
        priority[members] = better + compute_epsilon_net(losses[members], dim=0)
    return priority


def _only_when_complete(priority: Priority, size: int) -> Priority:
    """Scores are overwritten with every told record: only those of the last one are computed."""

    def score(losses: pareto.Floats) -> Any:
        return priority(losses) if len(losses) >= size else np.zeros(len(losses))

    return score


def _domains(space: ConfigurationSpace) -> dict[str, Any]:
    """The space in Syne Tune's terms; hyperparameters with a single value are left out."""
    from syne_tune import config_space as syne

    domains: dict[str, Any] = {}
    for name, hyperparameter in space.items():
        options = configs.choices(hyperparameter)
        if options is not None:
            if len(options) > 1:
                domains[name] = syne.choice(list(range(len(options))))
            continue
        number: Any = hyperparameter
        low, high = number.lower, number.upper
        log = bool(getattr(hyperparameter, "log", False))
        if isinstance(hyperparameter, IntegerHyperparameter):
            domains[name] = (syne.lograndint if log else syne.randint)(int(low), int(high))
        else:
            domains[name] = (syne.loguniform if log else syne.uniform)(float(low), float(high))
    return domains


def _encode(space: ConfigurationSpace, genes: dict[str, configs.Value]) -> dict[str, Any]:
    """Choices as indices, single values left out."""
    encoded: dict[str, Any] = {}
    for name, value in genes.items():
        options = configs.choices(space[name])
        if options is None:
            encoded[name] = value
        elif len(options) > 1:
            encoded[name] = options.index(value)
    return encoded


def _decode(space: ConfigurationSpace, encoded: dict[str, Any]) -> dict[str, configs.Value]:
    """The genome that `_encode` would encode so."""
    genes: dict[str, configs.Value] = {}
    for name in space:
        options = configs.choices(space[name])
        if options is None:
            genes[name] = configs.native(encoded[name])
        else:
            genes[name] = options[int(encoded.get(name, 0))]
    return genes
