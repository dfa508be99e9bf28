"""Syne Tune's searchers as engines that are built, told the record and asked, all at once.

`KINDS` says of every method what it is made of and what it can do. What Syne Tune 0.16 does that
is put right here, or refused:

- `nondominated_sort` returns indices in order of rank where the rank of each index is meant, so
  that parents are nearly random: `corrected_priority`, unless the method is `mo-rea-shipped`.
- EHVI maximises the negated losses above the reference point (2, 2, ...), which no positive loss
  reaches: `ehvi` shifts and scales the losses so that this point lies a tenth of the front's range
  beyond its worst corner (BoTorch's own rule; no gain has been measured yet); `ehvi-shipped`
  passes them as they are. Both run with torch's default type double, without
  which BoTorch refuses the mixture of types.
- The KDE ignores logarithms, shifts integers and leaves their bounds: it sees numbers and ordinals
  on the unit interval. Choices would be lost to rounding from 49 on: positions are nudged by 1e-9.
- BORE and CQR run on one thread, so that the machine's cores do not decide; after a forbidden
  suggestion comes the next best of its candidates.
- Settings that fail or do the opposite are refused: `SettingError` says which and why.
Source: see `automl_nas.searchers.from_syne_tune`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from automl_nas import pareto
from automl_nas.errors import MissingPackage, SettingError, UnknownName
from automl_nas.isolation import isolated, reseed
from automl_nas.searchers.engines import contained
from automl_nas.searchers.syne_tune_space import Domains

Priority = Callable[[pareto.Floats], Any]

_SCHEDULERS = "syne_tune.optimizer.schedulers"
_OURS = {"config_space", "points_to_evaluate", "random_seed", "multiobjective_priority"}
"""Arguments of the engines that are no settings."""
_MARGIN = 2.1
"""How far the worst corner of the front is put above EHVI's origin, whose reference point is 2."""


class Kind(NamedTuple):
    """What a method is made of and what it can do."""

    module: str
    """In `syne_tune.optimizer.schedulers`."""
    engine: str
    """The class."""
    metrics: str = "one"
    """How many it optimises: one, several (two or more), any."""
    learns: bool = True
    unit: bool = False
    """Whether it sees numbers on the unit interval."""
    package: str = ""
    """What it needs and Syne Tune does not bring."""
    module_of_package: str = ""
    attempts: int = 100
    """Forbidden suggestions in a row after which the proposal is a random legal configuration."""


_BOTORCH: dict[str, Any] = {
    "package": "botorch",
    "module_of_package": "botorch",
    "attempts": 10,
}
_MO_REA = ("multiobjective", "MultiObjectiveRegularizedEvolution", "any")
_EHVI = (
    "multiobjective.expected_hyper_volume_improvement",
    "ExpectedHyperVolumeImprovement",
    "several",
)

KINDS: dict[str, Kind] = {
    "random": Kind("searchers.random_searcher", "RandomSearcher", "any", learns=False),
    "rea": Kind("searchers.regularized_evolution", "RegularizedEvolution"),
    "tpe": Kind("searchers.kde.kde_searcher", "KernelDensityEstimator", unit=True),
    "bore": Kind(
        "searchers.bore.bore",
        "Bore",
        package="xgboost",
        module_of_package="xgboost",
        attempts=500,
    ),
    "cqr": Kind(
        "searchers.conformal.conformal_quantile_regression_searcher",
        "ConformalQuantileRegression",
        package="huggingface-hub",
        module_of_package="huggingface_hub",
    ),
    "botorch": Kind("searchers.botorch.botorch_searcher", "BoTorchSearcher", **_BOTORCH),
    "mo-rea": Kind(*_MO_REA),
    "mo-rea-shipped": Kind(*_MO_REA),
    "ehvi": Kind(*_EHVI, **_BOTORCH),
    "ehvi-shipped": Kind(*_EHVI, **_BOTORCH),
}


def require_package(method: str, searcher: str) -> None:
    """Raises MissingPackage where the method's own package is not installed."""
    kind = KINDS[method]
    if kind.package and importlib.util.find_spec(kind.module_of_package) is None:
        raise MissingPackage(kind.package, searcher)


