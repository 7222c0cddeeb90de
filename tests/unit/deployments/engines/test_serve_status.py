"""Contract with the installed Ray Serve: the shape of its status."""

import pytest
from ray.serve.schema import ApplicationStatusOverview, DeploymentStatusOverview, ServeStatus

from deployments.engines.serve_status import running_in


def status(**states: int) -> ServeStatus:
    deployment = DeploymentStatusOverview(
        status="HEALTHY", status_trigger="UNSPECIFIED", replica_states=states, message=""
    )
    app = ApplicationStatusOverview(
        status="RUNNING", message="", last_deployed_time_s=0.0, deployments={"LLMServer:big": deployment}
    )
    return ServeStatus(applications={"laar": app})


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param({"RUNNING": 2, "STARTING": 1}, 2, id="some"),
        pytest.param({"STARTING": 1}, 0, id="none"),
        pytest.param({}, 0, id="no-replica"),
    ],
)
def test_running_replicas_are_counted(states: dict[str, int], expected: int) -> None:
    assert running_in(status(**states), "laar", "LLMServer:big") == expected


def test_deployment_that_the_controller_does_not_know_yet_is_no_zero() -> None:
    with pytest.raises(KeyError, match="LLMServer:small"):
        running_in(status(), "laar", "LLMServer:small")


@pytest.mark.parametrize(
    ("app", "expected"), [pytest.param("laar", 2, id="there"), pytest.param("gone", 0, id="other-applications-run")]
)
def test_an_application_runs_as_its_deployment_does(app: str, expected: int) -> None:
    assert running_in(status(RUNNING=2), app) == expected


def test_an_empty_status_says_nothing_of_an_application() -> None:
    with pytest.raises(KeyError, match="big"):
        running_in(ServeStatus(applications={}), "big")
