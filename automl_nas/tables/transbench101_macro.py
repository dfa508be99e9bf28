"""TransNAS-Bench-101, macro: 3,256 skeletons on seven tasks; see `automl_nas.tables.transnas`."""

from __future__ import annotations

from automl_nas.tables.transnas import sources

SOURCES = sources("macro")
"""The official file, else files of NAS-Bench-Suite-Zero."""