def known_settings(method: str) -> list[str]:
    """Names of the engine's own settings, as its signature has them."""
    names = [name for name in inspect.signature(_engine_class(method)).parameters]
    if method == "cqr":
        from sklearn.ensemble import GradientBoostingRegressor

        # the surrogate is fitted once per proposal, and its class is no plain value
        dropped = {"update_frequency", "surrogate_cls", "surrogate_kwargs"}
        dropped |= {"loss", "alpha", "random_state", "verbose"}
        names += ["quantiles", *inspect.signature(GradientBoostingRegressor).parameters]
        names = [name for name in names if name not in dropped]
    return [name for name in names if name not in _OURS]


def check_settings(
    method: str, settings: Mapping[str, Any], searcher: str, also: Sequence[str] = ()
) -> None:
    """Raises UnknownName for a setting that the engine has not, SettingError for a broken one.

    `also` are names that are known, too, for the error message.
    """
    for name in settings:
        if name not in (known := known_settings(method)):
            raise UnknownName(f"setting of {searcher}", name, [*known, *also])
    if reason := _broken(method, settings):
        raise SettingError(f"{searcher}: in Syne Tune 0.16 {reason}.")


def _broken(method: str, settings: Mapping[str, Any]) -> str:
    """Why a setting of a known name would not do what it says; nothing where it would."""
    if settings.get("input_warping"):
        return "input_warping fails with BoTorch's present Warp: leave it out"
    if method != "bore":
        return ""
    classifier = settings.get("classifier", "xgboost")
    if settings.get("acq_optimizer") == "de":
        return "acq_optimizer 'de' uses np.float, which NumPy 2 has not: use 'rs'"
    if classifier == "mlp":
        return "classifier 'mlp' looks for the worst: use 'xgboost', 'rf' or 'logreg'"
    if classifier not in ("xgboost", "rf", "logreg"):
        return f"classifier must be 'xgboost', 'rf' or 'logreg', got {classifier!r}"
    if classifier == "xgboost" and settings.get("classifier_kwargs"):
        return "classifier_kwargs are ignored for 'xgboost': use 'rf' or 'logreg'"
    return ""


@contextlib.contextmanager
def sealed(method: str, seed: int, settings: Mapping[str, Any]) -> Iterator[None]:
    """Global generators seeded; they, logging, warnings and torch's state are put back."""
    disabled = logging.root.manager.disable
    with contained(seed, "syne_tune"), contextlib.ExitStack() as stack:
        stack.callback(logging.disable, disabled)
        logging.disable(logging.CRITICAL)
        if method in ("bore", "cqr"):
            stack.enter_context(_threads(method).limit(limits=1))
        if KINDS[method].package == "botorch":
            import torch

            stack.enter_context(isolated("cpu", threads=1))
            reseed(seed)
            if method.startswith("ehvi") and settings.get("double_precision", True):
                stack.callback(torch.set_default_dtype, torch.get_default_dtype())
                torch.set_default_dtype(torch.float64)
        yield


def build(method: str, domains: Domains, seed: int, settings: Mapping[str, Any]) -> Any:
    """A new engine.

    Raises:
        SettingError: the engine refuses a setting's value.
    """
    arguments: dict[str, Any] = {**settings, "random_seed": seed}
    if method.startswith("mo-rea"):
        arguments["multiobjective_priority"] = priority(method)
    try:
        engine = _engine_class(method)(domains, **arguments)
    except (AssertionError, TypeError, ValueError) as error:
        raise SettingError(f"syne-tune:{method} refuses {dict(settings)}: {error}") from error
    if method == "bore" and engine.classifier == "xgboost":
        engine.model.set_params(n_jobs=1)
    if method == "bore":
        _keep_scores(engine)
    if method == "tpe":
        from_feature = engine._from_feature
        engine._from_feature = lambda vector: from_feature(np.asarray(vector) + 1e-9)
    if KINDS[method].package == "botorch":
        engine.drawn, draw = [], engine._get_random_config
        engine._get_random_config = lambda: engine.drawn.append(True) or draw()
    return engine


def _keep_scores(engine: Any) -> None:
    """BORE's candidates and their losses, in the order in which it rates them."""
    encode, rate = engine._hp_ranges.to_ndarray, engine._loss
    rating: list[Any] = []
    engine.rated = []

    def encoding(candidate: Any) -> Any:
        rating[:] = [candidate]
        return encode(candidate)

    def keeping(x: Any) -> Any:
        found = rate(x)
        engine.rated.append((float(found[0]), *rating))
        return found

    engine._hp_ranges.to_ndarray, engine._loss = encoding, keeping


