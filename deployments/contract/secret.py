"""The operator's secrets, and what is made with them: marks that cannot be forged, or guessed from what they mark."""

import hashlib
import hmac
import re

MIN_SECRET_BYTES = 32
# each is tried with every API key that comes
MAX_SECRETS = 8


class Secrets:
    """One secret or several, so that they can be exchanged: the first one marks, what any of them has marked is known.

    Each purpose has a key of its own, derived by HMAC-SHA256. Whoever holds this object sees what `load` puts in.
    """

    def __init__(self, *values: bytes) -> None:
        self._values, self._keys = values, dict[str, tuple[bytes, ...]]()

    def load(self, content: bytes) -> tuple[bytes, ...]:
        """Take over the secrets of a file; ValueError leaves them as they were."""
        self._values = read_secrets(content)
        self._keys = {}
        return self._values

    def keys(self, purpose: str) -> tuple[bytes, ...]:
        """The keys of one purpose, one of each secret, in their order."""
        if purpose not in self._keys:
            self._keys[purpose] = tuple(hmac.digest(value, purpose.encode(), hashlib.sha256) for value in self._values)
        return self._keys[purpose]

    def digests(self, purpose: str, text: str | bytes) -> tuple[str, ...]:
        """64 hex digits under each secret, the same for the same text and purpose as long as the secret stays."""
        data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
        return tuple(hmac.digest(key, data, hashlib.sha256).hex() for key in self.keys(purpose))

    def digest(self, purpose: str, text: str | bytes) -> str:
        """The digest under the first secret."""
        return self.digests(purpose, text)[0]


NO_SECRET = Secrets(b"")


def read_secrets(content: bytes) -> tuple[bytes, ...]:
    """The secrets in a file or a variable, apart by commas or white space; ValueError never shows one."""
    found = tuple(one for one in re.split(rb"[\s,]+", content) if one)
    if not 0 < len(found) <= MAX_SECRETS:
        raise ValueError(f"holds {len(found)} secrets; allowed: 1 to {MAX_SECRETS}")
    if (least := min(map(len, found))) < MIN_SECRET_BYTES:
        raise ValueError(f"holds a secret of {least} bytes; each has at least {MIN_SECRET_BYTES}")
    return found
