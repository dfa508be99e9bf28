"""NAS-Bench-NLP: the authors' cells, what belongs to the space, hash, mutation, a small study."""

import itertools
import pickle

import cloudpickle
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_nas import configs
from automl_nas.budget import Budget
from automl_nas.errors import SettingError, TableError
from automl_nas.searchers.evolution import EvolutionSearcher
from automl_nas.searchers.halving import HalvingSearcher
from automl_nas.searchers.uniform import RandomSearcher
from automl_nas.study import Study
from automl_nas.tables.nasbenchnlp import INPUTS, OPERATIONS, key
from automl_nas.types import Trial
from spaces import nasbenchnlp
from spaces.nasbenchnlp import from_recipe, graph_hash, mutate, neighbours, to_recipe, violations


def recipe(**nodes):
    return {name: {"op": op, "input": taken.split()} for name, (op, taken) in nodes.items()}


# fmsnew/nas-bench-nlp-release, data/recepies_example.json: the first three and the ninth cell
RNN = recipe(f=("linear", "x h_prev_0"), h_new_0=("activation_tanh", "f"))
LSTM = recipe(
    i=("linear", "x h_prev_0"), i_act=("activation_tanh", "i"),
    j=("linear", "x h_prev_0"), j_act=("activation_sigm", "j"),
    f=("linear", "x h_prev_0"), f_act=("activation_sigm", "f"),
    o=("linear", "x h_prev_0"), o_act=("activation_tanh", "o"),
    h_new_1_part1=("elementwise_prod", "f_act h_prev_1"),
    h_new_1_part2=("elementwise_prod", "i_act j_act"),
    h_new_1=("elementwise_sum", "h_new_1_part1 h_new_1_part2"),
    h_new_1_act=("activation_tanh", "h_new_1"),
    h_new_0=("elementwise_prod", "h_new_1_act o_act"),
)  # fmt: skip
GRU = recipe(
    r=("linear", "x h_prev_0"), r_act=("activation_sigm", "r"),
    z=("linear", "x h_prev_0"), z_act=("activation_sigm", "z"),
    rh=("elementwise_prod", "r_act h_prev_0"),
    h_tilde=("linear", "x rh"), h_tilde_act=("activation_tanh", "h_tilde"),
    h_new_0=("blend", "z_act h_prev_0 h_tilde_act"),
)  # fmt: skip
NINTH = recipe(
    node_0=("linear", "h_prev_0 x"), node_1=("activation_sigm", "node_0"),
    node_3=("linear", "node_1 h_prev_0"), node_4=("activation_leaky_relu", "node_3"),
    node_11=("blend", "h_prev_0 node_1 node_4"), h_new_0=("elementwise_prod", "node_3 node_11"),
)  # fmt: skip
AUTHORS = [from_recipe(one) for one in (RNN, LSTM, GRU, NINTH)]
TAKES = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 2, 7: 3}


@st.composite
def cells(draw, most=6):
    """Cells that keep the rules: what is drawn, cut down to what the hidden state needs."""
    codes, taken = [0] * len(INPUTS), [[]] * len(INPUTS)
    states = draw(st.integers(1, 2))
    for _ in range(draw(st.integers(2, most))):
        earlier = [*range(1, 1 + states), *range(len(INPUTS), len(codes))]
        able = [code for code, count in TAKES.items() if code == 6 or count <= len(earlier)]
        code = draw(st.sampled_from(able if len(codes) > len(INPUTS) else [6]))
        from_where = [0, *earlier] if code == 6 else earlier
        taken.append(list(draw(st.permutations(from_where)))[: TAKES[code]])
        codes.append(code)
    hidden = set(range(len(codes) - states, len(codes)))
    used = set(hidden)
    for node in reversed(range(len(codes))):
        used |= set(taken[node]) if node in used else set()
    kept = [*range(len(INPUTS)), *sorted(used - set(range(len(INPUTS))))]
    place = {node: index for index, node in enumerate(kept)}
    edges = tuple((place[source], place[node]) for node in kept for source in taken[node])
    return edges, tuple(codes[node] for node in kept), tuple(sorted(place[node] for node in hidden))


