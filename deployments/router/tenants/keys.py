"""Who may ask: API keys, of which laar keeps only the hashes."""

import hashlib
from collections.abc import Mapping

from deployments.contract.errors import AuthenticationError


class ApiKeys:
    """The accepted keys, as SHA-256 of each; with none, everybody may ask."""

    def __init__(self, hashes: frozenset[str]) -> None:
        self._hashes = hashes

    def hash_in(self, headers: Mapping[str, str]) -> str:
        """The hash of a request's key, empty where none is asked for; AuthenticationError if it is not accepted."""
        if not self._hashes:
            return ""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        key_hash = hashlib.sha256(key.strip().encode()).hexdigest()
        if scheme.lower() != "bearer" or key_hash not in self._hashes:
            raise AuthenticationError("Authorization: a valid API key is needed, as 'Bearer <key>'")
        return key_hash
