import pytest

from deployments.router.attempt.breaker import COOLDOWN_S, MAX_COOLDOWN_S, MAX_TENANTS, Breaker, BreakerState


def failed(*failures: tuple[str, str]) -> Breaker:
    """After failures at 0 s, each of a tenant and a body."""
    found = Breaker()
    for tenant, body in failures:
        found.failed(0.0, tenant, body)
    return found


@pytest.mark.parametrize(
    ("failures", "shut_to"),
    [
        pytest.param([("a", "x"), ("a", "y")], "", id="too-few"),
        pytest.param([("a", "x")] * 9, "", id="one-body-again-and-again"),
        pytest.param([("a", "x"), ("a", "y"), ("a", "z")], "a", id="one-tenant"),
        pytest.param([("a", "x"), ("a", "y"), ("b", "x")], "abc", id="two-tenants"),
        pytest.param([("a", "x"), ("b", "x"), ("c", "x")], "abc", id="three-tenants"),
        pytest.param([("a", "x"), ("b", "x"), ("b", "x")], "", id="two-tenants-two-requests"),
    ],
)
def test_model_is_shut_to_all_only_by_what_no_tenant_can_do_alone(
    failures: list[tuple[str, str]], shut_to: str
) -> None:
    found = failed(*failures)
    assert "".join(tenant for tenant in "abc" if found.is_shut(0.0, tenant)) == shut_to


def test_half_open_breaker_lets_one_request_through_to_see() -> None:
    found = failed(("a", "x"), ("b", "x"), ("c", "x"))
    assert found.state(COOLDOWN_S - 0.1, "d") is BreakerState.OPEN
    assert found.state(COOLDOWN_S, "d") is BreakerState.HALF_OPEN
    assert not found.is_shut(COOLDOWN_S, "d")
    found.started()
    assert found.is_shut(COOLDOWN_S, "d")
    found.succeeded()
    found.finished()
    assert found.state(COOLDOWN_S, "d") is BreakerState.CLOSED


def test_probe_that_fails_opens_for_twice_as_long_up_to_a_limit() -> None:
    found, now_s, waits_s = failed(("a", "x"), ("b", "x"), ("c", "x")), COOLDOWN_S, []
    for _ in range(6):
        found.started()
        found.finished()
        found.failed(now_s, "a", "x")
        until_s = next(at for at in range(1000) if found.state(now_s + at, "d") is BreakerState.HALF_OPEN)
        waits_s.append(until_s)
        now_s += until_s
    assert waits_s == [10, 20, 40, MAX_COOLDOWN_S, MAX_COOLDOWN_S, MAX_COOLDOWN_S]


def test_failures_of_requests_that_were_under_way_do_not_add_up() -> None:
    found = failed(*[("a", str(i)) for i in range(100)], *[("b", str(i)) for i in range(100)])
    assert found.state(COOLDOWN_S, "c") is BreakerState.HALF_OPEN


def test_client_that_leaves_the_probe_leaves_it_to_the_next() -> None:
    found = failed(("a", "x"), ("b", "x"), ("c", "x"))
    found.started()
    found.finished()
    assert not found.is_shut(COOLDOWN_S, "d")


def test_tenants_that_are_remembered_go_on_counting_where_no_more_can_be() -> None:
    found = failed(*[(str(i), "x") for i in range(MAX_TENANTS)])
    for body in "yz":
        found.failed(COOLDOWN_S - 1, "0", body)
    # longer than all others, the tenant itself is shut out
    assert found.state(COOLDOWN_S + 1, "0") is BreakerState.OPEN
    assert found.state(COOLDOWN_S + 1, "1") is BreakerState.HALF_OPEN