VALID = cells().filter(lambda cell: not violations(cell))


def renumbered(cell, random):
    """The same cell with its own nodes in another order in which inputs come first."""
    edges, codes, hidden = cell
    taken = {node: [s for s, t in edges if t == node] for node in range(len(INPUTS), len(codes))}
    place = {node: node for node in range(len(INPUTS))}
    while len(place) < len(codes):
        ready = [n for n, needs in taken.items() if n not in place and place.keys() >= set(needs)]
        place[random.choice(ready)] = len(place)
    pairs = []
    for node in sorted(taken, key=place.get):
        needs = list(taken[node])
        if OPERATIONS[codes[node]] != "blend":
            random.shuffle(needs)
        pairs += [(place[source], place[node]) for source in needs]
    moved = [codes[node] for node in sorted(place, key=place.get)]
    return tuple(pairs), tuple(moved), tuple(sorted(place[node] for node in hidden))


def as_graph(cell):
    edges, codes, hidden = cell
    graph = nx.MultiDiGraph()
    for node, code in enumerate(codes):
        name = INPUTS[node] if node < len(INPUTS) else OPERATIONS[code]
        graph.add_node(node, mark=(name, node in hidden))
    for target in range(len(INPUTS), len(codes)):
        for place, source in enumerate(s for s, t in edges if t == target):
            graph.add_edge(source, target, place=place if codes[target] == 7 else 0)
    return graph


def are_one(one, other):
    node = nx.isomorphism.categorical_node_match("mark", None)
    edge = nx.isomorphism.categorical_multiedge_match("place", None)
    return nx.is_isomorphic(as_graph(one), as_graph(other), node_match=node, edge_match=edge)


def test_the_authors_cells_belong_to_the_space():
    assert [violations(cell) for cell in AUTHORS] == [(), (), (), ()]
    assert key(AUTHORS[0]) == "6:0,1 2:4;5"
    assert key(AUTHORS[2]) == "6:0,1 1:4 6:0,1 1:6 5:5,1 6:0,8 2:9 7:7,1,10;11"


def test_recipes_lead_back_to_cells_and_a_node_waits_for_its_inputs_at_the_end():
    late = {"h_new_0": GRU["h_new_0"], **{name: GRU[name] for name in GRU if name != "h_new_0"}}
    assert from_recipe(late) == AUTHORS[2]
    assert from_recipe(to_recipe(AUTHORS[3])) == AUTHORS[3]
    assert to_recipe(AUTHORS[0])["h_new_0"] == {"op": "activation_tanh", "input": ["node_0"]}
    # h_new_1 stands before h_new_0 in the authors' LSTM: a compact form does not tell
    assert AUTHORS[1][2] == (14, 16)


@given(VALID)
def test_recipes_and_cells_are_a_bijection(cell):
    assert from_recipe(to_recipe(cell)) == cell


@pytest.mark.parametrize(
    "wrong",
    [
        None, {}, {"a": 1}, {"h_new_0": {"op": "linear"}}, recipe(h_new_0=("conv", "x")),
        recipe(h_new_0=("in", "x")), recipe(h_new_0=("linear", "x node_7")),
        recipe(a=("linear", "x b"), b=("linear", "x a"), h_new_0=("elementwise_sum", "a b")),
        recipe(x=("linear", "h_prev_0"), h_new_0=("activation_tanh", "x")),
        recipe(a=("linear", "x h_prev_0")), recipe(h_new_0=("linear", "")),
    ],
)  # fmt: skip
def test_what_is_no_recipe_is_refused(wrong):
    with pytest.raises(TableError):
        from_recipe(wrong)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (recipe(f=("linear", "x"), h_new_0=("elementwise_sum", "f h_prev_0")), "has 1 inputs"),
        (recipe(f=("linear", "x h_prev_0"), h_new_0=("elementwise_sum", "f f")), "input twice"),
        (recipe(f=("linear", "x h_prev_0"), h_new_0=("elementwise_sum", "f x")), "takes x"),
        (recipe(**{"a": ("linear", "x h_prev_0"), "b": ("activation_tanh", "a"),
                   "h_new_0": ("activation_sigm", "a")}), "node 5 is not used"),
        (recipe(f=("linear", "x h_prev_1"), h_new_0=("activation_tanh", "f")),
         "h_prev_1 has no next state"),
        (recipe(f=("linear", "h_prev_0 g"), g=("activation_tanh", "h_prev_0"),
                h_new_0=("activation_tanh", "f")), "node 0 is not used"),
        (recipe(h_new_0=("linear", "x h_prev_0"), h_new_1=("activation_tanh", "h_new_0")),
         "node 2 is not used"),
    ],
)  # fmt: skip
def test_what_keeps_a_cell_out_of_the_space_is_said(cell, said):
    assert any(said in one for one in violations(from_recipe(cell)))


