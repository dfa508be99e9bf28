"""Successive halving and Hyperband around any searcher, as a function of the record.

    HalvingSearcher(OptunaSearcher(space, "tpe"), scheme="asha", eta=3)
    create("asha:optuna:tpe", space)         # the same by name; "hyperband" is around random search

The objective has to have a fidelity. Many configurations are measured cheaply, on the lowest rung;
the better ones move up, each to a trial of its own whose `parent` is the trial on the rung below.
Schemes (`automl_nas.searchers.brackets`): `asha` and `hyperband` never wait, the usual choice;
`synchronous-halving` and `synchronous-hyperband` fill one rung after the other. Rungs are ranked by
the study's metrics: by loss, with several metrics by non-domination and crowding, infeasible last.

What the inner searcher learns from (BOHB: Falkner et al. 2018, ICML, section 3.2): the records of
the highest rung with at least d + 3 measured configurations, d hyperparameters, as if they were at
full fidelity; pending configurations as pending. Departures: a rung also needs as many as the inner
searcher itself needs to begin learning (a population, a start-up phase), since BOHB's figure is
meant for kernel densities; as long as no rung has enough, the fullest one is used instead of none;
no share of random configurations is added. Where the answer is a configuration that is on any rung
already, it is asked again, with the number moved and everything on other rungs pending; the tenth
such answer is moved to a new neighbour.

When the inner searcher has nothing new, promotions go on, one a rung at least, so that there is an
answer; after the last of them the search ends.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import KW_ONLY, dataclass

from ConfigSpace import ConfigurationSpace

from automl_nas import configs, seeds
from automl_nas.errors import MissingFidelity, SettingError, SpaceExhausted, UnknownName
from automl_nas.searchers import rungs
from automl_nas.searchers.base import Searcher, require_unseen, startup
from automl_nas.searchers.brackets import BRACKET, RUNG, SCHEMES, Job, Ladder, promotion
from automl_nas.settings import require_positive
from automl_nas.types import Cache, History, Proposal, Record

_ATTEMPTS = 10
"""Known configurations in a row after which a neighbour is proposed instead."""
_DRAWS = 1_000
"""Draws in search of a new configuration where no neighbour is one."""
_STRIDE = 10_007
"""Between the numbers of attempts; odd, as positions of QMC a power of two apart are neighbours."""
_BEYOND_BOHB = 3
"""Added to the number of hyperparameters: N_min = d + 1, and a model needs N_min + 2 points."""
_OTHERS_NOTES = ("initial", "nudged")
"""The study's own notes in attrs: they say how a configuration came about, not its promotion."""


