"""The options of `laar verify`."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.options import JsonPath

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="Answers, one JSON object a line.")
]


def verify(file: File, json_path: JsonPath = None) -> None:
    """Verify answers that are there already, without a server.

    A line needs "verify" (as laar.verify in a request) and "answer"; it may have "prompt", "language", "model",
    "others", "judge_reply", "finish_reason", "tool_calls" and "refusal". A verification that is refused counts as
    unknown. Lines with "allowed", the verdicts that are right, are counted by their "class".

    Exit status: 0 if every line was read, whatever the verdicts; 2 if a line or an option is wrong.
    """
    from collections import Counter

    import msgspec

    from deployments.contract.verdict import Outcome
    from scripts.verify.rows import RowError, read_rows
    from scripts.verify.run import verdicts
    from scripts.verify.table import lines, tallies

    try:
        rows = list(read_rows(file))
    except RowError as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error
    found = verdicts(rows)
    # recorded replies had no judge to be asked
    told = [{"outcome": one.outcome, "reason": one.reason, "read": one.read} for one in found]
    if json_path is not None:
        json_path.write_bytes(msgspec.json.encode({"verdicts": told}) + b"\n")
    if counted := tallies(rows, found):
        print("\n".join(lines(counted)))
    elif json_path is not None:
        said = Counter(verdict.outcome for verdict in found)
        print(", ".join(f"{said[outcome]} {outcome.value}" for outcome in Outcome))
    else:
        for verdict in told:
            print(msgspec.json.encode(verdict).decode())
