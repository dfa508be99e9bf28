"""What the library costs beside the engines themselves: asks, storage, records a second.

    nice taskset -c 0 python -m benchmarks.overhead                        # everything, an hour
    python -m benchmarks.overhead asks --engines tpe,nsga2 --sizes 100,1000 --spaces mixed
    python -m benchmarks.overhead storage throughput --trials 2000 --loaded 15000

Prints Markdown tables. One thread; what is compared runs alternately in one process, so that a busy
machine slows both alike; each figure is a median (SMAC: the mean over whole batches, as three of
its four asks are free).

asks        `propose` of our searcher on a history of n records that grows by one each time, plus
            what a study does around it (measured with a searcher that only hands out prepared
            configurations: history, proposer, writing the trial in memory), beside the engine's
            own ask with a long-lived sampler on an in-memory study of the same trials. NSGA-II has
            two metrics and generations of 50; stock SMAC has as many asks a fit as ours and its
            defaults otherwise. Limit for the extra time: 5 % of the bare ask or 1 ms, the larger.
storage     Opening and closing one trial of 20 parameters in SQLite by our ledger, beside Optuna's
            `study.ask(distributions)` and `study.tell`; and what our own does, statement by kind.
throughput  `Study.run` of random search on 5 ** 6 cells with a cheap objective; reading it again.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before anything that reads it is imported