def suggestions(method: str, engine: Any) -> Iterator[Any]:
    """What the engine suggests, again and again; of BORE the next best candidates in between."""
    while True:
        if method == "bore":
            engine.rated.clear()
        yield engine.suggest()
        if method == "bore":
            yield from (one for _, one in sorted(engine.rated, key=lambda pair: pair[0])[1:])


def fell_back(method: str, engine: Any) -> bool:
    """Whether BoTorch could not fit what it was told and a suggestion was drawn at random."""
    if KINDS[method].package != "botorch" or not engine.drawn:
        return False
    return len(engine.objectives()) >= int(engine.num_minimum_observations)


def _engine_class(method: str) -> Any:
    kind = KINDS[method]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of BoTorch's imports
        module = importlib.import_module(f"{_SCHEDULERS}.{kind.module}")
    return getattr(module, kind.engine)


@functools.cache
def _threads(method: str) -> Any:
    """The thread pools of what the method's engine has imported."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    _engine_class(method)
    return ThreadpoolController()


def feature(method: str, engine: Any, encoded: Mapping[str, Any]) -> Any:
    """What the engine itself would make of a configuration when told; None where nothing."""
    if method == "tpe":
        return engine._to_feature(encoded)
    return engine._hp_ranges.to_ndarray(encoded) if method == "bore" else None


class Told(NamedTuple):
    """A record as an engine knows it."""

    number: int
    encoded: dict[str, Any]
    feature: Any
    losses: tuple[float, ...]
    """Empty where it is under way."""


def tell(method: str, engine: Any, told: Sequence[Told], pending: Sequence[Told] = ()) -> None:
    """Completed configurations in order of completion, and those under way."""
    if method == "tpe":
        engine.X, engine.y = [one.feature for one in told], [one.losses[0] for one in told]
    elif method == "bore":
        engine.inputs = [one.feature for one in told]
        engine.targets = [one.losses[0] for one in told]
    elif KINDS[method].package == "botorch":
        _tell_botorch(method, engine, told, pending)
    elif method.startswith("mo-rea"):
        _tell_evolution(engine, told)
    else:
        for one in told:
            engine.on_trial_complete(one.number, one.encoded, one.losses[0])


def _tell_evolution(engine: Any, told: Sequence[Told]) -> None:
    """What telling one by one comes to: it scores all members anew each time, the last one counts.

    It scores before it drops the oldest member.
    """
    from syne_tune.optimizer.schedulers.searchers.regularized_evolution import PopulationElement

    if not told:
        return
    last = told[-engine.population_size - 1 :]
    scores = engine._multiobjective_priority(np.array([one.losses for one in last], dtype=float))
    members = [
        PopulationElement(score=score, config=one.encoded, results=list(one.losses))
        for one, score in zip(last, scores, strict=True)
    ]
    engine.population.extend(members[-engine.population_size :])


def _tell_botorch(method: str, engine: Any, told: Sequence[Told], pending: Sequence[Told]) -> None:
    """Positions are the engine's numbers: it pairs configurations and losses by their order."""
    losses = [one.losses for one in told]
    losses = _shifted(losses) if method == "ehvi" else losses
    for position, one in enumerate([*told, *pending]):
        engine.trial_configs[position] = one.encoded
        engine.pending_trials.add(position)
    for position, (one, values) in enumerate(zip(told, losses, strict=True)):
        metric = values[0] if len(values) == 1 else list(values)
        engine.on_trial_complete(position, one.encoded, metric)


def _shifted(losses: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """EHVI's reference point comes to lie 0.1 ranges of the front beyond its worst corner."""
    if not losses:
        return []
    values = np.asarray(losses, dtype=float)
    front = values[pareto.front(values)]
    extent = np.ptp(front, axis=0)
    extent = np.where(extent > 0, extent, np.ptp(values, axis=0))
    extent = np.where(extent > 0, extent, 1.0)
    moved = (values - front.max(axis=0)) / extent - _MARGIN
    return [tuple(row) for row in moved.tolist()]


def priority(method: str) -> Priority:
    """How several losses become one: ranks corrected, or as shipped."""
    if method in ("mo-rea", "moasha"):
        return corrected_priority
    from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import (
        NonDominatedPriority,
    )

    shipped: Priority = NonDominatedPriority()
    return shipped


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
