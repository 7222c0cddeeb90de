"""Whether a word that was found in a text ends where its letters end, in any script."""

import re
import unicodedata

from deployments.verifier.search.fit import Fit

NEAR_CHARS = 40
# written without spaces, so that a word touches its neighbours; Katakana writes words apart by changing the script
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u309f\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_HAN = re.compile("[\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
# vowels of Thai and Lao that are letters, but belong to the consonant behind or before them
_LEADING_VOWELS = "เแโใไເແໂໃໄ"
_TRAILING_VOWELS = "ะาำๅະາຳ"
# what Hebrew and Arabic write together with the word behind it
_CLITICS = re.compile(
    "(?<![\u05d0-\u05ea])[\u05d1\u05d4\u05d5\u05db\u05dc\u05de\u05e9]{1,3}$|(?<![\u0621-\u064a])[\u0648\u0641]?[\u0628\u0644\u0643\u0633]?(?:\u0627\u0644|\u0644)?$"
)
# Korean particles and copulas, written together with the word before them
_PARTICLES = re.compile(
    "(?:은|는|이|가|을|를|의|에|에서|에게|께|으로|로|와|과|도|만|까지|부터|처럼|보다|마다|이나|나|란|이란|라는|이라는|라고|이라고|이며|며|이고|고"
    "|입니다|이다|이에요|예요|이야|야|였다|이었다|였습니다|이었습니다|인|일|이지만|지만|에는|에도|에서는|들|들은|들이|씨|님|뿐|요|시|도|특별시|광역시)(?![\uac00-\ud7a3])"
)
_ELISIONS = re.compile(
    r"(?<![^\W\d_])(?:[cdjlmnst]|\w*qu|un|dell|all|nell|sull|dall|coll|quell|bell|sant|gl|degl|agl|v)'$"
)
_CONTRACTED = re.compile("'(?:s|ll|re|ve|d|m)?(?![^\\W\\d_])")
_NOT_CONTRACTED = re.compile("'t(?![^\\W\\d_])")
# word endings are added to a name as it stands, so that a longer word may be the same name
_INFLECTING_LANGUAGES = frozenset(
    (
        "fi et hu tr az kk uz ky mn eu ka hy ta te ml kn si ru uk be pl cs sk sl hr "
        "sr bs bg mk lt lv sq is la ro el de sv no nb nn da am sw hi ur bn gu mr pa ne ar fa id ms tl"
    ).split()
)
_LANGUAGES_WITH_APOSTROPHES = frozenset("tr az fi et kk uz pl".split())
_VARIABLE = re.compile(r"(?<![^\W\d_])[A-Za-zα-ω](?![^\W\d_])")
MIN_STEM_CHARS = 4
MAX_ENDING_CHARS = 4


def is_word_char(char: str) -> bool:
    return char.isalpha() or char == "_" or _is_mark(char)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Mc")


def left(text: str, start: int, language: str) -> Fit:
    """How a word that begins at `start` sits beside what stands before it."""
    before, first = text[max(0, start - NEAR_CHARS) : start], text[start]
    char = before[-1:]
    if not char or char == " ":
        return Fit.WHOLE
    if char == "'" and before[-2:-1].isalpha():
        return Fit.WHOLE if _ELISIONS.search(before) and len(_run(text, start)) > 1 else Fit.PART
    if char == "-":
        return Fit.UNCLEAR if before[-2:-1].isalpha() or _is_variable(text, start) else Fit.WHOLE
    if char == "_":
        return Fit.PART if before.rstrip("_")[-1:].isalnum() else Fit.WHOLE
    if char.isdigit():
        return Fit.WHOLE if _UNSPACED.match(first) or _HANGUL.match(first) else Fit.UNCLEAR
    if char in "°^+":
        return Fit.UNCLEAR
    if not is_word_char(char):
        return Fit.WHOLE
    if language == "ja" and _HAN.match(char) and _HAN.match(first):
        return Fit.UNCLEAR  # 京都 in 東京都: words of Japanese seldom begin within a run of Chinese characters
    return _beside(char, first) or (
        Fit.UNCLEAR if _CLITICS.search(before) and "\u0590" <= char <= "\u06ff" else Fit.PART
    )


def right(text: str, start: int, end: int, language: str) -> Fit:
    """How a word from `start` that ends before `end` sits beside what stands behind it."""
    after, last = text[end : end + NEAR_CHARS], text[end - 1]
    char = after[:1]
    if not char or char == " ":
        return Fit.WHOLE
    if char in "'(*/=<>" and _is_variable(text, end - 1):
        return Fit.UNCLEAR
    if char == "'":
        return _apostrophe(after, last, language)
    if char == "-":
        return Fit.UNCLEAR if after[1:2].isalpha() else Fit.WHOLE
    if char == "_":
        return Fit.PART if after.lstrip("_")[:1].isalnum() else Fit.WHOLE
    if char.isdigit() or char in "^+#":
        return Fit.UNCLEAR if not _UNSPACED.match(last) else Fit.WHOLE
    if not is_word_char(char):
        return Fit.WHOLE
    if _HANGUL.match(last) and _HANGUL.match(char):
        return Fit.WHOLE if _PARTICLES.match(after) else Fit.UNCLEAR
    return _beside(last, char) or _ending(text, start, end, language)


def _is_variable(text: str, at: int) -> bool:
    """Whether a letter stands alone, as in a formula, where a sign beside it makes another term."""
    return _VARIABLE.match(text, at) is not None


def _beside(first: str, second: str) -> Fit | None:
    """Two characters of which one is of a script without spaces; None where both are of one that has them."""
    if _KATAKANA.match(first) and _KATAKANA.match(second):
        return Fit.UNCLEAR
    if _is_mark(second) or first in _LEADING_VOWELS or second in _TRAILING_VOWELS:
        return Fit.PART
    unspaced = (_UNSPACED, _KATAKANA)
    if any(script.match(char) for script in unspaced for char in (first, second)):
        return Fit.WHOLE
    if _HANGUL.match(first) is None and _HANGUL.match(second) is not None:
        return Fit.WHOLE
    return None


def _apostrophe(after: str, last: str, language: str) -> Fit:
    if not after[1:2].isalpha():
        return Fit.WHOLE
    if _NOT_CONTRACTED.match(after) and last == "n":
        return Fit.PART
    return Fit.WHOLE if _CONTRACTED.match(after) or language in _LANGUAGES_WITH_APOSTROPHES else Fit.UNCLEAR


def _ending(text: str, start: int, end: int, language: str) -> Fit:
    """A longer word of a language that adds endings may be the same one."""
    if language not in _INFLECTING_LANGUAGES:
        return Fit.PART
    is_stem = end - start >= MIN_STEM_CHARS and len(_run(text, end)) <= MAX_ENDING_CHARS
    return Fit.UNCLEAR if is_stem else Fit.PART


def _run(text: str, start: int) -> str:
    """The letters from `start` on, as far as it matters how many they are."""
    end = start
    while end < len(text) and end - start <= MAX_ENDING_CHARS and is_word_char(text[end]):
        end += 1
    return text[start:end]
