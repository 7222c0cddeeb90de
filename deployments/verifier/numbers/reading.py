"""A number as it stands in a text."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

Values = tuple[Fraction, ...]


@dataclass(slots=True, kw_only=True)
class Reading:
    """A number with its sign, scale and unit, read whole.

    `values` are what it says: none where that is unclear, two for a percentage (50 and 0.5). `perhaps` is what it
    may say as well, as 1.234 does in German. A value that is not exact, such as √2 or `about 5`, can be within a
    tolerance and never equal. `start` and `end` are places in the plain text.
    """

    start: int
    end: int
    text: str = ""
    values: Values = ()
    perhaps: Values = ()
    is_exact: bool = True
    is_sure: bool = True  # whether another value can be called wrong
    is_listed: bool = False  # the 5 of "3 and 5"
    is_aside: bool = False  # [1], H2O, f(2), a marker of a list: no number of the answer
    in_brackets: bool = False
    is_word: bool = False
    joins_next: bool = False  # a date or a time, of which the next number is a part
    unit: str = ""
    may_go_on: bool = False  # no sentence ends behind it, so more text could change it

    @property
    def is_clear(self) -> bool:
        return bool(self.values)

    def spoil(self) -> None:
        """Make the number unclear."""
        self.values = self.perhaps = ()

    def change(self, function: Callable[[Fraction], Fraction | None]) -> None:
        """Put each value through a function; one that it cannot tell makes the number unclear."""
        values, perhaps = [*map(function, self.values)], [*map(function, self.perhaps)]
        self.values = tuple(value for value in values if value is not None)
        self.perhaps = tuple(value for value in perhaps if value is not None)
        if len(self.values) < len(values) or len(self.perhaps) < len(perhaps):
            self.spoil()

    def multiply(self, factor: Fraction | int) -> None:
        self.change(lambda value: value * factor)

    def as_percent(self) -> None:
        """50 % says 50 and 0.5."""
        self.unit = "%"
        self.values = (*self.values, *(value / 100 for value in self.values))
        self.perhaps = (*self.perhaps, *(value / 100 for value in self.perhaps))
