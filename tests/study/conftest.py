"""Studies obey the rules of unit tests: no Ray, nothing outside this machine."""

from tests.unit.conftest import no_network, no_ray, pytest_asyncio_loop_factories

__all__ = ["no_network", "no_ray", "pytest_asyncio_loop_factories"]
