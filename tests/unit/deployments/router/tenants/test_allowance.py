from collections.abc import Mapping
from types import MappingProxyType

import pytest

from deployments.contract.errors import QuotaError
from deployments.router.tenants.allowance import Allowance, Cost, Quota
from deployments.router.tenants.tenant import KeyLimits


def test_allowance_refills_steadily_and_never_beyond_itself() -> None:
    found = Allowance(60, 60.0, now_s=0.0)
    found.take(60, 0.0)
    assert found.wait_s(0.0, need=3.0) == 3.0
    assert found.wait_s(3.0, need=3.0) == 0.0
    assert found.wait_s(1e6, need=61.0) == 1.0


def test_debt_is_paid_off_before_anything_is_let_in() -> None:
    found = Allowance(60, 60.0, now_s=0.0)
    found.take(90, 0.0)
    assert found.wait_s(0.0) == pytest.approx(30.0, abs=0.01)
    assert found.wait_s(31.0) == 0.0


def quota(limits: Mapping[str, float] = MappingProxyType({}), *, num_routers: int = 1) -> Quota:
    return Quota(KeyLimits.model_validate(limits), num_routers=num_routers, now_s=0.0)


@pytest.mark.parametrize(
    ("limits", "cost", "told", "retry_after"),
    [
        pytest.param({"requests_per_minute": 1}, Cost(), "its requests per minute", "60", id="requests"),
        pytest.param({"tokens_per_minute": 10}, Cost(tokens=25), "its tokens per minute", "91", id="tokens"),
        pytest.param({"spend_per_day": 1.0}, Cost(spend=1.5), "its spend per day", "43201", id="spend"),
    ],
)
def test_tenant_beyond_its_limit_is_told_when_to_come_again(
    limits: dict[str, float], cost: Cost, told: str, retry_after: str
) -> None:
    found = quota(limits)
    found.begin(0.0)
    found.charge(cost, 0.0)
    with pytest.raises(QuotaError, match=told) as refused:
        found.begin(0.0)
    assert (refused.value.http_status, refused.value.headers) == (429, {"retry-after": retry_after})
    found.begin(float(retry_after))


def test_replicas_share_a_limit() -> None:
    found = quota({"requests_per_minute": 8, "concurrent_requests": 10}, num_routers=4)
    assert found.most_concurrent == 3
    found.begin(0.0)
    found.begin(0.0)
    with pytest.raises(QuotaError, match="requests per minute"):
        found.begin(0.0)


def test_tenant_without_limits_has_none() -> None:
    found = quota()
    for _ in range(1000):
        found.begin(0.0)
    found.charge(Cost(tokens=10**9, spend=1e9), 0.0)
    found.begin(0.0)
