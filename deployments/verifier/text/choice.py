"""Which option of a multiple-choice question an answer settles on.

An answer is read clause by clause. A letter is a choice where its clause concludes on it and denies it nowhere; the
last conclusion counts. Where letters stand side by side, or nothing is concluded, the answer names no option.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from deployments.verifier.text.normalise import compose
from deployments.verifier.text.wording import (
    BECAUSE,
    BECAUSE_UNSPACED,
    CONCLUDES,
    CONCLUDES_UNSPACED,
    FILLS,
    FILLS_UNSPACED,
    JOINS,
    JOINS_UNSPACED,
    REVISES,
    REVISES_UNSPACED,
    TURNS,
    TURNS_UNSPACED,
    adds,
    denies_beyond,
    denies_last,
    denies_next,
    doubts_next,
    is_unsure,
    words,
)

LETTERS = "ABCDEFGHIJ"
# an answer concludes at its start or at its end; both together are read in less than 2 ms
HEAD_CHARS = 500
TAIL_CHARS = 2_500
MAX_LETTERS = 40  # an answer that has more there lists letters rather than choose one
FEW_LETTERS = 8  # with so few an answer is read in a millisecond
MAX_SAID_CHARS = 200
OPTIONS_CHARS = 4_000  # at the end of a prompt, where its options are looked for
NEAR_CHARS = 120  # what is said of a letter stands this near to it

# A letter of these scripts, or a digit, makes one word with a Latin letter beside it.
_WORD_CHARS = "0-9A-Za-z_\u00aa-\u052f\u0531-\u058f\u10a0-\u10ff\u1e00-\u1fff\u0300-\u036f"
_LETTER = re.compile(
    rf"(?<![{_WORD_CHARS}°])(?<![{_WORD_CHARS}]['’.-])(?<![=+^<>])(?<!\d )(?:(?<=['‘’])|(?!.['’](?!\w)))([A-Ja-j])"
    rf"(?![{_WORD_CHARS}+#=^<>−′]|-\s*+(?:$|[.,;)])|['’-](?![dt][iıuü]r\b)[{_WORD_CHARS}]|\.[A-Za-z](?![A-Za-z])| = )"
)
_OF_OPTIONS = (
    "is|was|isn't|cannot|can|must|would|seems|looks|ist|kann|est|n'est|es|é|è|jest|to|je|on|er|är|là|são|wrong|correct|right|incorrect"
    "|falsch|richtig|doğru|yanlış|değil|şıkkı|şıkkıdır|seçeneği|seçeneğidir|có|đúng|sai|fits|does|doesn't|has"
)
_IGNORED = rf"(?:[\W_]|{words(FILLS, FILLS_UNSPACED)})*+"
_FLAGS = re.IGNORECASE
_CONCLUSION = words(CONCLUDES, CONCLUDES_UNSPACED)
_ANNOUNCED = re.compile(rf"(?:{_CONCLUSION}|^[^:\n]{{1,40}}:){_IGNORED}$", _FLAGS)
_WORDED = re.compile(_CONCLUSION, _FLAGS)
_CONFIRMED = re.compile(rf"{_IGNORED}{_CONCLUSION}", _FLAGS)
_JOINED = re.compile(rf"(?:[\W_]|{words(JOINS, JOINS_UNSPACED)}|{words('option|answer|choice')})*+$", _FLAGS)
_TURN = re.compile(rf"[;；]|(?<!thing )(?<!one )(?<!body )(?<!all ){words(TURNS, TURNS_UNSPACED)}", _FLAGS)
_REVISION = re.compile(rf"{words(TURNS, TURNS_UNSPACED)}|{words(REVISES, REVISES_UNSPACED)}", _FLAGS)
_REASON = re.compile(words(BECAUSE, BECAUSE_UNSPACED), _FLAGS)
_SILENT = re.compile(rf"(?:{_IGNORED}(?:{_CONCLUSION}|{words(JOINS, JOINS_UNSPACED)}))*+{_IGNORED}$", _FLAGS)
_COMMA = re.compile("[,，、،]|아니라|(?:では|じゃ)なく|değil|नहीं")
_INTRODUCED = re.compile(
    rf"(?:{_CONCLUSION}|{words('option|letter|opción|opção|opzione|вариант|seçenek')}){_IGNORED}$", _FLAGS
)
_CLOSED = re.compile(r"[^\w\s]|\s*$")
_WRAPPING = "#> \t\n()[].,:;!\"'“”‘’«»「」*"
# A, E and I are words of many languages where a word follows that says nothing of an option
_AFTER_WORD_LETTER = re.compile(
    rf"\s*+(?:$|[^\w\s]|[^{_WORD_CHARS}\s]|{words(_OF_OPTIONS)}|{words(JOINS)}|{words(TURNS)}|{words(BECAUSE)})", _FLAGS
)
_CLOSING = " \t\"'”’»)]*"
_SENTENCE_END = re.compile(r"(?<!^\w)(?<!\n\w)(?:[.!?]+(?=[\s*_\"')\]]|$)|[。！？؟।॥])|\n+", re.MULTILINE)
_MARKUP = re.compile(r"\\[a-zA-Z]+\b|</?[a-z]{1,10}>|[*_`~${}\\]")
_LABEL = re.compile(
    r"[^\w+-]*+([A-Ja-j])(?: ?([):\]]|\.(?![A-Za-z]\b))|\s+[-–—]\s|\s+(?=\())([^\n]*\w[^\n]*)", re.DOTALL
)
_INNER_LABEL = re.compile(r"(?<![\w.])([A-J])[).:]\s")
_SAYS_OF_LABEL = re.compile(
    rf"\s*{words('is|are|was|cannot|can|ist|kann|est|ne|es|no|é|não|è|non|это|не|jest|nie|değil')}", _FLAGS
)
_ABBREVIATED = re.compile(
    r"coli|elegans|subtilis|sapiens|melanogaster|thaliana|difficile|albicans|botulinum|cereus|anthracis|pylori|influenzae"
    r"|diphtheriae|pertussis|fragilis|faecalis|gondii|g\b|e\b|[A-Za-z]\."
)
# `A'`, `A−` and `A'B` are no option A: the complement of a set, a charge or a mark
_QUOTED = re.compile(r"(?<![^\s(\[:,\"“-])['‘]([^'’‘\n]{1,40})['’](?!\w)")
_MARKED = re.compile(
    rf"(?<![{_WORD_CHARS}°])(?<![{_WORD_CHARS}]['’.-])(?!E['’] ?(?:la|il|l['’]|una?|corrett|giust|quindi|ver[ao]))"
    r"(?![FGH]['’′]\([a-z]\))(?:[A-J]\)?|(?<=[(\[])[a-j][)\]])"
    r"(?:['’′´ʼ](?:(?!\w)|[A-J](?!\w))|[″‴]|[−⁻](?!\w)|\^(?:[cC]\b|(?!\w))|-[^\S\n]*+(?:$|[\n.,;:)/!?+])"
    rf"|-\s+(?:{words(_OF_OPTIONS)}|{words(JOINS, JOINS_UNSPACED)}))"
)
# `(A) (wrong)`, `B (this is not right)`
_REMARK = re.compile(
    r"\s*[(\[]\s*(?:(?:this|that|it|which|das|dies|es|ceci|cela|ce|c|esto|eso|isso|isto|questo|dit|dat|to|это|bu|bunun)\b"
    r"(?: (?:one|option|answer|choice|letter)\b)?(?:['’]s\b|['’])?)?",
    _FLAGS,
)
_UPHELD = re.compile(
    r"\s*\((?:no other (?:option|answer|choice) (?:fits|works|is (?:possible|right|correct|true))"
    r"|not possible otherwise|(?:not|never) (?:wrong|incorrect|false))\)[\s.!]*$",
    _FLAGS,
)
# `1. A 2. B`: a list of letters, by number
_NUMBER = r"(?<![\w.,])(?:(?:[Qq] ?)?\d{1,3}|[ivxIVX]{1,4}|(?-i:[a-h])(?=\)))\s?[.):=-]"
_NUMBERED = re.compile(
    rf"{_NUMBER}\s{{0,3}}[(\[]?([A-Ja-j])(?=\s*(?:$|[^\w\s'’-]|\d|{_NUMBER}|\w{{1,20}}\.?\s\d)|\s+{words(BECAUSE)}|\s*\n)",
    _FLAGS,
)
_LINE_END = re.compile(r"\n|[.!?](?=\s)")
_OPTION = re.compile(r"(?<![^\W_])\(?([A-J])[).:]\s*+([^\n]{1,200}?)\s*(?=$|\n|[(\s][A-J][).:]\s)", re.MULTILINE)
_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\}){1,200})\}")


@dataclass(frozen=True, slots=True)
class _Group:
    """Letters side by side in a clause (`A, B or C`), and the text around them up to the next ones."""

    letters: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """What an answer says up to a place: letters it labels, and the conclusion, which may be of several letters."""

    labels: frozenset[str] = frozenset()
    concluded: frozenset[str] = frozenset()
    said: str = ""  # from the sentence that concluded on


def find_choice(answer: str, options: Mapping[str, str] | None = None) -> str | None:
    """The letter A to J that an answer concludes on, or None where it names none, several, or denies what it names.

    The texts of the options, by letter, tell a label with its text (`C. third`) from an abbreviation (`E. coli`).
    """
    text = compose(_bounded(answer)).strip()
    boxed = set(_BOXED.findall(text))
    text = _MARKUP.sub("", boxed.pop() if len(boxed) == 1 else text)
    if len(_LETTER.findall(text)) > MAX_LETTERS:
        return None
    if _MARKED.search(_QUOTED.sub(r"\1", text)):
        return None
    reading = _read(text, options or {})
    numbered = list(_NUMBERED.finditer(text))
    if len({each[1].upper() for each in numbered}) > 1:
        # a list of letters is no choice, unless what stands around it concludes in words
        line_end = _LINE_END.search(text, numbered[-1].end() + text.startswith(".", numbered[-1].end()))
        around = f"{text[: numbered[0].start()]}\n{text[line_end.end() :] if line_end else ''}"
        beside = _read(around, options or {})
        if not _WORDED.search(around) or beside.concluded != reading.concluded:
            return None
        reading = replace(reading, labels=frozenset())
    letters = reading.concluded or reading.labels
    letter = next(iter(letters)) if len(letters) == 1 else None
    if letter is None or not options:
        return letter
    return letter if letter in options and not _names_another(text, letter, options) else None


def _read(text: str, options: Mapping[str, str]) -> _Reading:
    reading = _Reading()
    for sentence in _sentences(text):
        reading = _read_sentence(reading, sentence, options)
    return reading


def _names_another(text: str, letter: str, options: Mapping[str, str]) -> bool:
    """Whether the letter is set before the text of another option: `B) third`, where the third is C."""
    for label in re.finditer(rf"(?<![{_WORD_CHARS}]){letter}(?:[).:\]]|\s[-–—(]| \()\s*([^\n]{{1,200}})", text):
        said = label[1].casefold()
        named = [each for each, option in options.items() if re.match(rf"{re.escape(option.casefold())}(?!\w)", said)]
        if named and letter not in named:
            return True
    return False


def has_few_letters(*answers: str) -> bool:
    return sum(len(_LETTER.findall(_bounded(answer))) for answer in answers) <= FEW_LETTERS


def find_options(prompt: str) -> dict[str, str]:
    """The options that a prompt lists by letter, with their texts; none unless they begin A, B."""
    found = dict(_OPTION.findall(prompt[-OPTIONS_CHARS:]))
    return found if {"A", "B"} <= found.keys() else {}


def _bounded(answer: str) -> str:
    return answer if len(answer) <= HEAD_CHARS + TAIL_CHARS else f"{answer[:HEAD_CHARS]}\n{answer[-TAIL_CHARS:]}"


def _sentences(text: str) -> Iterator[str]:
    """Sentences with their closing signs; the full stop of a label (`B. Paris`) closes none."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        yield text[start : end.end()]
        start = end.end()
    yield text[start:]


