import io

from rich.console import Console

from profiles.workloads import Prompt
from scripts.profile.display import Display, live_table, share
from scripts.profile.measuring.journal import Entry, Result
from scripts.profile.measuring.plan import Case, PromptKind
from tests.unit.scripts.profile.test_journal import RECORD

CASE = Case(
    model="small",
    prompt=Prompt(
        id="p1", language="en", task="lookup", target_tokens=100, text="?", answer="1", verify={"type": "none"}
    ),
    thinking_tokens=None,
    concurrency=1,
)
ANSWERED = Entry(model="small", prompt_id="p1", thinking_tokens=None, result=Result.ANSWERED, record=RECORD)
FAILED = Entry(model="small", prompt_id="p1", thinking_tokens=None, result=Result.FAILED, reason="503")


def displayed(*, is_terminal: bool, outcomes: list[Entry]) -> str:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=100, _environ={})
    with Display(console) as display:
        display.expect("small", 5)
        display.expect("small", 5)
        for outcome in outcomes:
            display.done(CASE, outcome)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_share_is_shown_with_its_interval() -> None:
    assert share(5, 10) == "5/10  0.24-0.76"


def test_terminal_shows_table_and_bar() -> None:
    text = displayed(is_terminal=True, outcomes=[ANSWERED, ANSWERED, FAILED])
    assert "2/2  0.34-1.00" in text
    assert "3/10" in text


def test_log_has_a_line_for_every_tenth_part() -> None:
    lines = displayed(is_terminal=False, outcomes=[ANSWERED] * 10).splitlines()
    assert lines == [f"small: {done} of 10" for done in range(1, 11)]


def test_model_that_was_not_asked_has_a_dash() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(live_table({PromptKind("lookup", "en", 100): {"a": [1, 2]}}, ["a", "b"]))
    assert isinstance(console.file, io.StringIO)
    assert [part.strip() for part in console.file.getvalue().splitlines()[4].strip("│").split("│")] == [
        "lookup",
        "en",
        "100",
        "1/2  0.09-0.91",
        "-",
    ]