def test_naslibs_reading_of_the_lstm_has_too_many_hidden_states():
    edges, codes, _ = AUTHORS[1]
    assert violations((edges, codes, (12, 13, 14, 15, 16))) == (
        "5 hidden states, at most 3 are allowed", "node 3 is not used",
    )  # fmt: skip


@given(VALID, st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_the_numbers_of_nodes(cell, random):
    other = renumbered(cell, random)
    assert are_one(cell, other)
    assert graph_hash(other) == graph_hash(cell)


@pytest.mark.parametrize("cell", AUTHORS)
def test_the_authors_cells_keep_their_hash_under_renumbering(cell):
    import random

    found = {renumbered(cell, random.Random(seed)) for seed in range(20)}
    assert {graph_hash(one) for one in found} == {graph_hash(cell)}


@settings(max_examples=300)
@given(VALID, VALID)
def test_two_cells_have_one_hash_if_and_only_if_they_are_one(one, other):
    assert (graph_hash(one) == graph_hash(other)) == are_one(one, other)


@given(VALID)
def test_neighbours_have_the_hash_of_the_cell_only_if_they_are_it(cell):
    found = [cell, *itertools.islice(neighbours(cell), 12)]
    for one, other in itertools.combinations(found, 2):
        assert (graph_hash(one) == graph_hash(other)) == are_one(one, other)


def test_cells_that_only_a_circle_tells_apart_have_different_hashes():
    """Two linear layers, each through tanh and sigmoid: summed by layer, or across."""
    both = {
        "a": {"op": "linear", "input": ["x", "h_prev_0"]},
        "b": {"op": "linear", "input": ["x", "h_prev_0"]},
        **{f"t{n}": {"op": "activation_tanh", "input": [n]} for n in "ab"},
        **{f"s{n}": {"op": "activation_sigm", "input": [n]} for n in "ab"},
    }
    sums = {"h_new_0": {"op": "elementwise_sum", "input": ["one", "two"]}}
    cells = [
        from_recipe({**both, **recipe(one=("elementwise_prod", f"ta s{mine}"),
                                      two=("elementwise_prod", f"tb s{theirs}")), **sums})
        for mine, theirs in ("ab", "ba")
    ]  # fmt: skip
    assert not are_one(*cells)
    assert graph_hash(cells[0]) != graph_hash(cells[1])


def test_which_nodes_are_hidden_states_counts():
    edges, codes, _ = AUTHORS[1]
    found = {graph_hash((edges, codes, pair)) for pair in itertools.combinations(range(4, 17), 2)}
    ones = [(edges, codes, pair) for pair in itertools.combinations(range(4, 17), 2)]
    assert len(found) == len(ones)
    assert not any(are_one(one, other) for one, other in itertools.combinations(ones[:12], 2))


def test_a_cell_with_many_like_nodes_is_hashed_soon():
    """Nine linear layers with activations, three and three of them taken together: 1,296 ways."""
    nodes = {}
    for n in range(9):
        nodes |= recipe(
            **{f"l{n}": ("linear", "x h_prev_0"), f"a{n}": ("activation_tanh", f"l{n}")}
        )
    for n in range(3):
        nodes |= recipe(**{f"m{n}": ("linear", f"a{3 * n} a{3 * n + 1} a{3 * n + 2}"),
                           f"b{n}": ("activation_tanh", f"m{n}")})  # fmt: skip
    nodes |= recipe(h_new_0=("linear", "b0 b1 b2"))
    assert violations(from_recipe(nodes)) == ()
    assert len(graph_hash(from_recipe(nodes))) == 32


def test_the_order_of_a_blends_inputs_counts_and_that_of_a_sums_does_not():
    swapped = {**GRU, "h_new_0": {"op": "blend", "input": ["h_tilde_act", "h_prev_0", "z_act"]}}
    assert graph_hash(from_recipe(swapped)) != graph_hash(AUTHORS[2])
    swapped = {**GRU, "rh": {"op": "elementwise_prod", "input": ["h_prev_0", "r_act"]}}
    assert graph_hash(from_recipe(swapped)) == graph_hash(AUTHORS[2])
    assert key(from_recipe(swapped)) != key(AUTHORS[2])


@given(VALID)
def test_neighbours_differ_in_one_operation_or_one_source_and_keep_the_rules(cell):
    edges, codes, hidden = cell
    for other in neighbours(cell):
        assert not violations(other)
        assert other[2] == hidden
        apart = [(a, b) for a, b in zip(codes, other[1], strict=True) if a != b]
        moved = [(a, b) for a, b in zip(edges, other[0], strict=True) if a != b]
        assert len(apart) + len(moved) == 1
        assert all({a, b} <= {1, 2, 3} or {a, b} == {4, 5} for a, b in apart)
        assert all(a[1] == b[1] and min(a[0], b[0]) >= len(INPUTS) for a, b in moved)


def test_the_neighbours_of_the_authors_cells():
    # the RNN has one activation, nothing else that changes; the GRU three, and a product
    assert {key(one) for one in neighbours(AUTHORS[0])} == {"6:0,1 1:4;5", "6:0,1 3:4;5"}
    operations = [one for one in neighbours(AUTHORS[2]) if one[1] != AUTHORS[2][1]]
    assert len(operations) == 3 * 2 + 1


@given(VALID, st.integers(0, 2**32 - 1))
def test_a_mutation_is_a_neighbour_and_repeats_with_its_seed(cell, seed):
    near = set(neighbours(cell))
    if not near:
        with pytest.raises(SettingError, match="neighbours"):
            mutate(cell, np.random.RandomState(seed))
        return
    child = mutate(cell, np.random.RandomState(seed))
    assert child in near
    assert child == mutate(cell, np.random.RandomState(seed))


def test_mutations_reach_every_neighbour():
    rng = np.random.RandomState(0)
    assert {mutate(AUTHORS[3], rng) for _ in range(400)} == set(neighbours(AUTHORS[3]))


# --- the trained cells -----------------------------------------------------------------------

EPOCHS = 6
TRIAL = Trial(0, 0)


def run(index):
    return {
        "train_losses": [5.0 + index / 10 - 0.1 * e for e in range(EPOCHS)],
        "val_losses": [6.0 + index / 10 - 0.1 * e + 0.5 * (e == EPOCHS - 1) for e in range(EPOCHS)],
        "test_losses": [6.5 + index / 10 - 0.1 * e for e in range(EPOCHS)],
        "wall_times": [100.0 + index] * EPOCHS,
    }


@pytest.fixture
def trained(tmp_path):
    found = list(dict.fromkeys([*AUTHORS, *neighbours(AUTHORS[3]), *neighbours(AUTHORS[2])]))
    runs = {cell: run(index) for index, cell in enumerate(found)}
    (tmp_path / "nb_nlp.pickle").write_bytes(pickle.dumps(runs))
    return found, tmp_path


def test_the_space_is_the_rows_of_the_file(trained):
    found, folder = trained
    space, objective = nasbenchnlp.labelled(path=folder)
    assert nasbenchnlp.search_space(path=folder) == space
    every = list(configs.enumerate_space(space))
    forms = [nasbenchnlp.to_compact(one, objective.table) for one in every]
    assert sorted(forms) == sorted(found)
    assert [nasbenchnlp.from_compact(form, objective.table) for form in forms] == every
    with pytest.raises(TableError, match="no row"):
        nasbenchnlp.from_compact((((0, 4), (1, 4)), (0, 0, 0, 0, 6), (4,)), objective.table)


def test_the_objective_answers_with_validation_and_test_losses_of_the_epoch(trained):
    found, folder = trained
    objective = nasbenchnlp.table(path=folder)
    assert [metric.name for metric in objective.metrics][:2] == ["validation_loss", "test_loss"]
    second = nasbenchnlp.from_compact(found[2], objective.table)
    at_3 = objective(second, 3, TRIAL)
    assert at_3.values["validation_loss"] == pytest.approx(6.0)
    assert at_3.values["test_loss"] == pytest.approx(6.5)
    assert at_3.simulated_seconds == 3 * 102
    assert objective(second, 5, Trial(1, 0, continued=3)).simulated_seconds == 2 * 102
    assert objective(second, None, TRIAL).values["validation_loss"] == pytest.approx(6.2)
    best = nasbenchnlp.table(path=folder, epoch="best")(second, None, TRIAL)
    assert best.values["validation_loss"] == pytest.approx(5.8)
    assert best.values["test_loss"] == pytest.approx(6.3)
    again = cloudpickle.loads(cloudpickle.dumps(objective))
    assert again(second, 3, TRIAL) == at_3
    assert again.identity_json() == objective.identity_json()


@pytest.mark.parametrize("searcher", [RandomSearcher, EvolutionSearcher])
def test_a_study_on_the_rows_finds_the_lowest_validation_loss(trained, searcher):
    found, folder = trained
    space, objective = nasbenchnlp.labelled(path=folder)
    study = Study(space, objective, searcher(space), budget=Budget(trials=12), seed=0)
    records = study.run().records
    assert len(records) == 12
    for record in records:
        index = found.index(nasbenchnlp.to_compact(record.configuration, objective.table))
        assert record.values["validation_loss"] == pytest.approx(6.0 + index / 10)
        assert record.values["test_loss"] == pytest.approx(6.0 + index / 10)


def test_halving_goes_on_from_the_epochs_that_were_paid_for(trained):
    found, folder = trained
    space, objective = nasbenchnlp.labelled(path=folder)
    study = Study(space, objective, HalvingSearcher(RandomSearcher(space)),
                  budget=Budget(trials=12), seed=0)  # fmt: skip
    records = study.run().records
    paid = {}
    for record in records:
        index = found.index(nasbenchnlp.to_compact(record.configuration, objective.table))
        epochs = (record.fidelity or EPOCHS) * (100 + index)
        paid[index] = paid.get(index, 0) + record.simulated_seconds
        assert paid[index] == pytest.approx(epochs)
    assert len(paid) < len(records)


def test_a_diverged_training_is_a_failed_record_that_is_charged(tmp_path):
    diverged = {**run(1), "val_losses": [6.0] * (EPOCHS - 1) + [float("nan")]}
    cells = {AUTHORS[0]: diverged, AUTHORS[2]: run(0)}
    (tmp_path / "nb_nlp.pickle").write_bytes(pickle.dumps(cells))
    space, objective = nasbenchnlp.labelled(path=tmp_path)
    wanted = nasbenchnlp.from_compact(AUTHORS[0], objective.table)
    study = Study(space, objective, RandomSearcher(space), budget=Budget(trials=2), seed=0,
                  initial=[wanted], max_failures=9)  # fmt: skip
    first = study.run().records[0]
    assert first.status == "failed"
    assert "validation_loss = inf is not finite" in first.failure
    assert first.simulated_seconds == EPOCHS * 101