def _read_sentence(reading: _Reading, sentence: str, options: Mapping[str, str]) -> _Reading:
    if reading.concluded and is_unsure(sentence):
        return _Reading()
    if not _LETTER.search(sentence):
        return replace(reading, said=(reading.said + sentence)[-MAX_SAID_CHARS:]) if reading.concluded else reading
    if label := _LABEL.match(sentence):
        letter, mark, text = label[1].upper(), label[2], label[3]
        is_said_of = mark == ":" or _SAYS_OF_LABEL.match(text) is not None
        if mark == "." and not _is_label(letter, text.strip(), options):
            sentence = text
        elif not ((is_said_of and denies_last(text)) or _is_denied_in_brackets(text) or _is_remark(label, options)):
            reading = replace(reading, labels=reading.labels | {letter, *_INNER_LABEL.findall(text)})
            sentence = sentence if is_said_of else text
    is_question = sentence.rstrip(_CLOSING).endswith(("?", "؟", "？"))
    before = reading
    reading = replace(reading, said=(reading.said + sentence)[-MAX_SAID_CHARS:])
    for clause in _TURN.split(sentence):
        reading = _read_clause(reading, clause, is_question=is_question)
    return reading if reading.concluded == before.concluded else replace(reading, said=sentence[-MAX_SAID_CHARS:])


