"""Optuna's samplers as searchers: each proposal is asked of a shadow study made from the record.

    OptunaSearcher(space, "tpe")
    OptunaSearcher(space, "nsga2", {"population_size": 20})
    OptunaSearcher(space, optuna.samplers.TPESampler(n_startup_trials=5))
    OptunaSearcher.from_study(optuna_study)

Samplers by name: tpe, nsga2, nsga3, gp, cmaes, qmc, brute-force, random; any other as an instance.
Learnable records enter in the order of their numbers with minimised losses and the violations of
the study's constraints, failed ones as FAIL, pending ones as RUNNING (constant liar; for gp as
COMPLETE with the worst values so far, Ginsbourger et al. 2010). The sampler is new each time and
seeded by (study seed, number, attempt), so nothing but the record is needed to go on. A draw that a
forbidden clause rules out stays RUNNING in the shadow, which TPE avoids, and the next one is drawn.
Trials are built once for each record and kept (`automl_nas.searchers.optuna_known`).

An instance is copied when the searcher is made: it is never changed, and its own seed does not
count. What a sampler keeps in its trials' system attributes (generations, CMA-ES's pickled state)
survives; so do the kernels that GPSampler fitted last, at which its next fit begins
(`automl_nas.searchers.optuna_kernels`). What it keeps in memory besides does not.

Encoding. TPE, random and brute-force are asked parameter by parameter (conditional spaces:
`group=True`), as are samplers of the user's own class. The others model the parameters that all
trials share, which would leave conditional ones to chance, so they get flat genomes
(`automl_nas.searchers.flat`). Ordinals are integers to the sampler.

Departures from plain Optuna: records of other searchers are part of NSGA's first generation (Optuna
ignores trials without a generation); NSGA-III selects a generation's parents with one fixed seed,
as a long-lived sampler keeps them; QMC is scrambled by the study seed and the trial number is the
position in the sequence; CMA-ES refuses categorical hyperparameters, which Optuna draws at random;
GP begins a fit at the kernels of the latest proposal in the record, rounded to six digits, where a
long-lived GPSampler has those of its own last ask and a new one Optuna's default.
Source: Akiba et al. 2019, KDD; Bergstra et al. 2011 (TPE); Deb et al. 2002 and 2014 (NSGA-II, III);
Hansen and Ostermeier 2001 (CMA-ES).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import inspect
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ConfigSpace import Configuration, ConfigurationSpace
from ConfigSpace.hyperparameters import CategoricalHyperparameter

from automl_nas import configs, seeds
from automl_nas.errors import (
    MissingPackage,
    SettingError,
    UnknownName,
    UnsupportedObjectives,
    UnsupportedSpace,
)
from automl_nas.searchers import flat
from automl_nas.searchers.base import (
    folded,
    measured,
    refuse_constraints,
    refuse_priors,
    require_choice,
    require_unmeasured,
)
from automl_nas.searchers.optuna_kinds import KINDS, Kind
from automl_nas.types import History, Proposal

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler

    from automl_nas.searchers.optuna_known import Known
    from automl_nas.searchers.optuna_samplers import Recipe

_ATTEMPTS = 100
"""Forbidden draws in a row after which the proposal is any legal configuration."""


@dataclass(frozen=True)
class OptunaSearcher:
    """Any of Optuna's samplers, asked anew for every proposal.

    Raises:
        UnknownName: a sampler, or a setting of the sampler, that Optuna does not have.
        UnsupportedSpace: weights or priors, which Optuna has not; categorical hyperparameters for
            cmaes; continuous ones for brute-force.
        MissingPackage: cmaes without its package.
        SettingError: an instance and settings.
    """

    space: ConfigurationSpace
    """What can be chosen."""
    sampler: str | BaseSampler = "tpe"
    """tpe, nsga2, nsga3, gp, cmaes, qmc, brute-force, random; or an instance, which is copied."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the named sampler's class, except `seed`."""

    variant: ClassVar[str] = "sampler"
    variants: ClassVar[tuple[str, ...]] = tuple(KINDS)
    packages: ClassVar[tuple[str, ...]] = ("ConfigSpace", "optuna")

    def __post_init__(self) -> None:
        configs.check_space(self.space)
        if isinstance(self.sampler, str):
            _check_settings(self.sampler, self.settings)
        elif self.settings:
            raise SettingError(
                f"{self.name} came with settings {sorted(self.settings)}: an instance has its own."
            )
        refuse_priors(self.space, self.name)
        with _quiet():
            if not isinstance(self.sampler, str):
                from automl_nas.searchers.optuna_samplers import template

                object.__setattr__(self, "sampler", template(self.sampler))
            _check_space(self.space, self._recipe.kind, self.name)
        if self._recipe.kind.sampler == KINDS["cmaes"].sampler:
            object.__setattr__(self, "packages", (*type(self).packages, "cmaes"))

    @classmethod
    def from_study(cls, study: Study, space: ConfigurationSpace | None = None) -> OptunaSearcher:
        """A searcher with the sampler of an existing Optuna study.

        Args:
            study: whose sampler is copied; nothing is written to it.
            space: what can be chosen; None: what the study's trials were drawn from
                (`automl_nas.distributions.space_from_trials`).

        Raises:
            SpaceError: no space is given and the trials do not tell it.
        """
        from automl_nas.distributions import space_from_trials

        if space is None:
            space = space_from_trials(study.get_trials(deepcopy=False))
        return cls(space, study.sampler)

    @property
    def name(self) -> str:
        """`optuna:` and the sampler's name, or the class of an instance."""
        named = isinstance(self.sampler, str)
        return f"optuna:{self.sampler if named else type(self.sampler).__name__}"

    def identity_json(self) -> dict[str, Any]:
        """What makes the same searcher: settings, not objects (`automl_nas.identity`)."""
        from automl_nas.searchers.optuna_identity import described

        told = {"sampler": described(self.sampler), "settings": described(self.settings)}
        return {"type": type(self).__qualname__, **told}

    @functools.cached_property
    def _recipe(self) -> Recipe:
        from automl_nas.searchers.optuna_samplers import recipe

        return recipe(self.space, self.sampler, self.settings)

    @property
    def startup(self) -> int:
        """The sampler's population, or its start-up trials."""
        names = ("population_size", "n_startup_trials")
        if not isinstance(self.sampler, str):
            return max(int(getattr(self.sampler, f"_{name}", 0)) for name in names)
        import optuna

        made = getattr(optuna.samplers, KINDS[self.sampler].sampler)
        known = inspect.signature(made).parameters
        found = [name for name in names if name in known]
        return max((int(self.settings.get(n, known[n].default)) for n in found), default=0)

    def propose(self, history: History, number: int) -> Proposal:
        """The sampler's next suggestion given the record.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
            UnsupportedObjectives: cmaes with several metrics.
            UnsupportedConstraints: constraints for a sampler that learns and would ignore them.
        """
        self._check_history(history)
        require_unmeasured(self.space, history)
        with _quiet():
            proposal = self._asked(history, number)
        if proposal is not None:
            return proposal
        return Proposal(self._fallback(history, number), attrs={"fallback": True})

    def _check_history(self, history: History) -> None:
        kind, count = self._recipe.kind, len(history.metrics)
        if kind.one_metric and count > 1:
            advice = "use optuna:tpe, optuna:gp, optuna:nsga2 or optuna:nsga3."
            raise UnsupportedObjectives(self.name, "one metric", count, advice)
        if not kind.constrained:
            refuse_constraints(history, self.name)

    def _asked(self, history: History, number: int) -> Proposal | None:
        """The first legal suggestion of several attempts."""
        from automl_nas.searchers.optuna_known import Known, Trials

        recipe = self._recipe
        known = folded(
            history,
            "optuna",
            lambda: Known(Trials(recipe, history.metrics, history.constraints)),
            (recipe, history.seed, history.metrics, history.constraints),
        )
        study = known.begin(history.pending, number)
        for attempt in range(_ATTEMPTS):
            study.sampler = known.sampler(history.seed, number, attempt)
            genes = recipe.encoding.ask(study.ask())
            values = flat.express(self.space, genes) if recipe.kind.flat else genes
            configuration = configs.legal(self.space, values)
            if configuration is not None:
                return self._proposal(configuration, genes, known)
        return None

    def _proposal(
        self, configuration: Configuration, genes: dict[str, configs.Value], known: Known
    ) -> Proposal:
        attrs = known.notes()
        if self._recipe.kind.flat:
            attrs[flat.KEY] = {**genes, **configs.to_dict(configuration)}
        return Proposal(configuration, attrs=attrs)

    def _fallback(self, history: History, number: int) -> Configuration:
        """A legal configuration; the next one that nobody measures where all are to be."""
        if self._recipe.kind.exhaustive:
            taken = measured(history) | {record.digest for record in history.pending}
            for configuration in configs.enumerate_space(self.space):
                if configs.digest(configuration) not in taken:
                    return configuration
        rng = seeds.rng("optuna", self._recipe.label, history.seed, number, "fallback")
        return configs.sample(self.space, rng)


