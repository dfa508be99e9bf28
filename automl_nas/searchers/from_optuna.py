"""Optuna's samplers as searchers: a shadow study is rebuilt from the record for every proposal.

    OptunaSearcher(space, "tpe")
    OptunaSearcher(space, "nsga2", {"population_size": 20})

Samplers: tpe, nsga2, nsga3, gp, qmc, random. Learnable records enter in the order of their numbers
with minimised losses, failed ones as FAIL, pending ones as RUNNING (constant liar; for gp as
COMPLETE with the worst losses so far, Ginsbourger et al. 2010). The sampler is new each time and
seeded by (study seed, number, attempt), so nothing but the record is needed to go on. A draw that a
forbidden clause rules out stays RUNNING in the shadow, which TPE avoids, and the next one is drawn.

Encoding. TPE and random are asked parameter by parameter (conditional spaces: `group=True`). The
others model the parameters that all trials share, which would leave conditional ones to chance, so
they get flat genomes (`automl_nas.searchers.flat`). Ordinals are integers to the sampler.

Departures from plain Optuna: records of other searchers are part of NSGA's first generation (Optuna
ignores trials without a generation); NSGA-III selects a generation's parents with one fixed seed,
as a long-lived sampler keeps them; QMC is scrambled by the study seed and the trial number is the
position in the sequence.
Source: Akiba et al. 2019, KDD; Bergstra et al. 2011 (TPE); Deb et al. 2002 and 2014 (NSGA-II, III).
"""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.hyperparameters import OrdinalHyperparameter

from automl_nas import configs, seeds
from automl_nas.distributions import distribution
from automl_nas.errors import UnknownName
from automl_nas.searchers import flat
from automl_nas.searchers.base import refuse_priors, require_unmeasured
from automl_nas.types import History, Proposal, Record

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

    Encodings = Mapping[str, BaseDistribution]


class _Kind(NamedTuple):
    sampler: str
    """Class in `optuna.samplers`."""
    flat: bool = True
    learns: bool = True
    lies: bool = False
    """Whether pending trials enter as COMPLETE with the worst loss so far instead of as RUNNING:
    GP would take a minute to condition on three of those."""
    system: str = ""
    """Prefix of the sampler's own trial attributes, which must come back with the trial."""


_KINDS = {
    "tpe": _Kind("TPESampler", flat=False),
    "nsga2": _Kind("NSGAIISampler", system="NSGAIISampler:generation"),
    "nsga3": _Kind("NSGAIIISampler", system="NSGAIIISampler:generation"),
    "gp": _Kind("GPSampler", lies=True),
    "qmc": _Kind("QMCSampler", learns=False),
    "random": _Kind("RandomSampler", flat=False, learns=False),
}
_STRIDE = 4099
"""QMC positions between attempts; odd, as points a power of two apart are near each other."""
_ATTEMPTS = 100
"""Forbidden draws in a row after which the proposal is a random legal configuration."""


