"""How the engines resume by their own means, and how they do as searchers of this library.

    python benchmarks/native_resume.py [--trials 16] [--kill 8]

Each engine minimises the same function over the same flat space, one evaluation at a time. Its
process is killed (SIGKILL) while evaluation `--kill` + 1 runs and started again the way the engine
documents; the configurations are compared in order with those of a process that nobody killed. All
processes have the same PYTHONHASHSEED and seed the global generators alike, which favours the
engines. The first column is the same run twice, without a kill.

Optuna: `load_study` and a sampler with the same seed, as many trials as are missing. SMAC: the same
facade with `overwrite=False`. Syne Tune: `Tuner.load`, which restores what its tuner saved last.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

OPTUNA = ("RandomSampler", "TPESampler", "NSGAIISampler", "GPSampler", "QMCSampler")
ENGINES = (*[f"optuna {sampler}" for sampler in OPTUNA], "smac HPO facade", "syne-tune REA")
OURS = {
    "optuna RandomSampler": "optuna:random",
    "optuna TPESampler": "optuna:tpe",
    "optuna NSGAIISampler": "optuna:nsga2",
    "optuna GPSampler": "optuna:gp",
    "optuna QMCSampler": "optuna:qmc",
    "smac HPO facade": "smac:rf",
    "syne-tune REA": "syne-tune:rea",
}
POPULATION = {"population_size": 4, "sample_size": 2}


def loss(values: dict) -> float:
    """A closed form over the common space."""
    place = {"a": 0.1, "b": 0.4, "c": 0.8}[values["kind"]]
    return (values["x"] - place) ** 2 + (values["width"] / 64 - place) ** 2


class Log:
    """Writes down every configuration that is evaluated; dies in evaluation `kill` + 1."""

    def __init__(self, folder: Path, kill: int) -> None:
        self.path, self.kill = folder / "evaluated.jsonl", kill

    def __call__(self, values: dict) -> float:
        """The loss, after the configuration is written down."""
        done = len(self.path.read_text().splitlines()) if self.path.exists() else 0
        if done == self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        plain = {"x": float(values["x"]), "width": int(values["width"]), "kind": values["kind"]}
        with self.path.open("a") as file:
            file.write(json.dumps(plain) + "\n")
        return loss(plain)


def optuna_native(name: str, folder: Path, log: Log, trials: int) -> None:
    """`create_study(load_if_exists=True)` and the trials that are missing."""
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    settings = {"population_size": 4} if "NSGA" in name else {}
    settings |= {"n_startup_trials": 4} if name in ("TPESampler", "GPSampler") else {}
    study = optuna.create_study(
        storage=f"sqlite:///{folder}/native.db",
        study_name="native",
        sampler=getattr(optuna.samplers, name)(seed=0, **settings),
        load_if_exists=True,
    )

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0.0, 1.0)
        width = trial.suggest_int("width", 4, 64)
        return log({"x": x, "width": width, "kind": trial.suggest_categorical("kind", list("abc"))})

    done = len(study.get_trials(states=[TrialState.COMPLETE]))
    study.optimize(objective, n_trials=trials - done)


def space():
    """The common space as ConfigSpace has it."""
    from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

    found = ConfigurationSpace()
    found.add([Float("x", (0.0, 1.0)), Integer("width", (4, 64)), Categorical("kind", list("abc"))])
    return found


def smac_native(folder: Path, log: Log, trials: int) -> None:
    """The same scenario again, `overwrite=False`."""
    from smac import HyperparameterOptimizationFacade, Scenario

    scenario = Scenario(
        space(), name="native", output_directory=folder, deterministic=True, n_trials=trials, seed=0
    )

    def target(config, seed: int = 0) -> float:  # noqa: ARG001
        return log(dict(config))

    design = HyperparameterOptimizationFacade.get_initial_design(scenario, n_configs=4)
    HyperparameterOptimizationFacade(
        scenario, target, initial_design=design, overwrite=False, logging_level=40
    ).optimize()


def syne_tune_native(folder: Path, log: Log, trials: int) -> None:
    """A tuner in `folder`, loaded again where one has been saved."""
    os.environ["SYNETUNE_FOLDER"] = str(folder)
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import PythonBackend
    from syne_tune.config_space import choice, randint, uniform
    from syne_tune.optimizer.schedulers.searchers.regularized_evolution import RegularizedEvolution
    from syne_tune.optimizer.schedulers.single_objective_scheduler import SingleObjectiveScheduler
    from syne_tune.tuner_callback import TunerCallback

    class Killer(TunerCallback):
        def on_start_trial(self, trial) -> None:
            log(trial.config)

    saved = sorted(folder.glob("**/tuner.dill"))
    if saved:
        tuner = Tuner.load(str(saved[-1].parent))
    else:
        domains = {"x": uniform(0.0, 1.0), "width": randint(4, 64), "kind": choice(list("abc"))}
        searcher = RegularizedEvolution(domains, random_seed=0, **POPULATION)
        tuner = Tuner(
            trial_backend=PythonBackend(tune_function=reported, config_space=domains),
            scheduler=SingleObjectiveScheduler(
                domains, metric="loss", do_minimize=True, searcher=searcher, random_seed=0
            ),
            stop_criterion=StoppingCriterion(max_num_trials_started=trials),
            n_workers=1,
            sleep_time=0.1,
            results_update_interval=0.1,
            save_tuner=True,
            print_update_interval=1e9,
        )
    tuner.callbacks = [Killer()]
    tuner.run()


def reported(x: float, width: int, kind: str) -> None:
    """What Syne Tune runs in a process of its own for each trial."""
    from syne_tune import Reporter

    place = {"a": 0.1, "b": 0.4, "c": 0.8}[kind]
    Reporter()(loss=(x - place) ** 2 + (width / 64 - place) ** 2)


def ours(name: str, folder: Path, log: Log, trials: int) -> None:
    """The same engine as a searcher of this library."""
    from automl_nas import Budget, Metric, Study, configs, spelling

    settings = {"smac:rf": " initial=4", "optuna:tpe": " n_startup_trials=4"}
    settings |= {"optuna:gp": " n_startup_trials=4", "optuna:nsga2": " population_size=4"}
    settings |= {"syne-tune:rea": " population_size=4 sample_size=2"}
    searcher = spelling.make(name + settings.get(name, ""), space())

    def objective(configuration) -> float:
        return log(configs.to_dict(configuration))

    study = Study(
        searcher.space, objective, searcher, budget=Budget(trials=trials), optimize=[Metric("loss")]
    )
    study.run(f"sqlite:///{folder}/ours.db")


def part(engine: str, folder: Path, trials: int, kill: int) -> None:
    """One process of one run."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    log = Log(folder, kill)
    kind, _, name = engine.partition(" ")
    if kind == "ours":
        ours(name, folder, log, trials)
    elif kind == "optuna":
        optuna_native(name, folder, log, trials)
    elif kind == "smac":
        smac_native(folder, log, trials)
    else:
        syne_tune_native(folder, log, trials)


