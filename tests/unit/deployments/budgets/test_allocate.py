"""The budgets found against the best by other means: by hand, by changing one at a time, by trying all."""

import warnings
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.budgets.allocate import Serving, allocate
from deployments.budgets.objective import BudgetObjective
from deployments.budgets.problem import Problem, UnstableError
from deployments.budgets.servers import Batching, Server, SingleServer
from scripts.bench.budgets import reference
from scripts.bench.budgets.problems import SWING_BETWEEN, SWINGING, light, overfull, random_problems, saturated
from tests.unit.deployments.budgets.test_objective import LONG_PROMPT, TYPES, always
from tests.unit.deployments.budgets.test_problem import TWO

SOME = random_problems(np.random.default_rng(7), 50)
BATCHING = Batching(growth=0.05, slots=8)
# one request in 10 s that takes 2 s, and 3 s more by each token: two are the most that the queue can bear
COARSE = Problem(
    shares=np.array([1.0]),
    base_s=np.array([2.0]),
    token_s=np.array([3.0]),
    gain=np.array([0.9]),
    rate=np.array([0.1]),
    floor=np.array([0.0]),
    max_tokens=np.array([10.0]),
    arrivals_per_s=0.1,
    worth_s=1e6,
)


def budgets_of(problem: Problem, server: Server | None = None, max_attempts: int = 1) -> list[int]:
    objective = BudgetObjective(problem=problem, server=server or SingleServer(), max_attempts=max_attempts)
    found: list[int] = allocate(objective).budgets.tolist()
    return found


def crowded(problem: Problem) -> Problem:
    """As much more traffic as the batch can do."""
    return replace(problem, capacity=BATCHING.capacity, arrivals_per_s=problem.arrivals_per_s * BATCHING.capacity)


@pytest.mark.parametrize("problem", [pytest.param(p, id=f"{kind}-{i}") for i, (kind, p) in enumerate(SOME)])
def test_changing_one_budget_at_a_time_finds_no_better_ones_in_a_queue(problem: Problem) -> None:
    found = allocate(BudgetObjective(problem=problem))
    whole, value_s = found.budgets.astype(float), partial(reference.value_s, problem)
    unit_s = max(1.0, abs(found.performance.value_s))
    assert ((whole >= 0) & (whole <= problem.max_tokens)).all()
    assert found.performance.value_s == pytest.approx(value_s(whole), rel=1e-9)
    for start in (whole, np.zeros(problem.num_types)):
        theirs_s = value_s(reference.best_by_coordinates(value_s, problem.max_tokens, start))
        assert theirs_s <= found.performance.value_s + 1e-6 * unit_s
    assert 0 <= (found.certificate.gap_s or 0.0) <= 1e-5 * unit_s


@pytest.mark.parametrize("problem", [pytest.param(p, id=f"{kind}-{i}") for i, (kind, p) in enumerate(SOME)])
def test_changing_one_budget_at_a_time_finds_no_better_ones_in_a_batch(problem: Problem) -> None:
    objective = BudgetObjective(problem=crowded(problem), server=BATCHING)
    found = allocate(objective)
    best = reference.best_by_coordinates(objective.value_s, problem.max_tokens, found.budgets.astype(float))
    assert objective.value_s(best) <= found.performance.value_s + 1e-6 * max(1.0, abs(found.performance.value_s))


def test_dear_answers_lead_no_search_beyond_the_border_of_stability() -> None:
    """An answer is worth five hours here: the search once ended in an unstable queue."""
    found = allocate(BudgetObjective(problem=crowded(saturated(np.random.default_rng(6), 3)), server=BATCHING))
    assert found.performance.utilisation < 1
    assert (found.certificate.gap_s or 0.0) <= 1e-5 * found.performance.value_s


NUMBERS: dict[str, st.SearchStrategy[float]] = {
    "base_s": st.floats(0.01, 2),
    "token_s": st.floats(0.001, 0.5),
    "gain": st.floats(0, 0.5),
    "rate": st.floats(0.001, 1),
    "floor": st.floats(0, 0.5),
    "max_tokens": st.integers(0, 9).map(float),
}


@st.composite
def small_problems(draw: st.DrawFn) -> Problem:
    """One or two types of few tokens, loaded to up to 0.99 of one server without thinking."""
    num_types = draw(st.integers(1, 2))
    share = draw(st.floats(0, 1))
    columns: dict[str, Any] = {
        name: np.array(draw(st.lists(number, min_size=num_types, max_size=num_types)))
        for name, number in NUMBERS.items()
    }
    shares = np.array([share, 1 - share])[:num_types] if num_types == 2 else np.ones(1)
    load = draw(st.floats(0, 0.99))
    rate = load / float(shares @ columns["base_s"])
    return Problem(shares=shares, arrivals_per_s=rate, worth_s=draw(st.floats(0, 1e4)), **columns)


