"""What the router knows of a deployed model from the config."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`can_think` if its engine limits thinking; `slots` is how many requests one replica serves at once.

    With `has_prefix_cache` a prompt that it has read is not read again.
    """

    name: str
    context_tokens: int
    has_prefix_cache: bool = True
    can_think: bool = False
    slots: int = 1
