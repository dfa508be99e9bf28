"""TransNAS-Bench-101: `micro`, 4,096 cells, and `macro`, 3,256 skeletons, on seven tasks.

    from spaces.transbench101 import macro, micro

    space = micro.search_space()
    objective = micro.table("jigsaw", path="~/benchmarks")
    network = micro.build(configuration, "segmentsemantic")

Source: Duan et al., "TransNAS-Bench-101", CVPR 2021 (arXiv:2105.11871).
"""
