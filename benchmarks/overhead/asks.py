"""Asks of our searchers beside those of their engines."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optuna.samplers._lazy_random_state import LazyRandomState

from automl_nas import Budget, History, Record, Study, configs, registry, seeds
from automl_nas.distributions import distribution
from automl_nas.searchers.optuna_samplers import visit
from automl_nas.types import Cost
from benchmarks.overhead.common import METRICS, POOL, SPACES, Prepared, clock, draw, values

GENERATION = "NSGAIISampler:generation"
POPULATION = 50


@dataclass(frozen=True)
class Engine:
    """How it is called here and there, and how many records it is measured on."""

    ours: str
    sizes: tuple[int, ...]
    objectives: int = 1
    sampler: str = ""
    """Class in `optuna.samplers`; empty: SMAC."""


ENGINES = {
    "random": Engine("random", (100, 1000, 10_000), sampler="RandomSampler"),
    "tpe": Engine("optuna:tpe", (100, 1000, 10_000), sampler="TPESampler"),
    "nsga2": Engine("optuna:nsga2", (100, 1000, 10_000), 2, "NSGAIISampler"),
    "gp": Engine("optuna:gp", (100, 300), sampler="GPSampler"),
    "smac": Engine("smac:rf", (100, 300, 1000)),
}


def record(engine, number, configuration, attrs):
    return Record(
        number=number, configuration=configuration, searcher=engine.ours, status="complete",
        attrs=attrs, values=values(configuration), cost=Cost(1), order=number,
    )  # fmt: skip


class Ours:
    """Our searcher on a growing history."""

    def __init__(self, engine, space, given):
        self.engine, self.searcher = engine, registry.create(engine.ours, space)
        records = tuple(record(engine, i, c, self.attrs(i, c)) for i, c in enumerate(given))
        self.history = History(space, METRICS[: engine.objectives], 0, records)

    def attrs(self, number, configuration):
        """As our adapter writes them."""
        if self.engine.sampler != "NSGAIISampler":
            return {}
        generation = {GENERATION: number // POPULATION}
        return {"system": generation, "flat": configs.to_dict(configuration)}

    def ask(self):
        number = len(self.history.records)
        return clock(lambda: self.searcher.propose(self.history, number))

    def tell(self, proposal, configuration=None):
        """What was proposed has been measured, or another configuration in its place."""
        number, attrs = len(self.history.records), dict(proposal.attrs)
        if configuration is not None and "flat" in attrs:
            attrs["flat"] = configs.to_dict(configuration)
        new = record(self.engine, number, configuration or proposal.configuration, attrs)
        self.history = dataclasses.replace(self.history, records=(*self.history.records, new))


class BareOptuna:
    """A long-lived sampler on an in-memory study."""

    def __init__(self, engine, space, given):
        sampler = getattr(optuna.samplers, engine.sampler)(seed=0)
        directions = ["minimize"] * engine.objectives
        self.study = optuna.create_study(sampler=sampler, directions=directions)
        self.space, self.engine = space, engine
        self.distributions = {name: distribution(h) for name, h in space.items()}
        for number, configuration in enumerate(given):
            genetic = engine.sampler == "NSGAIISampler"
            self.study.add_trial(
                optuna.trial.create_trial(
                    params=configs.to_dict(configuration),
                    distributions=self.distributions,
                    values=self.losses(configuration),
                    system_attrs={GENERATION: number // POPULATION} if genetic else {},
                )
            )

    def losses(self, configuration):
        return [*values(configuration).values()][: self.engine.objectives]

    def ask(self):
        """With the random numbers of our ask, so that both sides search equally long."""
        label = self.engine.ours.removeprefix("optuna:")
        key = seeds.derive("optuna", label, 0, len(self.study.get_trials(deepcopy=False)), 0)
        visit(self.study.sampler, functools.partial(_reseed, key=key))
        return clock(lambda: self.study.ask(self.distributions))

    def tell(self, trial):
        configuration = configs.from_dict(self.space, trial.params)
        self.study.tell(trial, self.losses(configuration))
        return configuration


def _reseed(part, key):
    if isinstance(part, LazyRandomState):
        part._rng = np.random.RandomState(key)


class BareSmac:
    """The stock facade; as many asks a fit as ours."""

    batch = inspect.signature(registry.load("searcher", "smac")).parameters["batch"].default

    def __init__(self, _engine, space, given):
        from smac import HyperparameterOptimizationFacade as Facade
        from smac import Scenario

        self.folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            configs.space_from_json(configs.space_to_json(space)), deterministic=True,
            n_trials=10**6, seed=0, output_directory=Path(self.folder.name),
        )  # fmt: skip
        self.facade = Facade(
            scenario,
            None,
            initial_design=Facade.get_initial_design(scenario, n_configs=0),
            config_selector=Facade.get_config_selector(scenario, retrain_after=self.batch),
            logging_level=False,
            overwrite=True,
        )
        for configuration in given:
            self._tell(configs.adopt(scenario.configspace, configuration), 0)

    def _tell(self, configuration, seed):
        from smac.runhistory.dataclasses import TrialInfo, TrialValue

        cost = TrialValue(cost=values(configuration)["loss"])
        self.facade.tell(TrialInfo(configuration, seed=seed), cost, save=False)

    def ask(self):
        return clock(self.facade.ask)

    def tell(self, trial):
        self._tell(trial.config, trial.seed)


def measure_ask(engine, space, size, asks, limit):
    """Seconds of ours and of the bare engine, alternately, and how many asks were timed."""
    given = [draw(space, i) for i in range(size)]
    measure = measure_optuna if engine.sampler else measure_smac
    ours, bare, count = measure(engine, space, given, asks, limit)
    middle = statistics.median if engine.sampler else statistics.mean
    return middle(ours), middle(bare), count


def measure_optuna(engine, space, given, asks, limit):
    """Both are told the bare engine's trials; which of them is asked first alternates."""
    ours, bare = Ours(engine, space, given), BareOptuna(engine, space, given)
    times, started = ([], []), time.monotonic()
    for turn in range(asks + 1):
        asked = {}
        for side in (ours, bare) if turn % 2 else (bare, ours):
            asked[side] = side.ask()
        times[0].append(asked[ours][0])
        times[1].append(asked[bare][0])
        ours.tell(asked[ours][1], bare.tell(asked[bare][1]))
        if time.monotonic() - started > limit and turn >= 3:
            break
    return times[0][1:], times[1][1:], len(times[0]) - 1  # the first warms caches up


