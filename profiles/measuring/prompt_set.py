"""Which prompts a profile has counted, kept as short hashes: no text can be read back, and shared prompts show."""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256

# 48 bits: among the prompts of two largest files (20,000 lines each) a chance match has a probability near 1e-6
HASH_BYTES = 6


def prompt_set(texts: Iterable[str]) -> str:
    """The set of these prompts as one line of base64; the order of the texts does not matter."""
    return _encoded({sha256(text.encode("utf-8", "surrogatepass")).digest()[:HASH_BYTES] for text in texts})


def num_shared(one: str, other: str) -> int:
    """How many prompts stand in both sets."""
    return len(_decoded(one) & _decoded(other))


def union(one: str, other: str) -> str:
    return _encoded(_decoded(one) | _decoded(other))


def _encoded(hashes: set[bytes]) -> str:
    return b64encode(b"".join(sorted(hashes))).decode()


def _decoded(encoded: str) -> set[bytes]:
    joined = b64decode(encoded)
    return {joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)}