@given(small_problems(), st.sampled_from([SingleServer(), BATCHING]), st.integers(1, 3))
def test_no_whole_budgets_are_better_than_what_is_proven(problem: Problem, server: Server, max_attempts: int) -> None:
    """All are tried: none is above value, loss and gap, and none that differs in a single budget's token is better."""
    problem = crowded(problem) if server is BATCHING else problem
    objective = BudgetObjective(problem=problem, server=server, max_attempts=max_attempts)
    every = [np.array(budgets) for budgets in product(*(np.arange(top + 1) for top in problem.max_tokens))]
    values = [objective.value_s(budgets) for budgets in every]
    try:
        found = allocate(objective)
    except UnstableError:
        assert max(values) == float("-inf")
        return
    value_s, known = found.performance.value_s, found.certificate
    noise_s = 1e-9 * max(1.0, abs(value_s))
    near = [value for budgets, value in zip(every, values, strict=True) if np.abs(budgets - found.budgets).sum() <= 1]
    assert max(near) <= value_s + noise_s
    if known.gap_s is not None:
        assert max(values) <= value_s + known.loss_s + known.gap_s + noise_s


def test_the_optimum_is_found_where_the_paper_s_iteration_swings_for_ever() -> None:
    budgets = np.zeros(2)
    visited = []
    for _ in range(500):
        budgets = reference.fixed_point(SWINGING, budgets)
        visited.append(budgets.tolist())
    assert sorted(visited[-2:], reverse=True) == [pytest.approx(end, abs=1e-5) for end in SWING_BETWEEN]
    assert reference.contraction(SWINGING) > 1
    found = allocate(BudgetObjective(problem=SWINGING))
    assert found.budgets.tolist() == [684, 468]
    assert found.performance.value_s == pytest.approx(46.776804247, abs=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_within_contraction_the_paper_s_iteration_ends_at_the_same_budgets(seed: int) -> None:
    problem = light(np.random.default_rng(seed), 4)
    problem = replace(problem, arrivals_per_s=problem.arrivals_per_s / 100)
    assert reference.contraction(problem) < 1
    exact = np.zeros(4)
    for _ in range(200):
        exact = reference.fixed_point(problem, exact)
    found = allocate(BudgetObjective(problem=problem))
    assert np.abs(found.budgets - exact).max() <= 1
    lost_s = reference.value_s(problem, exact) - found.performance.value_s
    assert -1e-9 <= lost_s <= reference.rounding_bound_s(problem, exact) + 1e-9


def test_one_type_without_a_queue_thinks_until_a_token_costs_what_it_brings() -> None:
    # 20 * 0.5 * 0.01 * exp(-0.01 l) = 0.01: l = 100 ln 10 = 230.26
    alone = Problem(
        shares=np.array([1.0]),
        base_s=np.array([1.0]),
        token_s=np.array([0.01]),
        gain=np.array([0.5]),
        rate=np.array([0.01]),
        floor=np.array([0.2]),
        max_tokens=np.array([1000.0]),
        arrivals_per_s=0.0,
        worth_s=20.0,
    )
    assert budgets_of(alone) == [230]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"worth_s": 0.0}, [0, 0], id="answers worth nothing"),
        pytest.param({"gain": np.array([0.0, 0.7])}, [0, 569], id="one type that gains nothing"),
        pytest.param({"max_tokens": np.array([0.0, 0.0])}, [0, 0], id="no thinking allowed"),
        pytest.param({"worth_s": 1e12, "arrivals_per_s": 0.0}, [1200, 1200], id="worth everything"),
    ],
)
def test_budgets_at_bounds(changes: dict[str, Any], expected: list[int]) -> None:
    assert budgets_of(replace(SWINGING, **changes)) == expected


def test_extreme_parameters_give_a_stable_queue_without_a_warning() -> None:
    for rate, cost, worth, server in product((1e-12, 1e12), (1e-12, 1e12), (0.0, 1e-12, 1e12), (None, BATCHING)):
        problem = replace(TWO, rate=np.full(2, rate), token_s=np.full(2, cost), worth_s=worth)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert (
                allocate(BudgetObjective(problem=problem, server=server or SingleServer())).performance.utilisation < 1
            )


@pytest.mark.parametrize("seed", range(5))
def test_a_limitless_worth_stops_short_of_an_unstable_queue(seed: int) -> None:
    problem = replace(overfull(np.random.default_rng(seed), 4), worth_s=1e12)
    assert 0.9 < allocate(BudgetObjective(problem=problem)).performance.utilisation < 1


def test_rounding_up_does_not_cross_the_limit_of_the_queue() -> None:
    assert budgets_of(COARSE) == [2]


def test_a_rare_type_gets_what_one_request_of_it_should() -> None:
    rarely, now_and_then = (replace(SWINGING, shares=np.array([1 - share, share])) for share in (1e-6, 1e-3))
    assert budgets_of(rarely) == pytest.approx(budgets_of(now_and_then), abs=1)


def test_order_of_types_does_not_matter() -> None:
    problem = overfull(np.random.default_rng(3), 6)
    order = np.array([4, 0, 5, 2, 1, 3])
    fields = ("shares", "base_s", "token_s", "gain", "rate", "floor", "max_tokens")
    shuffled = replace(problem, **{name: getattr(problem, name)[order] for name in fields})
    assert budgets_of(shuffled) == [budgets_of(problem)[index] for index in order]


