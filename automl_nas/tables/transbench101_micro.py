"""TransNAS-Bench-101, micro: 4,096 cells on seven tasks; see `automl_nas.tables.transnas`."""

from __future__ import annotations

from automl_nas.tables.transnas import sources

SOURCES = sources("micro")
"""The official file, else files of NAS-Bench-Suite-Zero."""