@dataclass(frozen=True)
class OptunaSearcher:
    """Any of Optuna's samplers, rebuilt from the record for every proposal.

    Raises:
        UnknownName: a sampler, or a setting of the sampler, that Optuna does not have.
        UnsupportedSpace: weights or priors, which Optuna has not.
    """

    space: ConfigurationSpace
    """What can be chosen."""
    sampler: str = "tpe"
    """tpe, nsga2, nsga3, gp, qmc or random."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the sampler's class, except `seed`."""

    variant: ClassVar[str] = "sampler"
    variants: ClassVar[tuple[str, ...]] = tuple(_KINDS)
    packages: ClassVar[tuple[str, ...]] = ("ConfigSpace", "optuna")

    def __post_init__(self) -> None:
        configs.check_space(self.space)
        if self.sampler not in _KINDS:
            raise UnknownName("Optuna sampler", self.sampler, _KINDS)
        import optuna

        accepted = inspect.signature(getattr(optuna.samplers, self._kind.sampler)).parameters
        for setting in self.settings:
            if setting not in accepted or setting == "seed":
                known = [name for name in accepted if name != "seed"]
                raise UnknownName(f"setting of {self.name}", setting, known)
        refuse_priors(self.space, self.name)
        with _quiet():
            self._sampler(0, 0, 0)

    @property
    def name(self) -> str:
        """`optuna:` and the sampler."""
        return f"optuna:{self.sampler}"

    @property
    def _kind(self) -> _Kind:
        return _KINDS[self.sampler]

    def propose(self, history: History, number: int) -> Proposal:
        """The sampler's next suggestion given the record.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
        """
        require_unmeasured(self.space, history)
        encodings = _encodings(self.space)
        with _quiet():
            shadow = self._shadow(history, encodings)
            for attempt in range(_ATTEMPTS):
                shadow.sampler = self._sampler(history.seed, number, attempt)
                trial = shadow.ask()
                genes = self._genes(trial, encodings)
                configuration = configs.legal(self.space, flat.express(self.space, genes))
                if configuration is not None:
                    return self._proposal(configuration, genes, shadow)
        rng = seeds.rng("optuna", self.sampler, history.seed, number, "fallback")
        return Proposal(configs.sample(self.space, rng), attrs={"fallback": True})

    def _sampler(self, seed: int, number: int, attempt: int) -> BaseSampler:
        import optuna

        cls = getattr(optuna.samplers, self._kind.sampler)
        settings: dict[str, Any] = dict(self.settings)
        key = seeds.derive("optuna", self.sampler, seed, number, attempt)
        if self.sampler == "tpe" and self.space.conditions:
            settings = {"multivariate": True, "group": True, **settings}
        elif self.sampler == "nsga3":
            fixed = cls(**settings, seed=seeds.derive("optuna", "nsga3", "parents", seed))
            elite = fixed._elite_population_selection_strategy
            settings = {"elite_population_selection_strategy": elite, **settings}
        elif self.sampler == "qmc":
            cls = _numbered(cls, _encodings(self.space), number + attempt * _STRIDE)
            key, settings = seeds.derive("optuna", "qmc", seed), {"scramble": True, **settings}
        sampler: BaseSampler = cls(**settings, seed=key)
        return sampler

    def _shadow(self, history: History, encodings: Encodings) -> Study:
        import optuna

        shadow = optuna.create_study(directions=["minimize"] * len(history.metrics))
        if self._kind.learns:
            pending = _lies(history) if self._kind.lies else history.pending
            for record in sorted([*history.records, *pending], key=lambda record: record.number):
                if record.fidelity is None and not record.audit:
                    shadow.add_trial(self._trial(history, record, encodings))
        return shadow

    def _trial(self, history: History, record: Record, encodings: Encodings) -> FrozenTrial:
        import optuna
        from optuna.trial import TrialState

        states = {
            "complete": TrialState.COMPLETE,
            "failed": TrialState.FAIL,
            "running": TrialState.RUNNING,
        }
        if self._kind.flat:
            values = flat.genome(self.space, record)
        else:
            values = configs.to_dict(record.configuration)
        system = {self._kind.system: 0} if self._kind.system else {}
        return optuna.trial.create_trial(
            state=states[record.status],
            params={name: _encode(self.space, name, value) for name, value in values.items()},
            distributions={name: encodings[name] for name in values},
            values=[float(v) for v in history.losses(record)] if record.selectable else None,
            system_attrs={**system, **record.attrs.get("system", {})},
        )

    def _genes(self, trial: Trial, encodings: Encodings) -> dict[str, configs.Value]:
        """Values of all hyperparameters, or of the active ones for a sampler that is asked so."""

        def suggest(name: str) -> configs.Value:
            return _decode(self.space, name, _suggest(trial, name, encodings[name]))

        if self._kind.flat:
            return {name: suggest(name) for name in self.space}
        return configs.define_by_run(self.space, suggest)

    def _proposal(
        self, configuration: Configuration, genes: dict[str, configs.Value], shadow: Study
    ) -> Proposal:
        attrs: dict[str, Any] = {}
        if self._kind.flat:
            attrs[flat.KEY] = {**genes, **configs.to_dict(configuration)}
        if self._kind.system:
            trial = shadow.get_trials(deepcopy=False)[-1]
            attrs["system"] = {self._kind.system: trial.system_attrs[self._kind.system]}
        return Proposal(configuration, attrs=attrs)


def _lies(history: History) -> list[Record]:
    """Pending trials as if each had turned out as bad as any; none before there is a measure."""
    known = [history.losses(record) for record in history.selectable()]
    worst = [max(column) for column in zip(*known, strict=True)]
    # `loss` is its own inverse
    values = {m.name: m.loss(loss) for m, loss in zip(history.metrics, worst, strict=False)}
    pending = history.pending if known else ()
    return [replace(record, status="complete", values=values) for record in pending]


def _quiet() -> contextlib.AbstractContextManager[None]:
    """No "new study" lines, and no warnings from a shadow that nobody sees."""
    from automl_nas.storages import quiet_optuna

    return quiet_optuna(logging.ERROR)


def _encodings(space: ConfigurationSpace) -> Encodings:
    from optuna.distributions import IntDistribution

    return {
        name: IntDistribution(0, len(hyperparameter.sequence) - 1)
        if isinstance(hyperparameter, OrdinalHyperparameter)
        else distribution(hyperparameter)
        for name, hyperparameter in space.items()
    }


def _encode(space: ConfigurationSpace, name: str, value: configs.Value) -> configs.Value:
    hyperparameter = space[name]
    if isinstance(hyperparameter, OrdinalHyperparameter):
        return (configs.choices(hyperparameter) or ()).index(value)
    return value


def _decode(space: ConfigurationSpace, name: str, value: Any) -> configs.Value:
    hyperparameter = space[name]
    ordinal = isinstance(hyperparameter, OrdinalHyperparameter)
    plain: configs.Value = (configs.choices(hyperparameter) or ())[value] if ordinal else value
    return plain


def _suggest(trial: Trial, name: str, encoding: BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match encoding:
        case IntDistribution():
            return trial.suggest_int(name, encoding.low, encoding.high, log=encoding.log)
        case FloatDistribution():
            return trial.suggest_float(name, encoding.low, encoding.high, log=encoding.log)
        case CategoricalDistribution():
            return trial.suggest_categorical(name, encoding.choices)
        case _:
            raise TypeError(f"no such encoding: {encoding!r}")


def _numbered(cls: Any, encodings: Encodings, position: int) -> Any:
    """A QMC sampler whose position is given instead of counted in the study."""

    class Numbered(cls):  # type: ignore[misc]
        def infer_relative_search_space(self, *_: Any) -> dict[str, BaseDistribution]:
            return {name: d for name, d in encodings.items() if not d.single()}

        def _find_sample_id(self, *_: Any) -> int:
            return position

    return Numbered
