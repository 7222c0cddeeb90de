"""What models have read of conversations, so that L is less where the next turn has a beginning that is read."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from profiles.arrays import Floats

# A conversation of more texts is not followed.
MAX_TEXTS = 256
# Prompts that are remembered, those that were read last; engines keep no more of them for long.
MAX_PREFIXES = 1024
# A text is told from others by its length, its first and its last characters, so that long ones cost nothing.
_EDGE_CHARS = 128


def prefixes_of(owner: str, texts: Sequence[str]) -> tuple[int, ...]:
    """What stands for the first text, the first two and so on; those of another owner are others."""
    if len(texts) > MAX_TEXTS:
        return ()
    found, prefix = [], hash(owner)
    for text in texts:
        prefix = hash((prefix, len(text), text[:_EDGE_CHARS], text[-_EDGE_CHARS:]))
        found.append(prefix)
    return tuple(found)


class ReadPrefixes:
    """The prompts that each of `count` models has read lately, by what stands for them."""

    def __init__(self, count: int) -> None:
        self._count = count
        # how many tokens each model, by its row, has read of a prompt
        self._read: OrderedDict[int, dict[int, float]] = OrderedDict()

    def note(self, prefixes: Sequence[int], row: int, tokens: float) -> None:
        """Book that a model has read all of a prompt."""
        if not prefixes:
            return
        self._read.setdefault(prefixes[-1], {})[row] = tokens
        self._read.move_to_end(prefixes[-1])
        if len(self._read) > MAX_PREFIXES:
            self._read.popitem(last=False)

    def read_tokens(self, prefixes: Sequence[int]) -> Floats | None:
        """Tokens that each model has read of the beginning of a prompt, shape (m,); None where none has any."""
        found: dict[int, float] = {}
        # the longest one counts
        for prefix in reversed(prefixes):
            found = self._read.get(prefix, {}) | found
        if not found:
            return None
        tokens_read = np.zeros(self._count)
        tokens_read[list(found)] = list(found.values())
        return tokens_read
