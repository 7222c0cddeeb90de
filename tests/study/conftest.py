"""Studies obey the rules of unit tests: no Ray, nothing outside this machine."""

from tests.unit.conftest import no_network, no_ray

__all__ = ["no_network", "no_ray"]