@pytest.mark.parametrize("seed", range(5))
def test_more_arrivals_never_raise_a_budget(seed: int) -> None:
    """All delays g = 1 + x t + y / 2 rise with the load, by x = lambda / q and y = sum of pi (x t)^2.

    Were x to rise and y to fall, a type that thinks less, for a higher g, would have a higher x t, and so would one
    that thinks more, for its higher t: y would rise. Were x to fall and y to rise, it is the other way round; were both
    to fall, all would think more, and x would rise. Rounding may move a budget by a token.
    """
    problem = overfull(np.random.default_rng(seed), 4)
    spare = 0.99 / (problem.arrivals_per_s * float(problem.shares @ problem.base_s))
    loads = problem.arrivals_per_s * np.linspace(0, spare, 8)
    budgets = [budgets_of(replace(problem, arrivals_per_s=float(load))) for load in loads]
    assert np.diff(budgets, axis=0).max() <= 1


@pytest.mark.parametrize("seed", range(3))
def test_no_budgets_lie_above_value_and_gap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objective = BudgetObjective(problem=saturated(rng, 4))
    found = allocate(objective)
    known = found.certificate
    assert known.gap_s is not None
    most_s = found.performance.value_s + known.loss_s + known.gap_s
    tried = [objective.problem.max_tokens * rng.random(4) ** power for power in (1, 4, 16) for _ in range(50)]
    assert max(objective.value_s(budgets) for budgets in tried) <= most_s


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("server", [SingleServer(), BATCHING], ids=["one at a time", "batched"])
def test_with_retries_no_random_start_leads_higher(seed: int, server: Server) -> None:
    """From wherever a search by coordinates begins, for J has several peaks."""
    rng = np.random.default_rng(seed)
    problem = replace(TYPES, arrivals_per_s=0.15 * server.capacity, capacity=server.capacity)
    objective = BudgetObjective(problem=problem, server=server, max_attempts=3)
    found = allocate(objective)
    starts = [rng.integers(0, 500, 2).astype(float) for _ in range(5)]
    ends = [reference.best_by_coordinates(objective.value_s, problem.max_tokens, start) for start in starts]
    assert max(map(objective.value_s, ends)) <= found.performance.value_s + 1e-9


def test_with_retries_no_less_is_found_than_on_a_fine_grid() -> None:
    objective = BudgetObjective(problem=TYPES, max_attempts=3)
    grid = [np.array([float(a), float(b)]) for a in range(0, 200, 5) for b in range(0, 200, 5)]
    found = allocate(objective)
    assert found.performance.value_s >= max(objective.value_s(budgets) for budgets in grid)
    assert (found.certificate.gap_s, found.certificate.starts) == (None, 3)


def test_thinking_can_make_a_queue_stable() -> None:
    """Without thinking each of the requests takes 8 attempts of 3 s: 2.4 s of work come per second."""
    retried = BudgetObjective(problem=LONG_PROMPT, max_attempts=10)
    assert retried.load(np.zeros(1)) > 2
    assert allocate(retried).performance.utilisation < 0.6


def test_more_work_than_can_be_done_is_refused() -> None:
    with pytest.raises(UnstableError, match=r"with up to 10 attempts; it must stay below 1"):
        allocate(BudgetObjective(problem=replace(LONG_PROMPT, arrivals_per_s=0.3), max_attempts=10))


def test_knowing_of_retries_beats_not_knowing() -> None:
    retried = BudgetObjective(problem=TYPES, max_attempts=3)
    unaware = allocate(BudgetObjective(problem=TYPES)).budgets.astype(np.float64)
    assert allocate(retried).performance.value_s > retried.value_s(unaware) + 0.1


def test_types_that_may_not_think_get_no_budget() -> None:
    found = allocate(BudgetObjective(problem=always(0.5), max_attempts=3))
    assert found.budgets.tolist() == [0]
    assert found.performance.solved == pytest.approx(0.875)


@pytest.mark.parametrize(
    ("slots", "server"),
    [
        pytest.param(1, SingleServer(), id="one slot is a queue"),
        pytest.param(8, Batching(growth=1.0, slots=8), id="growth above 1 counts as 1"),
        pytest.param(10_000, Batching(growth=1.0, slots=4096), id="slots are bounded"),
    ],
)
def test_an_engine_is_served_by_its_slots_and_growth(slots: int, server: Server) -> None:
    assert Serving.of(slots=slots, growth=1.5, max_attempts=2) == Serving(server=server, max_attempts=2)


def test_serving_plans_for_its_server_and_attempts() -> None:
    serving = Serving(server=SingleServer(), max_attempts=3)
    assert serving.allocate(TYPES).tolist() == budgets_of(TYPES, max_attempts=3)
    budgets = np.array([40.0, 60.0])
    assert serving.value_s(TYPES, budgets) == BudgetObjective(problem=TYPES, max_attempts=3).value_s(budgets)