@dataclass(frozen=True)
class HalvingSearcher:
    """Decides how dearly each configuration of another searcher is measured.

    Raises:
        UnknownName: a scheme that there is not.
        SettingError: an inner searcher that decides fidelities or trains networks by itself, or a
            number out of its range.
    """

    inner: Searcher
    """Proposes the configurations."""
    _: KW_ONLY
    scheme: str = "asha"
    """asha, hyperband, synchronous-halving or synchronous-hyperband."""
    minimum: int = 1
    """Smallest amount of the fidelity that a rung may have."""
    eta: int = 3
    """Of `eta` configurations of a rung one is promoted, to `eta` times the amount."""
    enough: int = 0
    """Measured configurations that a rung needs for being learned from; 0: the rule above."""
    alias: str = ""
    """Another name than `<scheme>:<inner searcher>`."""

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise UnknownName("halving scheme", self.scheme, SCHEMES)
        require_positive(self, "minimum", "eta")
        if self.eta < 2:
            raise SettingError(f"HalvingSearcher.eta must be 2 or more, got {self.eta}.")
        if self.enough:
            require_positive(self, "enough")
        refuse(self.inner.name, wraps=isinstance(self.inner, HalvingSearcher))

    @property
    def name(self) -> str:
        """The scheme and the inner searcher, such as `asha:optuna:tpe`."""
        return self.alias or f"{self.scheme}:{self.inner.name}"

    @property
    def space(self) -> ConfigurationSpace:
        """The inner searcher's."""
        return self.inner.space

    @property
    def packages(self) -> tuple[str, ...]:
        """The inner searcher's, and what configurations are made of."""
        return tuple(sorted({*self.inner.packages, "ConfigSpace"}))

    def propose(self, history: History, number: int) -> Proposal | None:
        """A promotion, or a new configuration of the inner searcher.

        Raises:
            MissingFidelity: the objective cannot measure cheaper.
            SpaceExhausted: nothing new is left and nothing is to be promoted.
        """
        ladder = self._ladder(history)
        job = SCHEMES[self.scheme].schedule(ladder)
        if job.promoted is not None:
            return self._at(ladder, job, _promoted(job.promoted))
        reason = None
        try:
            proposal = self._new(ladder, number)
        except SpaceExhausted as exhausted:
            proposal, reason = None, exhausted
        if proposal is not None:
            return self._at(ladder, job, proposal)
        last = promotion(ladder, least=1)
        if last is not None and last.promoted is not None:
            return self._at(ladder, last, _promoted(last.promoted))
        if reason is not None:
            raise reason
        return None

    def rungs(self, full: int) -> tuple[int, ...]:
        """Amounts of a fidelity with this full amount, ascending."""
        return rungs.amounts(full, self.minimum, self.eta)

    def _ladder(self, history: History) -> Ladder:
        if history.fidelity is None:
            raise MissingFidelity(self.name)
        found = self.rungs(history.fidelity.full)
        return Ladder(history, self.name, found, self.eta, SCHEMES[self.scheme].home)

    def _at(self, ladder: Ladder, job: Job, proposal: Proposal) -> Proposal:
        """The proposal as the job wants it measured."""
        amount = ladder.amounts[job.rung] if job.rung < ladder.top else None
        attrs = {**proposal.attrs, BRACKET: job.bracket, RUNG: job.rung}
        return dataclasses.replace(proposal, fidelity=amount, attrs=attrs)

    def _new(self, ladder: Ladder, number: int) -> Proposal | None:
        """A configuration that is on no rung yet, where there is one."""
        require_unseen(self.space, ladder.history, ladder.seen)
        lesson = self._lesson(ladder)
        for attempt in range(_ATTEMPTS):
            at = number + attempt * _STRIDE
            proposal = self.inner.propose(lesson, at)
            if proposal is None or configs.digest(proposal.configuration) not in ladder.seen:
                return proposal
            tried = Record(at, proposal.configuration, self.inner.name, attrs=proposal.attrs)
            before = lesson.pending if attempt else self._elsewhere(ladder)
            lesson = dataclasses.replace(lesson, pending=[*before, tried])
        return self._moved(ladder, tried, number)

    def _moved(self, ladder: Ladder, tried: Record, number: int) -> Proposal:
        """A neighbour that is on no rung, else a draw that is on none, else the same again."""
        rng = seeds.rng("halving", ladder.history.seed, number)
        near = list(configs.neighbours(configs.adopt(self.space, tried.configuration), rng))
        shuffled = (near[int(index)] for index in rng.permutation(len(near)))
        drawn = (configs.sample(self.space, rng) for _ in range(_DRAWS))
        for configuration in itertools.chain(shuffled, drawn):
            if configs.digest(configuration) not in ladder.seen:
                return Proposal(configuration, attrs={**tried.attrs, "nudged": True})
        return Proposal(tried.configuration, attrs=tried.attrs)

    def _lesson(self, ladder: Ladder) -> History:
        """What the inner searcher may know: one rung, as if it were the full fidelity."""
        rung, history = self._teaching_rung(ladder), ladder.history
        told = [record for record in ladder.on(rung) if record.status != "running"]
        known = {record.digest for record in told}
        running = [m.record for m in ladder.members if m.record.status == "running"]
        return dataclasses.replace(
            history,
            records=tuple(self._kept(record, history.cache) for record in told),
            pending=[self._own(record) for record in running if record.digest not in known],
            cache=_part(history.cache, f"rung-{ladder.amounts[rung]}"),
            fidelity=None,
        )

    def _elsewhere(self, ladder: Ladder) -> list[Record]:
        """What is on other rungs than the taught one, each configuration once, as under way."""
        rung = self._teaching_rung(ladder)
        told = {record.digest for record in ladder.on(rung) if record.status != "running"}
        found = {m.record.digest: m.record for m in ladder.members if m.record.digest not in told}
        return [
            dataclasses.replace(self._own(record), status="running", values={}, failure="")
            for record in found.values()
        ]

    def _teaching_rung(self, ladder: Ladder) -> int:
        """The highest rung with enough measured configurations, else the fullest."""
        enough = self.enough or max(len(self.space) + _BEYOND_BOHB, startup(self.inner))
        measured = [len(_measured(ladder.on(rung))) for rung in range(len(ladder.amounts))]
        rich = [rung for rung, count in enumerate(measured) if count >= enough]
        return max(rich) if rich else max(range(len(measured)), key=lambda r: (measured[r], r))

    def _kept(self, record: Record, cache: Cache) -> Record:
        """The same object for the same record: what the inner searcher folded stays folded."""
        copies: dict[int, tuple[Record, Record]] = cache.memory.setdefault("copies", {})
        known = copies.get(record.number)
        if known is None or known[0] is not record:
            known = copies[record.number] = (record, self._own(record))
        return known[1]

    def _own(self, record: Record) -> Record:
        """As the inner searcher would have recorded it: full fidelity, and its own notes only."""
        attrs = {key: note for key, note in record.attrs.items() if key not in (BRACKET, RUNG)}
        searcher = self.inner.name if record.searcher == self.name else record.searcher
        return dataclasses.replace(
            record, fidelity=None, parent=None, attrs=attrs, searcher=searcher
        )


def _measured(records: list[Record]) -> set[str]:
    return {record.digest for record in records if record.status == "complete"}


def _promoted(record: Record) -> Proposal:
    """The same configuration again, with the inner searcher's notes on it."""
    attrs = {key: note for key, note in record.attrs.items() if key not in _OTHERS_NOTES}
    return Proposal(record.configuration, parent=record.number, attrs=attrs)


def _part(cache: Cache, name: str) -> Cache:
    """A part of the cache that the inner searcher has to itself."""
    folder = cache.folder / name if cache.folder is not None else None
    return Cache(folder, cache.memory.setdefault(name, {}))


def refuse(name: str, *, wraps: bool = False) -> None:
    """Raises SettingError for an inner searcher that is no mere proposer of configurations."""
    head = name.partition(":")[0]
    if head == "gradient":
        raise SettingError(
            f"expected an inner searcher that proposes configurations to be measured, got {name!r},"
            " which trains one supernet and has no cheap measurements: run it alone."
        )
    if wraps or head in SCHEMES or _halves(name):
        raise SettingError(
            f"expected an inner searcher without fidelities, got {name!r}: give its own inner "
            "searcher."
        )


def _halves(name: str) -> bool:
    """Whether it is one of Syne Tune's methods that decide fidelities."""
    head, _, method = name.partition(":")
    if head != "syne-tune":
        return False
    from automl_nas.searchers.syne_tune_asha import INNER

    return method in INNER