def _is_remark(label: re.Match[str], options: Mapping[str, str]) -> bool:
    """Whether a dash behind a letter is followed by a denial of it, as in `B – wrong`, and by no option's text."""
    text = label[3].strip()
    is_option = bool(options) and _is_label(label[1].upper(), text, options)
    return (
        label[2] is None
        and not text.startswith("(")
        and not is_option
        and not _LETTER.search(text)
        and denies_last(text)
    )


def _is_denied_in_brackets(text: str) -> bool:
    """Whether brackets behind a label deny it: `(wrong)`, `(this is not right)`."""
    remark = None if _UPHELD.match(text) else _REMARK.match(text)
    return remark is not None and (denies_last(text.lstrip()) or denies_last(text[remark.end() :]))


def _is_label(letter: str, text: str, options: Mapping[str, str]) -> bool:
    """Whether a letter with a full stop labels the text behind it, and is no abbreviation as in `E. coli`."""
    if options:
        said, option = text.casefold(), options.get(letter, "").casefold()
        return bool(option) and (said.startswith(option) or option.startswith(said.rstrip(".!")))
    return _ABBREVIATED.match(text) is None


def _read_clause(reading: _Reading, clause: str, *, is_question: bool) -> _Reading:
    found = _REASON.search(clause)
    if found and any(map(str.isalnum, clause[: found.start()])):
        clause = clause[: found.start()]  # a reason speaks of other options too
    groups = list(_groups(clause))
    denied = [
        denies_next(_last_part(group.before))
        or (denies_last(group.after) and not (group is not groups[-1] and denies_beyond(group.after)))
        for group in groups
    ]
    is_alone = _says_nothing_else(clause, groups, denied)
    concluded: list[str] = []
    for group, is_denied in zip(groups, denied, strict=True):
        letters = frozenset(group.letters)
        if is_denied:
            reading = replace(reading, concluded=frozenset() if reading.concluded & letters else reading.concluded)
        elif is_question or doubts_next(group.before):
            # a doubt about another letter takes the conclusion back
            reading = replace(reading, concluded=reading.concluded | letters if reading.concluded else frozenset())
        elif is_alone or _is_concluded(group):
            concluded += group.letters
        elif reading.concluded and _REVISION.search(group.before):
            reading = replace(reading, concluded=reading.concluded | letters)
    if is_question or not concluded:
        return reading
    is_beside = adds(clause) or not _REVISION.search(reading.said)
    before = reading.concluded if is_beside else frozenset()
    return replace(reading, concluded=before | frozenset(concluded))


