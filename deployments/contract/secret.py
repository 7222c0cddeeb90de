"""The operator's secret, and what is made with it: marks that nobody else can make or guess from what they mark."""

import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """Keyed digests. `purpose` keeps apart what is marked for different ends, be it the same text."""

    value: bytes = field(repr=False)

    def digest(self, purpose: str, text: str | bytes) -> str:
        """64 hex digits, the same for the same text and purpose as long as the secret stays."""
        data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
        return hmac.new(self.value, purpose.encode() + b"\0" + data, hashlib.sha256).hexdigest()


NO_SECRET = Secret(b"")