def _check_settings(sampler: str, settings: Mapping[str, Any]) -> None:
    if sampler not in KINDS:
        raise UnknownName("Optuna sampler", sampler, KINDS)
    import optuna

    accepted = inspect.signature(getattr(optuna.samplers, KINDS[sampler].sampler)).parameters
    for setting in settings:
        if setting not in accepted or setting == "seed":
            known = [name for name in accepted if name != "seed"]
            raise UnknownName(f"setting of optuna:{sampler}", setting, known)


def _check_space(space: ConfigurationSpace, kind: Kind, engine: str) -> None:
    """Refuses what the sampler would leave to chance or could not enumerate."""
    for name, hyperparameter in space.items():
        categorical = isinstance(hyperparameter, CategoricalHyperparameter)
        if kind.numeric and categorical and hyperparameter.size > 1:
            raise UnsupportedSpace(
                f"hyperparameter {name!r} is categorical, which {engine} would draw at random: "
                "make it ordinal or numeric, or use optuna:tpe, optuna:gp or optuna:nsga2."
            )
        if kind.exhaustive and hyperparameter.size == math.inf:
            raise UnsupportedSpace(
                f"hyperparameter {name!r} is continuous, so {engine} cannot try all values: make "
                "it an integer or ordinal, or use optuna:qmc."
            )
    if kind.numeric:
        require_choice(space, engine)
        if importlib.util.find_spec("cmaes") is None:
            raise MissingPackage("cmaes", engine)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of what Optuna calls experimental, from a shadow that nobody sees."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
