import json
from pathlib import Path
from typing import Any

import pytest

from deployments.verifier.checks import SPEC
from profiles.workloads import Prompt, own
from profiles.workloads.own import OwnPromptsError, load_prompts


def encoded(line: dict[str, Any] | str | bytes) -> bytes:
    if isinstance(line, dict):
        line = json.dumps(line)
    return line if isinstance(line, bytes) else line.encode()


def load(tmp_path: Path, *lines: dict[str, Any] | str | bytes) -> list[Prompt]:
    path = tmp_path / "own.jsonl"
    path.write_bytes(b"\n".join(map(encoded, lines)) + b"\n")
    return load_prompts(path, check_verify=SPEC.validate_python)


def test_line_becomes_a_prompt(tmp_path: Path) -> None:
    verify = {"type": "numeric", "value": 7}
    line = {"prompt": "3+4?", "verify": verify, "language": "en", "task": "sums", "max_tokens": 9, "id": "x"}
    (prompt,) = load(tmp_path, line)
    assert prompt == Prompt(
        id="x",
        language="en",
        task="sums",
        target_tokens=0,
        text="3+4?",
        answer="",
        verify=verify,
        max_tokens=9,
        states_language=True,
    )


def test_answer_alone_must_be_contained(tmp_path: Path) -> None:
    (prompt,) = load(tmp_path, {"prompt": "Capital of Austria?", "answer": "Vienna"})
    assert prompt == Prompt(
        id="own-1",
        language="unknown",
        task="default",
        target_tokens=0,
        text="Capital of Austria?",
        answer="Vienna",
        verify={"type": "contains", "value": "Vienna"},
        max_tokens=256,
    )


def test_documented_lines_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "configuration.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith('{"prompt"')]
    assert [(p.id, p.max_tokens) for p in load(tmp_path, *lines)] == [("own-1", 256), ("s1", 16)]


def test_verify_goes_before_answer(tmp_path: Path) -> None:
    (prompt,) = load(tmp_path, {"prompt": "q", "answer": "7", "verify": {"type": "exact", "value": "7"}})
    assert (prompt.answer, prompt.verify["type"]) == ("7", "exact")


def test_blank_lines_and_a_byte_order_mark_mean_nothing(tmp_path: Path) -> None:
    line = '{"prompt": "q", "answer": "a"}'
    assert [p.id for p in load(tmp_path, b"\xef\xbb\xbf" + line.encode(), "", line)] == ["own-1", "own-3"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param({"answer": "a"}, "key 'prompt' is missing", id="missing"),
        pytest.param(
            {"prompt": "q", "answr": "a"}, r"unknown key 'answr'; known: \['answer', 'id', 'language'", id="misspelt"
        ),
        pytest.param({"prompt": "q"}, "neither 'answer' nor 'verify' is given", id="no answer"),
        pytest.param({"prompt": 5, "answer": "a"}, "prompt is of type int; .* valid string", id="number as prompt"),
        pytest.param(
            {"prompt": "q", "answer": "a", "max_tokens": 0}, "max_tokens is 0; .* greater than or equal to 1", id="zero"
        ),
        pytest.param(
            {"prompt": "q", "answer": "a", "language": "English"},
            r"language is 'English'; .*\^\[a-z\]\{2,3\}\$",
            id="language in words",
        ),
        pytest.param(
            {"prompt": "q" * (1 << 20) + "q", "answer": "a"},
            "prompt is a text of 1048577 characters; .* at most 1048576",
            id="long prompt",
        ),
        pytest.param(
            {"prompt": "q", "verify": {"type": "contans", "value": "a"}},
            "verify: Input tag 'contans'",
            id="unknown check",
        ),
        pytest.param(
            {"prompt": "q", "verify": {"type": "numeric", "value": "x"}},
            "verify: numeric.value is 'x'; 'x' is no decimal number",
            id="word as number",
        ),
        pytest.param({"prompt": "q", "answer": "  "}, "verify: .* no visible character", id="blank answer"),
        pytest.param("[1]", r"\[1\] is no JSON object", id="list"),
        pytest.param("{x", "not JSON in UTF-8: Expecting property name", id="no JSON"),
        pytest.param('{"prompt": "q", "answer": NaN}', "not JSON in UTF-8: NaN is no JSON", id="NaN"),
        pytest.param(b'{"prompt": "\xff"}', "not JSON in UTF-8: byte 12 is not UTF-8", id="Latin-1"),
        pytest.param({"prompt": "q", "answer": "a", "id": "own-1"}, "id 'own-1' was used before", id="id again"),
    ],
)
def test_fault_is_told_with_its_line(tmp_path: Path, line: dict[str, Any] | str | bytes, message: str) -> None:
    with pytest.raises(OwnPromptsError, match=rf"own\.jsonl, line 2: {message}"):
        load(tmp_path, {"prompt": "q", "answer": "a"}, line)


def test_prompt_that_is_refused_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(OwnPromptsError) as caught:
        load(tmp_path, {"prompt": ["secret"], "answer": "a"})
    assert "secret" not in str(caught.value)


def test_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OwnPromptsError, match="holds no prompt"):
        load(tmp_path, "", "")


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OwnPromptsError, match=r"none\.jsonl cannot be read: No such file"):
        load_prompts(tmp_path / "none.jsonl", check_verify=SPEC.validate_python)


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        pytest.param("MAX_LINES", 2, "has more than the 2 lines", id="lines"),
        pytest.param("MAX_LINE_BYTES", 10, "line 1 has more than the 10 bytes allowed", id="line"),
        pytest.param("MAX_FILE_BYTES", 50, "has 93 bytes; at most 50 are allowed", id="file"),
    ],
)
def test_sizes_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str
) -> None:
    monkeypatch.setattr(own, limit, value)
    with pytest.raises(OwnPromptsError, match=message):
        load(tmp_path, *['{"prompt": "q", "answer": "a"}'] * 3)
