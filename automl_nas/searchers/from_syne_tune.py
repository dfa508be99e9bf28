"""Syne Tune's methods as searchers: a new engine is told the record for every proposal.

    SyneTuneSearcher(space, "mo-rea")
    SyneTuneSearcher(space, "bore", settings={"init_random": 10})

    method                  metrics   pending         what is put right (`syne_tune_engines`)
    random                  any       no need         -
    rea                     one       unknown to it   -
    tpe                     one       unknown to it   the KDE sees logs and orders
    bore                    one       unknown to it   one thread; candidates are legal
    cqr                     one       unknown to it   ordinals are numbers
    botorch                 one       the youngest 4  configurations and losses stay paired
    mo-rea, mo-rea-shipped  any       unknown to it   the ranks, but for `shipped`
    ehvi, ehvi-shipped      several   the youngest 4  the reference point, but for `shipped`
    asha, asha-bore,        one       known           see `syne_tune_asha`
    asha-cqr, bohb
    moasha, moasha-shipped  several   known           the ranks, but for `shipped`

Failures: no method of Syne Tune 0.16 learns from one (`on_trial_error` does nothing, a failed
trial stays pending in BoTorch and EHVI for ever), so failed records are not told; in halving the
trial ends. Settings are the engine's own keyword arguments, with its defaults: `tpe` draws at
random until 15 % of the records outnumber the hyperparameters; `botorch` and `ehvi` fit 200 records
drawn at random where there are more, and pending ones are then ignored, as are all beyond four
(EHVI sums over their subsets).

Syne Tune ignores its own seed in places, so every proposal happens under global generators seeded
by (study seed, number), torch's too, on one thread. It has no conditions: it sees flat genomes
(`automl_nas.searchers.flat`), choices as indices. A forbidden suggestion is followed by another
from the same engine; after ten (botorch, ehvi), 500 (bore) or a hundred the proposal is random,
with `attrs["fallback"]`, which also marks what BoTorch drew at random as it could
not fit. (BoTorchSearcher swallows whatever happens during the fit, Ctrl-C included.)
Source: Salinas et al. 2022, "Syne Tune", AutoML; Real et al. 2019, AAAI; Falkner et al. 2018, ICML
(KDE); Tiao et al. 2021, ICML (BORE); Salinas et al. 2023, ICML (CQR); Daulton et al. 2020, NeurIPS
(EHVI); Salinas et al. 2021, "A multi-objective perspective on jointly tuning hardware and
hyperparameters", NAS workshop at ICLR (multi-objective evolution).
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ConfigSpace import ConfigurationSpace

from automl_nas import configs, seeds
from automl_nas.errors import UnknownName, UnsupportedObjectives
from automl_nas.searchers import flat, syne_tune_asha, syne_tune_engines
from automl_nas.searchers.base import (
    refuse_constraints,
    refuse_priors,
    require_choice,
    require_unmeasured,
)
from automl_nas.searchers.syne_tune_asha import HALVING, INNER
from automl_nas.searchers.syne_tune_engines import KINDS, Kind, Told
from automl_nas.searchers.syne_tune_space import Coding
from automl_nas.settings import require_positive
from automl_nas.types import History, Proposal, Record

_METHODS = (*KINDS, *INNER)
_PENDING = 4
"""Pending configurations that BoTorch is told of: EHVI's cost doubles with each."""
_EVOLUTION = {"population_size": 100, "sample_size": 10}


