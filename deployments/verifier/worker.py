"""The process that CheckProcesses starts: reads a check from its input, writes the verdict to its output.

A request is a length and a MessagePack pair of specification and evidence. It is answered by an empty frame once
what the check needs is loaded, then by the verdict; so the time of a check does not count the loading.
"""

import os
import resource
import sys
from typing import Any, BinaryIO

import msgspec

from deployments.contract.verdict import Evidence
from deployments.verifier.checks import SPEC

MAX_MEMORY_BYTES = 2 << 30
_LENGTH_BYTES = 4
_REQUEST: msgspec.msgpack.Decoder[tuple[bytes, Evidence]] = msgspec.msgpack.Decoder(tuple[bytes, Evidence])


def serve(requests: BinaryIO, verdicts: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while length := requests.read(_LENGTH_BYTES):
        spec_json, evidence = _REQUEST.decode(requests.read(int.from_bytes(length, "big")))
        spec: Any = SPEC.validate_json(spec_json)
        spec.prepare()
        _write(verdicts, b"")
        _write(verdicts, msgspec.msgpack.encode(spec.check(evidence)))


def _write(stream: BinaryIO, frame: bytes) -> None:
    stream.write(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)
    stream.flush()


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    # a check that prints must not write into the verdicts
    verdicts = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin.buffer, verdicts)


if __name__ == "__main__":
    main()