def measure_smac(engine, space, given, asks, limit):
    """Each goes its own way; a batch is one fit and its asks."""
    sides, times = (Ours(engine, space, given), BareSmac(engine, space, given)), ([], [])
    started, batch = time.monotonic(), BareSmac.batch
    for turn in range(asks // batch):
        for side, spent in zip(sides, times, strict=True):
            total = 0.0
            for _ in range(batch):
                seconds, answer = side.ask()
                side.tell(answer)
                total += seconds
            spent.append(total / batch)
        if time.monotonic() - started > limit and turn >= 1:
            break
    return *times, len(times[0]) * batch


def around(space, size, asks):
    """Seconds that a study in memory spends on an ask besides the searcher."""
    POOL[:] = [draw(space, i) for i in range(size + asks)]
    study = Study(
        space, lambda c: values(c)["loss"], Prepared(space, size), name="s",
        budget=Budget(trials=size + asks), optimize=METRICS[:1],
    )  # fmt: skip
    with study.open():
        spent = []
        for _ in range(size + asks):
            seconds, asked = clock(study.ask)
            study.tell(asked, {"loss": values(asked.configuration)["loss"]})
            spent.append(seconds)
    return statistics.median(spent[-asks:])


def run(options):
    columns = "ours ms | around ms | bare ms | extra ms | limit ms | asks"
    print(
        f"\n| engine | space | records | {columns} | |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    shared = functools.cache(lambda name, size: around(SPACES[name](), size, options.asks))
    for name in options.engines:
        for space in options.spaces:
            for size in options.sizes or ENGINES[name].sizes:
                ours, bare, count = measure_ask(
                    ENGINES[name], SPACES[space](), size, options.asks, options.seconds
                )
                study = shared(space, size)
                extra, limit = ours + study - bare, max(0.05 * bare, 1e-3)
                cells = [f"{1000 * x:.2f}" for x in (ours, study, bare, extra, limit)]
                mark = "pass" if extra <= limit else "FAIL"
                print(f"| {name} | {space} | {size:,} | {' | '.join(cells)} | {count} | {mark} |")
                sys.stdout.flush()