@dataclass(frozen=True)
class SyneTuneSearcher:
    """Any of Syne Tune's methods, rebuilt from the record for every proposal.

    Raises:
        UnknownName: a method, or a setting of the method, that Syne Tune does not have.
        SettingError: a setting's value that the method refuses or that does not work.
        UnsupportedSpace: weights or priors, or nothing to choose.
        MissingPackage: the method needs one that is not installed.
    """

    space: ConfigurationSpace
    """What can be chosen."""
    method: str = "mo-rea"
    """One of `variants`."""
    population_size: int = _EVOLUTION["population_size"]
    """Evolution only: how many of the youngest records may become parents."""
    sample_size: int = _EVOLUTION["sample_size"]
    """Evolution only: how many draws, with replacement, compete for being the parent."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the method's class, but for space and seed."""

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
        syne_tune_engines.require_package(self._inner, self.name)
        if self.settings or not self._evolves:
            self._check_settings()

    @property
    def name(self) -> str:
        """`syne-tune:` and the method."""
        return f"syne-tune:{self.method}"

    @property
    def _halves(self) -> bool:
        return self.method in INNER

    @property
    def _inner(self) -> str:
        """The method that suggests configurations."""
        return INNER.get(self.method, self.method)

    @property
    def _evolves(self) -> bool:
        return self._kind.engine.endswith("RegularizedEvolution")

    @property
    def _kind(self) -> Kind:
        return KINDS[self._inner]

    @property
    def _own(self) -> dict[str, Any]:
        """Settings of the engine, without those of the halving."""
        evolution = {name: getattr(self, name) for name in _EVOLUTION} if self._evolves else {}
        halving = HALVING if self._halves else ()
        own = {name: value for name, value in self.settings.items() if name not in halving}
        return {**evolution, **own}

    def _check_settings(self) -> None:
        changed = [name for name, usual in _EVOLUTION.items() if getattr(self, name) != usual]
        if changed and not self._evolves:
            known = syne_tune_engines.known_settings(self._inner)
            raise UnknownName(f"setting of {self.name}", changed[0], known)
        if not self.settings:
            return
        halving = HALVING if self._halves else ()
        syne_tune_engines.check_settings(self._inner, self._own, self.name, also=halving)
        with syne_tune_engines.sealed(self._inner, 0, self._own):
            self._build(0)

    @functools.cached_property
    def _coding(self) -> Coding:
        return Coding(self.space, self._kind.unit)

    @property
    def startup(self) -> int:
        """A population, where there is one."""
        return self.population_size if self._evolves else 0

    def propose(self, history: History, number: int) -> Proposal:
        """What Syne Tune suggests after the records, or the next rung of one of them.

        Raises:
            SpaceExhausted: every configuration of a finite space has been measured.
            UnsupportedObjectives: the method optimises another number of metrics.
            UnsupportedConstraints: the study has constraints and the method learns.
            SettingError: halving without a fidelity.
        """
        self._check_metrics(len(history.metrics))
        if self._kind.learns or self._halves:
            refuse_constraints(history, self.name)
        require_unmeasured(self.space, history)
        seed = seeds.derive("syne-tune", self.method, history.seed, number, 0)
        with syne_tune_engines.sealed(self._inner, seed, self._own):
            if self._halves:
                return self._halve(history, number, seed)
            engine = self._told_engine(history, seed)
            proposal = self._legal(self._suggestions(engine), history, number)
        if syne_tune_engines.fell_back(self.method, engine):
            return replace(proposal, attrs={**proposal.attrs, "fallback": True})
        return proposal

    def _check_metrics(self, count: int) -> None:
        expected = self._kind.metrics
        if self._halves:
            expected = "several" if self.method.startswith("moasha") else "one"
        if expected == "one" and count > 1:
            better = "moasha" if self._halves else "mo-rea"
            advice = f'use method="{better}"' + ("." if self._halves else ' or "ehvi".')
            raise UnsupportedObjectives(self.name, "one metric", count, advice)
        if expected == "several" and count < 2:
            better = "asha" if self._halves else "botorch"
            advice = f'use method="{better}".'
            raise UnsupportedObjectives(self.name, "two metrics or more", count, advice)

    def _told_engine(self, history: History, seed: int) -> Any:
        """A new engine that knows what the record knows."""
        engine = self._build(seed)
        if self._kind.learns:
            told = self._known(history, engine)
            # One more than the population: Syne Tune scores before it drops the oldest member.
            last = self._own["population_size"] + 1 if self._evolves else len(told)
            pending = self._pending(history, engine)
            syne_tune_engines.tell(self.method, engine, told[max(0, len(told) - last) :], pending)
        return engine

    def _build(self, seed: int) -> Any:
        domains = self._coding.domains
        return syne_tune_engines.build(self._inner, domains, seed, self._own)

    def _known(self, history: History, engine: Any) -> list[Told]:
        """The selectable records in the engine's terms, remembered between proposals."""
        slot, records = f"{self.name}:known", list(history.records)
        metrics, old, told = history.cache.memory.get(slot, (None, [], []))
        same = len(old) <= len(records) and all(map(operator.is_, old, records))
        if metrics != history.metrics or not same:
            old, told = [], []
        fresh = [record for record in records[len(old) :] if record.selectable]
        new = [self._translated(engine, r, history.losses(r)) for r in fresh]
        found: list[Told] = [*told, *new]
        history.cache.memory[slot] = history.metrics, records, found
        return found

    def _pending(self, history: History, engine: Any) -> list[Told]:
        """The youngest trials under way, for the engines that know of them."""
        if self._kind.package != "botorch":
            return []
        pending = [r for r in history.pending if r.fidelity is None and not r.audit]
        return [self._translated(engine, record, ()) for record in pending[-_PENDING:]]

    def _translated(self, engine: Any, record: Record, losses: tuple[float, ...]) -> Told:
        encoded = self._coding.encode(flat.genome(self.space, record))
        made = syne_tune_engines.feature(self.method, engine, encoded)
        return Told(record.number, encoded, made, losses)

    def _suggestions(self, engine: Any) -> Iterator[Any]:
        return syne_tune_engines.suggestions(self._inner, engine)

    def _legal(self, suggestions: Iterator[Any], history: History, number: int) -> Proposal:
        """The first suggestion that no forbidden clause rules out, else a random one.

        Random, too, where BoTorch repeats a trial under way, as it does in small spaces.
        """
        busy = (
            {r.digest for r in history.pending if not r.audit}
            if self._kind.package == "botorch"
            else set()
        )
        for encoded in itertools.islice(suggestions, self._kind.attempts):
            genes = self._coding.decode(encoded)
            configuration = configs.legal(self.space, flat.express(self.space, genes))
            if configuration is not None and configs.digest(configuration) in busy:
                break
            if configuration is not None:
                kept = {**genes, **configs.to_dict(configuration)}
                return Proposal(configuration, attrs={flat.KEY: kept})
        rng = seeds.rng("syne-tune", self.method, history.seed, number, "fallback")
        return Proposal(configs.sample(self.space, rng), attrs={"fallback": True})

    def _halve(self, history: History, number: int, seed: int) -> Proposal:
        """The first trial in line goes on to its next rung; without one, a new trial begins."""
        known = syne_tune_asha.rungs(
            self.method, self._coding, history, self.settings, searcher=self.name
        )
        taken = {record.parent for record in history.pending}
        for record in known.waiting.values():
            if record.number not in taken:
                configuration = configs.adopt(self.space, record.configuration)
                kept = {k: v for k, v in record.attrs.items() if k == flat.KEY}
                return Proposal(configuration, known.after(record), record.number, kept)
        amount = known.first(number, history)
        suggest = syne_tune_asha.suggester(known, history, seed, self._build)
        proposal = self._legal(iter(suggest, None), history, number)
        return Proposal(proposal.configuration, amount, attrs=proposal.attrs)
