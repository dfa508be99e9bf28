"""Results made by hand: `run([...])` builds the results of one study from short records."""

from dataclasses import dataclass, replace
from typing import ClassVar

from ConfigSpace import Categorical, ConfigurationSpace

from automl_nas import configs, seeds
from automl_nas.results import Results
from automl_nas.types import Cost, Fidelity, Measurement, Metric, Proposal, Record

SPACE = ConfigurationSpace(
    {name: Categorical(name, list("abcdef")) for name in ("op", "width")}, seed=0
)
VALIDATION = Metric("validation_error", unit="%")
TEST = Metric("test_error", unit="%")
PARAMETERS = Metric("parameters")
ACCURACY = Metric("accuracy", goal="max")
SESSION = {
    "started": "2026-01-01T00:00:00+00:00", "versions": {"numpy": "2.0"}, "python": "3.11.7",
    "platform": "Linux", "host": "h", "pid": 1, "git": "abc+changes", "command": ["study.py"],
}  # fmt: skip


def record(number, *values, metrics=(VALIDATION, TEST, PARAMETERS), **changes):
    """A charged, complete record; `values` in the order of `metrics`."""
    configuration = configs.from_dict(
        SPACE, {"op": "abcdef"[number % 6], "width": "abcdef"[number // 6 % 6]}
    )
    base = Record(
        number=number,
        configuration=configuration,
        searcher="s",
        status="complete",
        values={m.name: v for m, v in zip(metrics, values, strict=False)},
        cost=Cost(evaluations=1, training_flops=100.0, seconds=1.5),
        order=number,
        ask_seconds=0.5,
        setup_seconds=0.25,
        evaluate_seconds=0.75,
    )
    return replace(base, **changes)


def audit(number, *values, flops=50.0):
    """A gradient round: search is charged, the measurement is not."""
    cost = Cost(training_flops=flops, seconds=1.5)
    return record(number, *values, audit=True, cost=cost, search_flops=flops)


def failed(number, reason="RuntimeError: out of memory"):
    """A charged failure."""
    return record(number, status="failed", failure=reason)


def run(
    records,
    searcher="random",
    seed=0,
    *,
    metrics=(VALIDATION, TEST, PARAMETERS),
    optimize=(VALIDATION,),
    objective="digits",
    full=100.0,
    recipe="r",
    name=None,
):
    """The results of one study."""
    identity = {
        "space": configs.space_to_json(SPACE),
        "objective": {"name": objective, "full_training_flops": full, "recipe": "Objective"},
        "searcher": {"name": searcher, "recipe": recipe},
        "seed": seed,
        "initial": [],
    }
    return Results(
        name=name or f"{objective}/{searcher}/seed{seed}",
        space=SPACE,
        metrics=tuple(metrics),
        optimize=tuple(optimize),
        identity=identity,
        records=tuple(records),
        sessions=(SESSION,),
    )


@dataclass(frozen=True)
class Uniform:
    """A searcher that draws."""

    space: ConfigurationSpace
    name: str = "uniform"
    packages: ClassVar[tuple[str, ...]] = ()

    def propose(self, history, number):
        return Proposal(configs.sample(self.space, seeds.rng(self.name, history.seed, number)))


@dataclass(frozen=True)
class Toy:
    """An objective with three metrics, some failures and a training cost."""

    name: str = "toy"
    metrics: ClassVar[tuple[Metric, ...]] = (VALIDATION, TEST, PARAMETERS)
    fidelity: ClassVar[Fidelity | None] = None
    full_training_flops: ClassVar[float] = 10.0
    packages: ClassVar[tuple[str, ...]] = ()

    def __call__(self, configuration, fidelity, trial):
        op, width = ("abcdef".index(configuration[name]) for name in ("op", "width"))
        if op == width == 5:
            raise RuntimeError("out of <memory>")
        values = {"validation_error": 9.0 - op - width / 2, "test_error": 9.5 - op - width / 2}
        return Measurement(values | {"parameters": 1e4 * 3**width}, training_flops=10.0)
