"""Optuna's samplers made new for every ask: one template, copied, seeded and told what is known.

A template has the settings of a sampler and nothing that it has seen: no generator, no search
space of a study, no fitted kernel. `Recipe.made` copies it; every generator in the copy, however
deep, starts from the same key, as with `seed=` of Optuna's own constructors.
"""

from __future__ import annotations

import copy
import functools
import random
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import optuna
from ConfigSpace import ConfigurationSpace
from optuna.distributions import BaseDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIIISampler,
    PartialFixedSampler,
    QMCSampler,
    TPESampler,
)
from optuna.samplers._ga import BaseGASampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.samplers._nsgaiii._elite_population_selection_strategy import (
    NSGAIIIElitePopulationSelectionStrategy,
    _generate_default_reference_point,
)
from optuna.samplers._tpe.sampler import default_gamma, default_gamma_multiobjective
from optuna.search_space import IntersectionSearchSpace
from optuna.search_space.group_decomposed import _GroupDecomposedSearchSpace, _SearchSpaceGroup
from optuna.trial import FrozenTrial

from automl_nas import seeds
from automl_nas.searchers.optuna_encoding import Encoding
from automl_nas.searchers.optuna_kinds import GRID, KINDS, Kind

_LEAVES = (
    FrozenTrial, BaseDistribution, optuna.Study, np.ndarray, str, bytes, int, float, type,
    type(None), types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType,
)  # fmt: skip
"""What holds no generator, or none of the sampler's."""
_FRESH = (
    LazyRandomState, np.random.RandomState, np.random.Generator, random.Random,
    IntersectionSearchSpace, _GroupDecomposedSearchSpace,
)  # fmt: skip
STRIDE = 4099
"""QMC positions between attempts; odd, as points a power of two apart are near each other."""


def visit(thing: Any, act: Callable[[Any], None]) -> None:
    """Calls `act` with everything that the sampler is made of, each once."""
    stack, seen = [thing], set()
    while stack:
        part = stack.pop()
        if isinstance(part, _LEAVES) or id(part) in seen:
            continue
        seen.add(id(part))
        act(part)
        if isinstance(part, dict):
            stack.extend(part.values())
        elif isinstance(part, list | tuple | set | frozenset):
            stack.extend(part)
        else:
            stack.extend(getattr(part, "__dict__", {}).values())


def core(sampler: BaseSampler) -> BaseSampler:
    """The sampler inside those that fix some of the parameters."""
    while isinstance(sampler, PartialFixedSampler):
        sampler = sampler._base_sampler
    return sampler


def known_kind(sampler: BaseSampler) -> tuple[str, Kind]:
    """Label and traits; a sampler of the user's own class is asked parameter by parameter."""
    inner = core(sampler)
    for name, kind in {**KINDS, "grid": GRID}.items():
        if isinstance(inner, getattr(optuna.samplers, kind.sampler)):
            return name, kind
    return type(inner).__qualname__, Kind(type(inner).__qualname__)


def template(sampler: BaseSampler) -> BaseSampler:
    """A copy of the sampler as it was configured, without what it has seen and drawn."""
    blank = copy.deepcopy(sampler)
    visit(blank, _forget)
    return blank


def _forget(part: Any) -> None:
    if hasattr(part, "_warn_independent_sampling"):
        part._warn_independent_sampling = False
    match part:
        case LazyRandomState():
            part._rng = None
        case IntersectionSearchSpace():
            part._cached_trial_number, part._search_space, part._study_id = -1, None, None
        case _GroupDecomposedSearchSpace():
            part._search_space, part._study_id = _SearchSpaceGroup(), None
        case TPESampler():
            part._search_space_group = None
            if part._gamma in (default_gamma, default_gamma_multiobjective):
                part._gamma = None
        case GPSampler():
            part._gprs_cache_list = part._constraints_gprs_cache_list = None
        case NSGAIIIElitePopulationSelectionStrategy() if part._reference_points is not None:
            points = np.asarray(part._reference_points)
            default = _generate_default_reference_point(points.shape[1], part._dividing_parameter)
            if np.array_equal(points, default):
                part._reference_points = None


