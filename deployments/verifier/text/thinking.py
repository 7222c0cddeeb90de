"""What a model thinks before it answers, told apart from the answer."""

import re

import msgspec

# (opening, closing) marks as models write them; a template may have written the opening one, so that only the closing
# one is in the text
_NAMES = "think|thinking|thought|thoughts|reasoning|reflection|scratchpad|seed:think"
_PAIRS = (
    (rf"<(?:{_NAMES})>", rf"</(?:{_NAMES})>"),
    (r"\[THINK(?:ING)?\]", r"\[/THINK(?:ING)?\]"),
    ("◁think▷", "◁/think▷"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|channel\|>analysis<\|message\|>", r"<\|channel\|>final<\|message\|>"),
)
_OPENS, _CLOSES = ("|".join(marks) for marks in zip(*_PAIRS, strict=True))
# the look-ahead names the characters to stop at, which makes a search through a long text ten times faster
_MARK = re.compile(rf"(?=[<\[◁][|/◁a-z])(?:(?P<opens>{_OPENS})|(?P<closes>{_CLOSES}))", re.IGNORECASE)
# where a mark of thinking, or a token that ends the text, may stand or may be about to
_MAY_BE_MARK = re.compile(r"[<◁]|\[(?=/?t|/?\Z)", re.IGNORECASE)
_QUOTES = frozenset("`\"'")
_END_OF_TEXT = re.compile(r"(?:\s*(?:<\|(?:im_end|eot_id|end|return|endoftext)\|>|</s>))+\s*\Z")
_OPEN_ANSWER, _CLOSE_ANSWER = "<answer>", "</answer>"
_MAX_END_CHARS = 256


def after_thinking(text: str) -> str | None:
    """The text without what stands between marks of thinking; None where thinking was never ended.

    What stands before a closing mark that nothing opened was thought. A text that is only thought is empty.
    """
    said: list[str] = []
    start, is_thinking = 0, False
    for mark in _marks(text):
        if mark["opens"]:
            said += [] if is_thinking else [text[start : mark.start()]]
        elif not is_thinking:
            said.clear()
        is_thinking = bool(mark["opens"])
        start = mark.end()
    return None if is_thinking else _without_frame("".join([*said, text[start:]]))


def has_mark(text: str) -> bool:
    """Whether a model thinks, or may think, in its text."""
    return _MARK.search(text) is not None


def before_marks(beginning: str) -> str:
    """The part of an answer's beginning that stays part of the answer, whatever follows."""
    mark = _MAY_BE_MARK.search(beginning)
    return beginning if mark is None else beginning[: mark.start()]


def _marks(text: str) -> list[re.Match[str]]:
    """The marks that are used, not spoken of: those in quotes or back-ticks, or in a string of JSON, are not."""
    found = [mark for mark in _MARK.finditer(text) if not _is_quoted(mark, text)]
    return [] if found and _is_json(text) else found


def _is_quoted(mark: re.Match[str], text: str) -> bool:
    before = text[mark.start() - 1 : mark.start()]
    return before in _QUOTES and before == text[mark.end() : mark.end() + 1]


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _without_frame(text: str) -> str:
    """Without the tokens that end a text, and the tags of an answer that is nothing else."""
    if ">" in text[-_MAX_END_CHARS:]:
        tail = max(0, len(text) - _MAX_END_CHARS)
        text = text[:tail] + _END_OF_TEXT.sub("", text[tail:])
    inner = text.strip().removeprefix(_OPEN_ANSWER).removesuffix(_CLOSE_ANSWER)
    is_wrapped = inner != text.strip() and text.strip() == _OPEN_ANSWER + inner + _CLOSE_ANSWER
    return inner if is_wrapped and _OPEN_ANSWER not in inner and _CLOSE_ANSWER not in inner else text
