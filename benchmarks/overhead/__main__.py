"""The command; see `benchmarks.overhead`."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import platform
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import optuna
import torch

import benchmarks.overhead
from benchmarks.overhead import asks, storing, throughput
from benchmarks.overhead.asks import ENGINES
from benchmarks.overhead.common import SPACES

SECTIONS = {"asks": asks.run, "storage": storing.run, "throughput": throughput.run}


def header():
    packages = ("optuna", "smac", "ConfigSpace", "SQLAlchemy", "numpy", "torch")
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    print(f"{time.strftime('%Y-%m-%d %H:%M')}, {model}, {os.cpu_count()} cores, one thread, load "
          f"{os.getloadavg()[0]:.1f}; Python {platform.python_version()}, "
          + ", ".join(f"{name} {version(name)}" for name in packages))  # fmt: skip


def main():
    def words(text):
        return text.split(",")

    parser = argparse.ArgumentParser(
        description=(benchmarks.overhead.__doc__ or "").splitlines()[0]
    )
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=[*SECTIONS])
    parser.add_argument("--engines", type=words, default=[*ENGINES])
    parser.add_argument("--spaces", type=words, default=[*SPACES])
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in words(text)])
    parser.add_argument("--asks", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120, help="of a cell; three asks at least")
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--loaded", type=int, default=15_000)
    parser.add_argument("--folder", help="where the storages are made")
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(logging.ERROR)
    warnings.simplefilter("ignore")
    header()
    for name in options.sections:
        SECTIONS[name](options)


if __name__ == "__main__":
    main()