def start(engine: str, folder: Path, trials: int, kill: int) -> str:
    """Runs a part in a process; returns what went wrong."""
    command = [sys.executable, __file__, "--part", engine, "--folder", str(folder)]
    command += ["--trials", str(trials), "--kill", str(kill)]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=900,
        check=False,
    )
    if done.returncode in (0, -signal.SIGKILL):
        return ""
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def evaluated(engine: str, trials: int, kill: int) -> tuple[list[str], str]:
    """Configurations in order, of a run that is killed after `kill` evaluations unless negative."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wrong = start(engine, folder, trials, kill)
        if kill >= 0 and not wrong:
            wrong = start(engine, folder, trials, -1)
        path = folder / "evaluated.jsonl"
        return path.read_text().splitlines() if path.exists() else [], wrong


def verdict(expected: list[str], found: list[str], wrong: str) -> str:
    """Where the second run is not the first."""
    if wrong:
        return f"fails: {wrong}"
    for number, (one, other) in enumerate(zip(expected, found, strict=False)):
        if one != other:
            again = len(set(found)) < len(found)
            return f"different from trial {number}" + (", repeats configurations" if again else "")
    if len(expected) != len(found):
        return f"{len(found)} trials instead of {len(expected)}"
    return "identical"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--kill", type=int, default=8)
    parser.add_argument("--engine", action="append", choices=ENGINES)
    parser.add_argument("--part")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.part:
        part(options.part, options.folder, options.trials, options.kill)
        return
    print(
        "| engine | its own: run twice | its own: killed and resumed | here: killed and resumed |"
    )
    print("| --- | --- | --- | --- |")
    for engine in options.engine or ENGINES:
        cells = []
        whole, wrong = evaluated(engine, options.trials, -1)
        cells.append(wrong or verdict(whole, *evaluated(engine, options.trials, -1)))
        cells.append(verdict(whole, *evaluated(engine, options.trials, options.kill)))
        here = f"ours {OURS[engine]}"
        mine, _ = evaluated(here, options.trials, -1)
        cells.append(verdict(mine, *evaluated(here, options.trials, options.kill)))
        print(f"| {engine} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
