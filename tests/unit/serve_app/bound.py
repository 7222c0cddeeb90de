"""What an application binds, by Ray Serve's own `bind`, held against the constructors that will get it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from ray.serve import Application, Deployment

from serve_app.app import build_app


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A deployment with its constructor's arguments by name; `left_out` has those that keep their defaults."""

    name: str
    arguments: Mapping[str, Any]
    left_out: frozenset[str]

    @classmethod
    def of(cls, name: str, deployed: type[Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> "Bound":
        """TypeError where the constructor does not take just these."""
        signature = _constructor(deployed)
        arguments = signature.bind(*args, **kwargs).arguments
        return cls(name=name, arguments=arguments, left_out=frozenset(signature.parameters.keys() - arguments.keys()))


def _constructor(deployed: type[Any]) -> inspect.Signature:
    """That of the first class that names its parameters; Serve wraps an ingress in one that takes anything."""
    for base in deployed.__mro__:
        if "__init__" in vars(base):
            _, *parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
            if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
                return inspect.Signature(parameters)
    raise AssertionError(f"{deployed} has no constructor that names its parameters")


def bound(args: Mapping[str, Any], build: Callable[[Mapping[str, Any]], Application] = build_app) -> list[Bound]:
    """Build the application of a config; all that is bound on the way, in that order."""
    found: list[Bound] = []
    real = Deployment.bind

    def bind(self: Any, *args: Any, **kwargs: Any) -> Any:
        found.append(Bound.of(self.name, self.func_or_class, args, kwargs))
        return real(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deployment, "bind", bind)
        build(args)
    return found
