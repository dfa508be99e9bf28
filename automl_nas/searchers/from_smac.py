"""SMAC as a searcher: a surrogate and expected improvement, several proposals per fit.

    SmacSearcher(space, "rf")         # a random forest, one metric
    SmacSearcher(space, "parego")     # the same, several metrics: ParEGO's random scalarisations
    SmacSearcher(space, "gp")         # a Gaussian process; "gp-parego" for several metrics
    SmacSearcher(space, "ac")         # algorithm configuration: coarser forest, half at random

The first `initial` numbers are SMAC's own scrambled Sobol design ("ac": the default configuration).
Afterwards the numbers come in blocks of `batch`: proposal n learns from records with a number below
batch * floor(n / batch) and is the (n mod batch)-th configuration that a fresh facade, seeded by
study seed and block, is asked for. The last block's asks are cached in `history.cache.memory`;
without them they are made again.

Failed configurations are told as crashed with the worst loss seen so far in every metric (SMAC's
default of infinity would spoil the model). SMAC works on a copy of the space, writes nothing, and
neither logs, warns, prints (ConfigSpace 1.2 prints the vectors that some clauses check) nor touches
global generators. Proposals that the space forbids are passed over.

Priors. Where the space has weights or normal or beta priors, the initial design, half of the random
candidates and all random interleaved configurations are drawn from them, and the acquisition is
multiplied by them, ever less (`prior_decay`, piBO: `automl_nas.searchers.smac_priors`). The model
works on a uniform copy of the space, so that conditional hyperparameters may have priors too.

Departures from SMAC's facades: every configuration once (objectives have one evaluation seed and
no instances, which is what racing would end with), one thread, batched prediction, small trees
(`smac_parts`), a likelihood that remembers its points (`smac_gp`), sorted starting points of local
search (`smac_walks`); 1,000 challengers (SMAC: rf 10,000, gp 1,000, ac 5,000); gp is fitted once
for `batch` proposals (SMAC: for each).

    create("smac:mf", space)          # by name alone: MultiFidelityFacade, "mf-parego" for several
    create("smac:hyperband", space)   # metrics; HyperbandFacade
Source: Lindauer et al. 2022, "SMAC3", JMLR 23; Knowles 2006 (ParEGO), IEEE TEC 10(1); Hutter et al.
2011 (ac), LION 5.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
from dataclasses import KW_ONLY, dataclass
from operator import is_
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ConfigSpace import Configuration, ConfigurationSpace

from automl_nas import configs, identity, seeds
from automl_nas.errors import SettingError, UnknownName, UnsupportedObjectives
from automl_nas.searchers.base import (
    Searcher,
    refuse_constraints,
    require_choice,
    require_unmeasured,
)
from automl_nas.searchers.engines import contained
from automl_nas.searchers.halving import HalvingSearcher
from automl_nas.searchers.smac_kinds import DESIGNS, KINDS, Kind, has_priors
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.settings import require_between, require_positive
from automl_nas.types import History, Proposal, Record

if TYPE_CHECKING:
    from automl_nas.searchers.smac_engine import Shadow

_LARGEST = 1e6
Values = dict[str, configs.Value]


class Told(NamedTuple):
    """Different configurations with what came of them."""

    lessons: list[tuple[str, tuple[float, ...] | None]]
    """Digest and losses; None: failed."""
    configurations: list[Configuration]
    """In the same order."""

    @classmethod
    def below(cls, history: History, number: int) -> Told:
        """Measured or failed records below a number, in order; of repeats the first measured."""
        first: dict[str, Record] = {}
        for record in sorted(history.records, key=lambda record: record.number):
            if record.number >= number or record.fidelity is not None or record.audit:
                continue
            known = first.get(record.digest)
            usable = record.selectable or record.status == "failed"
            if usable and (known is None or not known.selectable):
                first[record.digest] = record
        losses = [history.losses(r) if r.selectable else None for r in first.values()]
        lessons = list(zip(first, losses, strict=True))
        return cls(lessons, [record.configuration for record in first.values()])

    @property
    def learnable(self) -> bool:
        """Whether any of them was measured."""
        return any(losses is not None for _, losses in self.lessons)


_HALVING = {"mf": "rf", "mf-parego": "parego", "hyperband": ""}
"""Multi-fidelity facades by name: what proposes inside Hyperband; empty: random search."""


@dataclass(frozen=True)
class SmacSearcher:
    """One of SMAC's facades as a function of the record.

    Raises:
        UnknownName: a facade that is not one of rf, parego, gp, gp-parego, ac, or a design that
            is not one of sobol, random, default.
        SettingError: a setting outside its range, or one that the facade's model does not have.
    """

    space: ConfigurationSpace
    """What can be chosen."""
    facade: str = "rf"
    """rf, gp, ac (one metric), parego or gp-parego (several)."""
    initial: int = 8
    """Size of the initial design; the design "default" has one configuration."""
    batch: int = 4
    """Proposals per fit of the model."""
    challengers: int = 1000
    """Random candidates per fit, among which local search starts."""
    _: KW_ONLY
    design: str | None = None
    """sobol, random (from the space's priors) or default; None: the facade's own.

    A space with priors gets "random" for "sobol"."""
    interleave: float | None = None
    """Probability of a random proposal; None: the facade's own (rf 0.2, gp 0.084, ac 0.5)."""
    xi: float = 0.0
    """Improvement that counts as none, in the model's units."""
    trees: int | None = None
    """Of a forest; None: ten, as in SMAC."""
    restarts: int | None = None
    """Starting points of the fit of a Gaussian process besides the first; None: ten, as in SMAC."""
    prior_decay: float = 10.0
    """Number of fitted records at which priors weigh as much as the acquisition; 0: no weight.

    SMAC's advice is a tenth of the trials."""
    conditional_walks: bool = False
    """Whether local search moves among configurations with inactive hyperparameters, which
    SMAC 2.4.1 fails to do (`automl_nas.searchers.smac_walks`)."""

    variant: ClassVar[str] = "facade"
    variants: ClassVar[tuple[str, ...]] = (*KINDS, *_HALVING)
    packages: ClassVar[tuple[str, ...]] = ("ConfigSpace", "scikit-learn", "scipy", "smac")

    @classmethod
    def by_name(
        cls,
        space: ConfigurationSpace,
        facade: str = "rf",
        *,
        minimum: int = 1,
        eta: int = 3,
        enough: int = 0,
        **settings: Any,
    ) -> Searcher:
        """As `registry.create("smac:mf", space)`: the multi-fidelity facades too.

        MultiFidelityFacade is `rf` with a random design and one fit for eight proposals,
        HyperbandFacade random search; SMAC's Hyperband, which loses rungs to a float logarithm and
        fails with several metrics, is replaced by `HalvingSearcher`, whose settings the first three
        are.
        """
        if facade not in _HALVING:
            return cls(space, facade, **settings)
        inner: Searcher = RandomSearcher(space)
        if model := _HALVING[facade]:
            inner = cls(space, model, **{"design": "random", "batch": 8, **settings})
        return HalvingSearcher(
            inner,
            scheme="hyperband",
            minimum=minimum,
            eta=eta,
            enough=enough,
            alias=f"smac:{facade}",
        )

    def __post_init__(self) -> None:
        configs.check_space(self.space)
        if self.facade not in KINDS:
            raise UnknownName("SMAC facade", self.facade, KINDS)
        if self.design is not None and self.design not in DESIGNS:
            raise UnknownName("initial design", self.design, DESIGNS)
        require_positive(self, "initial", "batch", "challengers")
        require_between(self, 0, _LARGEST, "xi", "prior_decay")
        if self.interleave is not None:
            require_between(self, 0, 1, "interleave")
        self._check_model("trees", has=not self._kind.process)
        self._check_model("restarts", has=self._kind.process)
        require_choice(self.space, self.name)

    def _check_model(self, setting: str, *, has: bool) -> None:
        if getattr(self, setting) is None:
            return
        if not has:
            raise SettingError(
                f"SmacSearcher.{setting} is no setting of {self.name}'s model: leave it out."
            )
        require_positive(self, setting)

    @property
    def name(self) -> str:
        """`smac:` and the facade."""
        return f"smac:{self.facade}"

    @property
    def designed(self) -> int:
        """How many numbers the initial design has."""
        return 1 if self._design == "default" else self.initial

    @property
    def _kind(self) -> Kind:
        return KINDS[self.facade]

    @functools.cached_property
    def _design(self) -> str:
        design = self.design or self._kind.design
        return "random" if design == "sobol" and has_priors(self.space) else design

    @functools.cached_property
    def _space_json(self) -> str:
        return configs.space_to_json(self.space)

    @functools.cached_property
    def _recipe(self) -> str:
        return json.dumps([identity.describe(self), self._space_json])

    def propose(self, history: History, number: int) -> Proposal:
        """A point of the initial design, or the next ask of the number's block.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
            UnsupportedConstraints: the study has constraints.
            UnsupportedObjectives: several metrics for a facade of one, or one for ParEGO.
        """
        refuse_constraints(history, self.name)
        self._check_metrics(len(history.metrics))
        require_unmeasured(self.space, history)
        block, index = divmod(number, self.batch)
        if number < self.designed:
            asks, index = self._initial(history), number
        else:
            asks = self._block(history, block)
        if index < len(asks):
            return Proposal(configs.from_dict(self.space, asks[index]))
        rng = seeds.rng("smac", self.facade, history.seed, number, "fallback")
        return Proposal(configs.sample(self.space, rng), attrs={"fallback": True})

    def _check_metrics(self, count: int) -> None:
        other = "gp-parego" if self._kind.process else "parego"
        if not self._kind.several and count > 1:
            raise UnsupportedObjectives(self.name, "one metric", count, f'use facade="{other}".')
        if self._kind.several and count < 2:
            alone = "gp" if self._kind.process else "rf"
            raise UnsupportedObjectives(
                self.name, "two metrics or more", count, f'use facade="{alone}".'
            )

    def _initial(self, history: History) -> list[Values]:
        key = (self._space_json, self._design, self.initial, history.seed)
        slot, memory = "smac:initial", history.cache.memory
        if memory.get(slot, (None, []))[0] != key:
            memory[slot] = key, self._designs(history)
        asks: list[Values] = memory[slot][1]
        return asks

    def _designs(self, history: History) -> list[Values]:
        if self._design == "default":
            return [configs.to_dict(self.space.get_default_configuration())]
        if self._design == "random":
            rng = seeds.rng("smac", "initial", history.seed)
            drawn = [configs.to_dict(configs.sample(self.space, rng)) for _ in range(self.initial)]
            return list({configs.digest(values): values for values in drawn}.values())
        seed = seeds.derive("smac", "initial", history.seed)
        with contained(seed, "smac"), contextlib.redirect_stdout(io.StringIO()):
            from automl_nas.searchers import smac_engine

            return smac_engine.sobol(self, self._shadow(history), seed)

    def _block(self, history: History, block: int) -> list[Values]:
        told = self._told(history, block * self.batch)
        if not told.learnable:
            return []
        key = (self._recipe, len(history.metrics), history.seed, block, told.lessons)
        slot, memory = f"{self.name}:block", history.cache.memory
        if memory.get(slot, (None, []))[0] != key:
            seed = seeds.derive("smac", self.facade, history.seed, block)
            memory[slot] = key, self._asks(history, told, seed)
        asks: list[Values] = memory[slot][1]
        return asks

    def _told(self, history: History, below: int) -> Told:
        """What records below a number teach; remembered while the same records are there."""
        memory, records, question = history.cache.memory, history.records, (below, history.metrics)
        asked, seen, told = memory.get("smac:told", (None, [], None))
        same = asked == question and len(seen) <= len(records) and all(map(is_, seen, records))
        if same and all(record.number >= below for record in records[len(seen) :]):
            known: Told = told
            return known
        fresh = Told.below(history, below)
        memory["smac:told"] = question, list(records), fresh
        return fresh

    def _asks(self, history: History, told: Told, seed: int) -> list[Values]:
        with contained(seed, "smac"), contextlib.redirect_stdout(io.StringIO()):
            from automl_nas.searchers import smac_engine

            shadow = self._shadow(history)
            return smac_engine.ask(self, shadow, told, len(history.metrics), seed)

    def _shadow(self, history: History) -> Shadow:
        from automl_nas.searchers import smac_engine

        slot, memory = "smac:shadow", history.cache.memory
        if memory.get(slot, (None, None))[0] != self._space_json:
            memory[slot] = self._space_json, smac_engine.Shadow(self._space_json)
        shadow: Shadow = memory[slot][1]
        return shadow
