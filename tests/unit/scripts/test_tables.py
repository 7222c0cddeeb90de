import pytest

from scripts.tables import Column, fitting, print_table

MODEL = Column(title="model", rank=0, cells=["gemma"])
LANGUAGE = Column(title="language", rank=2, cells=["de"])
REASON = Column(title="reason", rank=1, cells=["missing"])
CHINESE = Column(title="lang", rank=1, cells=["中文的"])


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        # 5 + 8 + 7 letters, 3 cells beside each, and the last rule
        pytest.param(30, ["model", "language", "reason"], id="all-fit"),
        pytest.param(29, ["model", "reason"], id="the-highest-rank-goes-first"),
        pytest.param(10, ["model"], id="then-the-next"),
        pytest.param(1, ["model"], id="rank-0-stays"),
    ],
)
def test_columns_are_dropped_and_not_cut(width: int, titles: list[str]) -> None:
    assert [column.title for column in fitting([MODEL, LANGUAGE, REASON], width)] == titles


def test_wide_letters_take_two_cells() -> None:
    assert fitting([MODEL, CHINESE], 17) == [MODEL]
    assert fitting([MODEL, CHINESE], 18) == [MODEL, CHINESE]


def test_pipe_gets_every_column_and_no_rules(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_table([MODEL, LANGUAGE, Column(title="text", rank=3, cells=["[b]x[/b]" * 20])])
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["model", "language", "text"]
    assert row.split() == ["gemma", "de", "[b]x[/b]" * 20]


def test_terminal_is_told_what_is_left_out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_table([MODEL, LANGUAGE, REASON])
    assert capsys.readouterr().err == "not shown for the width of the terminal: language; --json has all\n"
