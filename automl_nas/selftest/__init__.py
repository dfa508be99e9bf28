"""Checks that run on the user's machine, with the user's engines: `automl-nas selftest resume`.

    outcome = resume(kills=20)
    outcome.passed

`resume` kills small studies of every registered searcher by SIGKILL, at events of each kind and at
random times, starts them again until they end, and compares what the storage then holds with an
uninterrupted run under another PYTHONHASHSEED.
"""

from automl_nas.selftest.plan import Outcome, Row, resume

__all__ = ["Outcome", "Row", "resume"]