def _groups(clause: str) -> Iterator[_Group]:
    """The letters of a clause that name options, those joined by nothing but `and`, `or` or a comma together."""
    found = [mention for mention in _LETTER.finditer(clause) if _is_mention(clause, mention)]
    start, first = 0, 0
    for index, mention in enumerate(found):
        end = found[index + 1].start(1) if index + 1 < len(found) else len(clause)
        after = clause[mention.end(1) : end]
        if index + 1 < len(found) and _JOINED.match(after):
            continue
        letters = tuple(each[1].upper() for each in found[first : index + 1])
        yield _Group(letters, clause[start : found[first].start(1)][-NEAR_CHARS:], after[:NEAR_CHARS])
        start, first = mention.end(1), index + 1


def _is_mention(clause: str, found: re.Match[str]) -> bool:
    """A small letter must be set apart or announced; a capital must not be a word of some language."""
    before, after = (
        clause[max(0, found.start() - NEAR_CHARS) : found.start()],
        clause[found.end() : found.end() + NEAR_CHARS],
    )
    if found[1].islower():
        is_bracketed = before.endswith(("(", "[")) and after.startswith((")", "]")) and found[1] != "i"
        is_all = not before.strip(_WRAPPING) and not after.strip(_WRAPPING)
        return is_bracketed or is_all or (_INTRODUCED.search(before) is not None and _CLOSED.match(after) is not None)
    if found[1] == "I":
        return _CLOSED.match(after) is not None
    return found[1] not in "AE" or _AFTER_WORD_LETTER.match(after) is not None


def _last_part(before: str) -> str:
    """What stands after the last comma."""
    return _COMMA.split(before)[-1]


def _is_concluded(group: _Group) -> bool:
    if _ANNOUNCED.search(group.before):
        return True
    return (
        _CONFIRMED.match(_COMMA.split(group.after)[0]) is not None
        and _SILENT.match(_last_part(group.before)) is not None
    )


def _says_nothing_else(clause: str, groups: list[_Group], denied: list[bool]) -> bool:
    """Whether a clause is one letter, or joined ones, with no other words than those that deny other letters."""
    kept = [group for group, is_denied in zip(groups, denied, strict=True) if not is_denied]
    if len(kept) != 1:
        return False
    before = kept[0].before if kept[0] is groups[0] else _last_part(kept[0].before)
    after = kept[0].after if kept[0] is groups[-1] else ""
    return _SILENT.match(before) is not None and _SILENT.match(after) is not None
