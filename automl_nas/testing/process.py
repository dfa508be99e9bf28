"""The other process of `automl_nas.testing.SearcherContract`: histories in, proposals out, as JSON.

    python -m automl_nas.testing.process FOLDER

`FOLDER/job.json` names a file, a contract class in it and cases; the proposals go to
`FOLDER/answers.json`.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from ConfigSpace import ConfigurationSpace

from automl_nas import configs
from automl_nas.errors import SpaceExhausted
from automl_nas.searchers.base import Searcher
from automl_nas.types import Cost, Fidelity, History, Metric, Proposal, Record


def plain(proposal: Proposal | None) -> Any:
    """Everything about a proposal that must be the same everywhere, as JSON."""
    if proposal is None:
        return None
    return json.loads(
        json.dumps(
            {
                "configuration": configs.to_dict(proposal.configuration),
                "fidelity": proposal.fidelity,
                "parent": proposal.parent,
                "attrs": dict(proposal.attrs),
                "audit": proposal.audit,
                "training_flops": proposal.training_flops,
            }
        )
    )


def ask(searcher: Searcher, history: History, number: int) -> Proposal | None:
    """The proposal; None where the search has ended, whichever way."""
    try:
        return searcher.propose(history, number)
    except SpaceExhausted:
        return None


def dump(history: History) -> dict[str, Any]:
    """A history without its space and cache, as JSON."""
    return {
        "metrics": [dataclasses.asdict(metric) for metric in history.metrics],
        "seed": history.seed,
        "records": [_dump_record(record) for record in history.records],
        "pending": [_dump_record(record) for record in history.pending],
        "fidelity": None if history.fidelity is None else dataclasses.asdict(history.fidelity),
    }


def load(stored: dict[str, Any], space: ConfigurationSpace) -> History:
    """The history that `dump` wrote, with an empty cache."""
    return History(
        space=space,
        metrics=tuple(Metric(**metric) for metric in stored["metrics"]),
        seed=stored["seed"],
        records=[_load_record(record, space) for record in stored["records"]],
        pending=[_load_record(record, space) for record in stored["pending"]],
        fidelity=None if stored["fidelity"] is None else Fidelity(**stored["fidelity"]),
    )


def _dump_record(record: Record) -> dict[str, Any]:
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    return {
        **fields,
        "configuration": configs.to_dict(record.configuration),
        "attrs": dict(record.attrs),
        "values": dict(record.values),
        "cost": dataclasses.asdict(record.cost),
    }


def _load_record(stored: dict[str, Any], space: ConfigurationSpace) -> Record:
    configuration = configs.from_dict(space, stored["configuration"])
    return Record(**{**stored, "configuration": configuration, "cost": Cost(**stored["cost"])})


def main(folder: Path) -> None:
    """Answers the job in `folder`."""
    job = json.loads((folder / "job.json").read_text())
    contract = _load_class(Path(job["file"]), job["module"], job["contract"])()
    answers = []
    for case in job["cases"]:
        space = contract.spaces[case["space"]]()
        history = load(case["history"], space)
        answers.append(plain(ask(contract.make(space), history, len(history.records))))
    (folder / "answers.json").write_text(json.dumps(answers))


def _load_class(file: Path, module: str, qualname: str) -> Any:
    spec = importlib.util.spec_from_file_location(module, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {file}")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    spec.loader.exec_module(loaded)
    found: Any = loaded
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