class Spaces(Protocol):
    """Search spaces that samplers work out from the complete trials."""

    def intersection(self) -> dict[str, BaseDistribution]:
        """Of the parameters that all trials share."""

    def groups(self) -> Any:
        """Of parameters that go together."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """A sampler that can be made anew for each attempt, and how it is asked."""

    label: str
    """Key of its random numbers."""
    kind: Kind
    encoding: Encoding
    template: BaseSampler

    @property
    def system(self) -> dict[str, Any]:
        """Attributes of trials that have none: a genetic sampler's first generation."""
        inner = core(self.template)
        return {inner._get_generation_key(): 0} if isinstance(inner, BaseGASampler) else {}

    @functools.cached_property
    def _fresh(self) -> list[Any]:
        """What in the template is made fresh in each copy."""
        found: list[Any] = []
        visit(self.template, lambda part: found.append(part) if isinstance(part, _FRESH) else None)
        return found

    def made(self, spaces: Spaces, seed: int, number: int, attempt: int) -> BaseSampler:
        """The sampler for one attempt: a copy of the template, seeded and told the spaces."""
        copies: dict[int, Any] = {}
        sampler = copy.deepcopy(self.template, copies)
        key = seeds.derive("optuna", self.label, seed, number, attempt)
        for part in self._fresh:
            _prepare(copies[id(part)], key, spaces)
        inner = core(sampler)
        if isinstance(inner, NSGAIIISampler):
            _fix_selection(inner, seed)
        elif isinstance(inner, QMCSampler):
            _fix_position(inner, seed, number + attempt * STRIDE, self.encoding.varied)
        return sampler


def recipe(
    space: ConfigurationSpace, sampler: str | BaseSampler, settings: Mapping[str, Any]
) -> Recipe:
    """The recipe of a named sampler with settings, or of an instance.

    Raises:
        SettingError: a fixed value, a grid or a start with a value that the space has not.
    """
    if isinstance(sampler, str):
        blank, label = template(_named(space, sampler, settings)), sampler
        kind = KINDS[sampler]
    else:
        blank = template(sampler)
        label, kind = known_kind(blank)
    encoding = Encoding(space, kind.flat)
    visit(blank, lambda part: _encode(part, encoding))
    return Recipe(label, kind, encoding, blank)


def _named(space: ConfigurationSpace, sampler: str, settings: Mapping[str, Any]) -> BaseSampler:
    preset: dict[str, Any] = {}
    if sampler == "tpe" and space.conditions:
        preset = {"multivariate": True, "group": True}
    elif sampler == "qmc":
        preset = {"scramble": True}
    cls = getattr(optuna.samplers, KINDS[sampler].sampler)
    made: BaseSampler = cls(**{**preset, **settings}, seed=0)
    return made


def _encode(part: Any, encoding: Encoding) -> None:
    """Values of the space inside a sampler, as the sampler is asked for them."""
    match part:
        case PartialFixedSampler():
            part._fixed_params = encoding.encode(part._fixed_params)
        case CmaEsSampler() if part._x0 is not None:
            part._x0 = encoding.encode(part._x0)
        case GridSampler():
            names = part._param_names
            grids = [encoding.encode(dict(zip(names, g, strict=True))) for g in part._all_grids]
            part._all_grids = [tuple(grid.values()) for grid in grids]


def _prepare(part: Any, key: int, spaces: Spaces) -> None:
    match part:
        case LazyRandomState():
            vars(part)["_set_rng"] = lambda: _seed(part, key)
        case np.random.RandomState() | random.Random():
            part.seed(key)
        case np.random.Generator():
            part.bit_generator.state = type(part.bit_generator)(key).state
        case IntersectionSearchSpace():
            vars(part)["calculate"] = lambda *_, **__: spaces.intersection()
        case _GroupDecomposedSearchSpace():
            vars(part)["calculate"] = lambda *_, **__: spaces.groups()


def _seed(lazy: LazyRandomState, key: int) -> None:
    """On first use: most samplers have a second generator that only their first trials need."""
    lazy._rng = np.random.RandomState(key)


def _fix_selection(sampler: NSGAIIISampler, seed: int) -> None:
    """One generator for selecting parents in all asks, as a long-lived sampler keeps them."""
    strategy = sampler._elite_population_selection_strategy
    if isinstance(strategy, NSGAIIIElitePopulationSelectionStrategy):
        strategy._rng = LazyRandomState(seeds.derive("optuna", "nsga3", "parents", seed))


def _fix_position(
    sampler: QMCSampler, seed: int, position: int, varied: Mapping[str, BaseDistribution]
) -> None:
    """The position in the sequence is the number instead of being counted in the study."""
    sampler._seed = seeds.derive("optuna", "qmc", seed)
    vars(sampler)["infer_relative_search_space"] = lambda *_: dict(varied)
    vars(sampler)["_find_sample_id"] = lambda *_: position
