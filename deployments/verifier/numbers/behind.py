"""What stands behind a number: percent, scale and unit, and what makes it part of something larger."""

import re
from fractions import Fraction
from typing import Final

from deployments.verifier.numbers.before import CLAUSE_ENDS, CONTEXT_CHARS, WORD, is_month
from deployments.verifier.numbers.lexicon import tables
from deployments.verifier.numbers.lexicon.tables import LETTER
from deployments.verifier.numbers.literals import scaled
from deployments.verifier.numbers.markup import BOX_CLOSES
from deployments.verifier.numbers.reading import Reading
from deployments.verifier.text.wording import denies_beside, denies_last

_PERCENT: Final = re.compile(r"[ \u00a0]?([%‰‱])")
_PER: Final = {"‰": 1000, "‱": 10000}
_MONEY: Final = re.compile(rf"[ \u00a0]?[{re.escape(tables.CURRENCY_SIGNS)}¢]")
_PRICE_DASH: Final = re.compile(r"[.,][-–—−](?!\d)")
_DEGREES: Final = re.compile(r"[ \u00a0]?([°º℃℉])[ \u00a0]?([CFK](?!\w))?")
_SINGLE_LETTER_UNITS: Final = frozenset("mglLshtVWJNCFµΩ")
_GLUED: Final = re.compile(rf"[A-Za-zµμΩÀ-ɏ]+|[Ͱ-ԯ]+|(?![A-Za-zµμΩÀ-ɏͰ-ԯ]){LETTER}+")
_UNIT_TAIL: Final = re.compile(
    rf"(?:\^?\{{?-?\d\}}?(?!\d)|[²³⁻¹]{{1,3}})?(?:[/·*]{LETTER}+(?:\^?-?\d(?!\d)|[²³⁻¹]{{1,3}})?)*"
)
_NEXT: Final = re.compile(
    rf"[ \u00a0]?({LETTER}+(?:[.'/-]{LETTER}+)*\.?)(?:[ \u00a0]({LETTER}+(?:[.'-]{LETTER}+)*\.?))?"
)
_SUFFIX: Final = re.compile(rf"'({LETTER}+)")
# what they join to a number makes an ordinal or a multiple of it, among others
_HYPHENATING_LANGUAGES: Final = frozenset({"hu", "ro"})
_ABLATIVES: Final = frozenset("den dan ten tan dən".split())  # 5'den az: less than 5
_PRIMES: Final = re.compile("'{1,2}|\"")
_REMARK: Final = re.compile(
    r"[^\S\n]?(?:\(([^()\n]{1,40})\)|\[([^\[\]\n]{1,40})\]|\s?[,—–-]\s?([^,\n]{1,40})(?=,|\n|$))"
)
_APPROXIMATELY: Final = re.compile(rf" ({LETTER}+\.?)\W*$")
_SCALE_SUFFIXED: Final = {  # with the copula or a case: `5 bindir`, `5 mindən`
    "tr": re.compile("(?:yüz|bin)(?:[dt][iıuü]r|[dt][ea]n?|[ei]|lik|lerce|inci)$"),
    "uz": re.compile("ming(?:ta|lik|dan|ga|inchi)$"),
    "az": re.compile("(?:yüz|min)(?:[dt][iıuü]r|[dt][əae]n?|[əei]|lik|lərlə|inci)$"),
}
_COMPOUND: Final = re.compile(rf"[-–]({LETTER}+)")
_CALCULATED: Final = re.compile(
    r"\s?[+×÷·^±](?=\s?[\w(√$-])|\s?\*(?=\s?[\w(√])|\s?−(?=\s?[\d(√\w])|\s[-–]\s(?=[\d(√])|[-–](?=[\d(√])"
    rf"|\s?/(?=\s?[\d(√])|\s?√|\(\d| mod \d|\+(?!\w)|[-−]$|!(?=\s*(?:$|[-+*/=){BOX_CLOSES}]))|[₀-₉]"
)
_RANGED: Final = re.compile(r"\s?(?:\.\.+|…|~|〜)\s?\d|\s?[-–—~]\s?[$€£]?\d|:\d|\s:\s\d")
_ELLIPSIS: Final = re.compile(r"\.\.+|…")
_AND_A_HALF: Final = re.compile(
    r"\s?(?:and a (?:half|quarter|third)|et demie?|y medi[oa]|e mezz[oa]|e mei[oa]|und eine? halbe?|с половиной|ครึ่ง)\b"
    r"|\s?[半반]"
)
_ORDINAL_OR_PLACE: Final = re.compile(
    r"번째|호실|번 ?문제|番目|番|章|節|节|页|頁|课|題|题|번(?!입니다|$|\s?$)|째|등|위|号|號|回目|ページ|조\b|항|장"
    r"|स्थान|वां|वाँ|वीं|वें|ম|তম|য়|月|월|日(?!間|间)|일(?!입)|点\d|時\d|시 ?\d"
)
# words that begin as scale words do and are in no table: other forms of them
_SCALE_LIKE: Final = re.compile(
    "milj|mill?i?[oóõã]n|mill?ia(?!m)|mill?jon|milij|miliy|milyo|milyar|milió|milhõ|bill?i[oóã]n|bill?i[aá]rd|bilj|trill?i|trilj|"
    "tausend|duizend|duisend|thousand|tusen|tusind|tisíc|tisuć|tysi|tūkst|tuhan|tuhat|millier|centain|dozen|douzain|docen|dutzend|"
    "миллион|миллиард|мильйон|мільйон|мільён|мянга|ሚሊዮን|ቢሊዮን|мільярд|милион|милиард|милијард|триллион|трильйон|тысяч|тисяч|хиляд|"
    "εκατομμ|δισεκ|τρισεκ|χιλιάδ|ملي|مليا|ملاي|آلاف|میلی[وا]|هزار|מיליו|מיליא|אלפי|लाख|करोड़|हज़ार|हजार|লাখ|লক্ষ|কোটি|হাজার|"
    "hundr|hundert|honderd|centinai|centena(?:s|r|res|rs|rio)?(?![^\\W\\d_])|miglia[io]|dozzin|decena|dezen|dizain|vingtain|"
    "stovk|stovek|stoviek|setk|setek|stotin(?!k|ov)|stotka|desítk|desítek|desiatk|desiatok|desiatky|dziesiąt|desetak|tuct|tucat|tuzin|"
    "tisoč|hiljad|dúzi|düzin|duzin|dussin|dusin|tosin|dosyn|dosena|šimt|dešimt|"
    "сотн|сотен|сотень|соцен|стотин(?!к)|стотиц|стотк|десятк|десяток|дзясятк|десетк|десетак|дюжин|дюжын|дузин|туцет|тузін|хиљад|илјад|"
    "εκατοντάδ|εκατό(?!ν?ταβ)|δεκάδ|δωδεκάδ|ντουζίν|χίλι|مئات|مائ(?:ة|ات)|مئة|مئتا|"
    "सैकड़|सैंकड़|सयौं|दर्जन|डझन|शतक|শতক|ডজন|ડઝન|ਦਰਜਨ|டஜன்|நூற|நூறு|డజన్|వంద|నూర|నూట|ಡಜನ್|ನೂರ|ഡസൻ|നൂറ|දුසිම|සියය|සිය|"
    "հարյուր|տասնյակ|հազար|ასეულ|ათეულ|ათას|"
    "miliwn|mhíle|mhilli|миң|müň|elef(?!a)|දහස|hezar|زره|லட்ச|கோடி|ஆயிர|లక్ష|కోట|వేల|ಲಕ್ಷ|ಕೋಟಿ|ಸಾವಿರ|ലക്ഷ|കോടി|ആയിര|લાખ|કરોડ|હજાર|ਲੱਖ|ਕਰੋੜ|ਹਜ਼ਾਰ"
)
_UNSPACED: Final = re.compile(r"[ \u00a0]?(?=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u9fff\uac00-\ud7af])")
_SPACES: Final = re.compile(r"[^\S\n]{1,3}(?=\S)")
_ONE_SPACE: Final = frozenset({" ", "\u00a0"})
# scale signs of scripts that join them to the noun: `5 千人`, `5 천 명`, `5  พันบาท`; not 5 千克, 5 백신
_SCALE_SIGN: Final = re.compile(
    r"[百千](?!分|克|米|卡|瓦|赫|焦|帕|伏|字|科|合)|[拾佰仟廿卅万萬亿億兆]|十(?!字|[一二]?月)"
    r"|(?:십(?!자)|백(?!분|신|조|과|인종)|천(?!사|체|장|재|막)|만(?!족|점|화|두)|억(?!제)|수[십백천만억]|다스|조(?![각건합사항치직상언명선]))"
    r"|สิบ|ร้อย(?!ละ)|พัน(?!ธ)|หมื่น|แสน|ล้าน|โหล|ສິບ|ຮ້ອຍ(?!ລະ)|ພັນ(?!ທ)|ໝື່ນ|ແສນ|ລ້ານ|ដប់|រយ(?!ៈ)|ពាន់|ម៉ឺន|សែន|លាន|"
    r"ဆယ်|ရာ(?!ခိုင်|သီ|ထူး)|ထောင်|သောင်း|သိန်း|သန်း|ကုဋေ|ဒါဇင်|ダース|打(?!席|数|点|者)"
)
_MORE_SIGNS: Final = re.compile(r" ?[\d一二三四五六七八九十百千万萬亿億십백천만억조]")
_PART_OF: Final = re.compile(r"\s?(?:分の|분의|分之)|\.\(\d|\.[ºª°]|[个個名人只点]?[多余半]")
# 5点30分, and a third in Turkish: 3'te 1
_JOINED: Final = re.compile(r"[点時시] ?\d|'[dt][ea] \d(?!\d)")
_DOUBTFUL_LETTERS: Final = frozenset("MBKTG")
_AMOUNT_LETTERS: Final = frozenset("m b t k mm".split())
_ENDINGS: Final = frozenset("st nd rd th ary ish something odd plus fold fach mal krat krát kertainen".split())
_SUFFIX_LANGUAGES: Final = frozenset("tr az uz fi et kk".split())
_INDIC: Final = re.compile("[\u0900-\u0df4]")
_INDIC_CLASSIFIERS: Final = frozenset({"টি", "টা", "জন", "খানা", "है", "जना"})
_DOTTED: Final = re.compile(rf"\. ({LETTER}+)")
_ORDINAL_SIGN_LANGUAGES: Final = frozenset("es pt it ca gl".split())
_COUNTER: Final = re.compile(f"^[{tables.CJK_COUNTERS}개명]")
_DOUBTS: Final = (tables.NEGATIONS_BEFORE | tables.HEDGES_BEFORE | tables.BOUNDS_BEFORE | tables.ESTIMATES) - {
    "min",
    "min.",
}
_QUESTION: Final = re.compile(r"[\s\"')\]*]*\?")


def look_behind(reading: Reading, plain: str, language: str) -> None:
    """Take percent, scale and unit into the number; spoil it where it is part of something larger."""
    after = plain[reading.end : reading.end + CONTEXT_CHARS]
    if any(pattern.match(after) for pattern in (_AND_A_HALF, _RANGED, _CALCULATED, _PART_OF)):
        reading.spoil()
    if _JOINED.match(after):
        reading.joins_next = True
        reading.spoil()
    if _ELLIPSIS.match(after):
        reading.is_exact = False  # 3.14...
        if not reading.values or reading.values[0].denominator == 1:
            reading.spoil()
    if _is_spaced_scale(after, language):
        reading.spoil()
    price = _PRICE_DASH.match(after)
    position = _unit(reading, plain, after, price.end() if price else 0, language)
    rest = after[position:]
    if _RANGED.match(rest) or (position and (_CALCULATED.match(rest) or _AND_A_HALF.match(rest))):
        reading.spoil()
    reading.end += position
    _dotted(reading, rest, language)
    _phrase(reading, rest, language)


def _is_spaced_scale(after: str, language: str) -> bool:
    """Whether a scale word stands behind a space, or several, that is not read as what it multiplies by."""
    spaces = _SPACES.match(after)
    if spaces is None:
        return False
    behind, is_one = after[spaces.end() :], spaces[0] in _ONE_SPACE
    if sign := _SCALE_SIGN.match(behind):
        sizes = (size for size in range(12, 0, -1) if behind[:size] in tables.SCALES)
        size = next(sizes, 0) if is_one else 0
        return size < len(sign[0]) or _MORE_SIGNS.match(behind, size) is not None
    found = _NEXT.match(behind)
    if found is None:
        return False
    word = found[1].casefold()
    forms = {word, word.rstrip(".")}
    if forms & tables.UNREAD_SCALES_IN.get(language, frozenset()):
        return True
    return not is_one and (
        found[1] in _DOUBTFUL_LETTERS
        or word in _AMOUNT_LETTERS - {"m", "t", "mm"}
        or not forms.isdisjoint({*tables.SCALES_IN.get(language, {}), *tables.DISPUTED_SCALES})
        or not forms.isdisjoint(tables.SCALES)
        or _SCALE_LIKE.match(word) is not None
        or _is_suffixed_scale(word.rstrip("."), language)
    )


def _unit(reading: Reading, plain: str, after: str, position: int, language: str) -> int:
    """Take what belongs to the number; return where it ends."""
    if found := _PERCENT.match(after, position):
        _percent(reading, found[1])
    elif found := _DEGREES.match(after, position):
        if found[1] == "º" and not found[2] and language in _ORDINAL_SIGN_LANGUAGES:
            reading.spoil()
        reading.unit = "°" + (found[2] or {"℃": "C", "℉": "F"}.get(found[1], ""))
    elif found := _UNSPACED.match(after, position):
        return _in_unspaced_script(reading, after, _match_word(after, found.end()))
    elif glued := _GLUED.match(after, position):
        return _glued(reading, after, glued, language)
    elif found := _MONEY.match(after, position):
        reading.unit = tables.UNITS.get(found[0].strip(" \u00a0"), found[0].strip(" \u00a0"))
    elif found := _SUFFIX.match(after, position):
        reading.is_sure = language in _SUFFIX_LANGUAGES
        if found[1].casefold() in _ABLATIVES:
            reading.spoil()
    elif (found := _PRIMES.match(after, position)) and not _is_quoted(reading, plain, found[0][0]):
        reading.unit = {"'": "′", "''": "″", '"': "″"}[found[0]]
    elif found := _COMPOUND.match(after, position):
        _compound(reading, found[1].casefold(), language)
    elif words := _NEXT.match(after, position):
        return _words(reading, after, words, position, language)
    return found.end() if found else position


def _is_quoted(reading: Reading, plain: str, mark: str) -> bool:
    """Whether the mark behind a number closes a quotation, and is no sign for feet, inches, minutes or seconds."""
    return plain.count(mark, 0, reading.start) % 2 == 1


def _percent(reading: Reading, sign: str) -> None:
    if sign == "%":
        reading.as_percent()
        return
    whole = reading.values
    reading.multiply(Fraction(1, _PER[sign]))
    reading.unit, reading.perhaps = sign, (*reading.perhaps, *whole)


def _compound(reading: Reading, word: str, language: str) -> None:
    """A 5-year-old is 5; 5-million and 5-й are not, nor 5-szor and 5-lea."""
    if word in tables.SCALES or word in tables.DISPUTED_SCALES or word in _ENDINGS or not word.isascii():
        reading.spoil()
    if word in _ABLATIVES or language in _HYPHENATING_LANGUAGES:
        reading.spoil()  # 5-dən az
    reading.unit = tables.UNITS.get(word, "")


def _glued(reading: Reading, after: str, found: re.Match[str], language: str) -> int:
    """Letters right behind the digits: 5k, 12V, 3rd, 12万人."""
    letters, word = found[0], found[0].casefold()
    if letters[0] >= "\u0530":
        return _in_unspaced_script(reading, after, found)
    end = _unit_end(after, found.end())
    if after[end : end + 1].isdigit():
        reading.spoil()  # 2h15
    exponent = tables.GLUED_SCALES.get(letters)
    if exponent is None and word in tables.SCALES and word not in tables.UNITS:
        exponent = tables.SCALES[word]
    if exponent is not None:
        _scale(reading, exponent)
        reading.is_sure = letters not in tables.DOUBTFUL_GLUED
        return _unit_of_scaled(reading, after, found.end())
    if word in tables.PERCENT_AFTER:
        reading.as_percent()
    elif letters in ("m", "b", "B", "T", "t") and reading.unit:
        reading.spoil()  # $5m
    elif (
        word in tables.UNITS
        and (len(letters) > 1 or not letters.isascii() or letters in _SINGLE_LETTER_UNITS)
        and letters != "mm"
    ):
        reading.unit = tables.CASED_UNITS.get(letters, tables.UNITS[word]) + after[found.end() : end]
    elif word in tables.CURRENCY_CODES:
        reading.unit = tables.UNITS.get(word, word.upper())
    else:
        reading.spoil()
    return end


def _unit_end(after: str, position: int) -> int:
    tail = _UNIT_TAIL.match(after, position)
    return tail.end() if tail else position


def _scale(reading: Reading, exponent: int) -> None:
    reading.change(lambda value: scaled(value, exponent))


def _match_word(after: str, position: int) -> re.Match[str]:
    found = _GLUED.match(after, position)
    assert found is not None
    return found


def _in_unspaced_script(reading: Reading, after: str, found: re.Match[str]) -> int:
    run, start = found[0], found.start()
    if after.startswith(tables.BOUNDS_AFTER, start) or _ORDINAL_OR_PLACE.match(after, start):
        reading.spoil()
    for size in range(min(len(run), 12), 0, -1):
        word = run[:size]
        if word in tables.PERCENT_AFTER:
            reading.as_percent()
        elif word in tables.SCALES:
            _scale(reading, tables.SCALES[word])
            reading.is_sure = False
            return _unit_of_scaled(reading, after, start + size)
        elif word in tables.UNITS:
            reading.unit = tables.UNITS[word]
        else:
            continue
        return start + size
    if _INDIC.match(run) and run not in _INDIC_CLASSIFIERS:
        reading.is_sure = False
    return start


def _words(reading: Reading, after: str, found: re.Match[str], position: int, language: str) -> int:
    """The one or two words behind the number."""
    first = found[1].casefold()
    if found[1] in _DOUBTFUL_LETTERS or (reading.unit and first in _AMOUNT_LETTERS):
        reading.spoil()  # $5 M
        return found.end(1)
    both = f"{first} {found[2].casefold()}" if found[2] else first
    for phrase, end in ((both, found.end()), (first, found.end(1)), (first.rstrip("."), found.end(1))):
        if phrase in tables.PERCENT_AFTER:
            reading.as_percent()
        elif phrase in tables.PER_MILLE_AFTER:
            _percent(reading, "‰")
        elif phrase in tables.SCALES_IN.get(language, {}):
            _scale(reading, tables.SCALES_IN[language][phrase])
            reading.is_sure = False
        elif phrase in tables.DISPUTED_SCALES or phrase in tables.SCALES:
            disputed = tables.DISPUTED_SCALES.get(phrase)
            exponent = tables.SCALES.get(phrase) if disputed is None else disputed.get(language)
            if exponent is None:
                reading.spoil()
                return position
            _scale(reading, exponent)
            return _unit_of_scaled(reading, after, end)
        elif phrase == "in" and after[end : end + 2].strip().isdigit():
            return position  # one in five, and no inch
        elif phrase in tables.UNITS:
            reading.unit = tables.CASED_UNITS.get(found[1], tables.UNITS[phrase]) + after[end : _unit_end(after, end)]
            return _unit_end(after, end)
        elif _is_date(phrase, found, language) or phrase in tables.CLOCK_AFTER:
            reading.joins_next = True
            reading.spoil()
        elif phrase == first and (_SCALE_LIKE.match(first) or _is_suffixed_scale(first.rstrip("."), language)):
            reading.spoil()
        else:
            continue
        return end
    return position


def _is_suffixed_scale(word: str, language: str) -> bool:
    patterns = _SCALE_SUFFIXED.values() if language == "unknown" else [_SCALE_SUFFIXED.get(language)]
    return any(pattern is not None and pattern.match(word) for pattern in patterns)


def _is_date(phrase: str, found: re.Match[str], language: str) -> bool:
    """5 May, 5 de mayo."""
    if is_month(phrase, found[1], language):
        return True
    return phrase in ("de", "of") and bool(found[2]) and is_month(found[2].casefold(), found[2], language)


def _unit_of_scaled(reading: Reading, after: str, end: int) -> int:
    """The unit behind a scale word; a second scale word makes the number unclear."""
    if found := _NEXT.match(after, end):
        word = found[1].casefold()
        if word in tables.SCALES or word in tables.DISPUTED_SCALES:
            reading.spoil()
        if word in tables.UNITS:
            reading.unit = tables.UNITS[word]
            return found.end(1)
    elif found := _MONEY.match(after, end):
        reading.unit = tables.UNITS.get(found[0].strip(" \u00a0"), found[0].strip(" \u00a0"))
        return found.end()
    return end


def _dotted(reading: Reading, after: str, language: str) -> None:
    """Der 5. Mai, am 5. tag: a full stop that makes an ordinal."""
    found = _DOTTED.match(after)
    if found and is_month(found[1].casefold(), found[1], language):
        reading.joins_next = True
        reading.spoil()
    elif found and language in tables.ORDINAL_DOT_LANGUAGES and found[1][0].islower():
        reading.spoil()


def _remark(reading: Reading, rest: str, language: str) -> None:
    """`5 (wrong)` and `5, approximately` say of the number what the same words before it would."""
    remark = _REMARK.match(rest) or _APPROXIMATELY.match(rest)
    if remark is None:
        return
    said = remark[remark.lastindex or 0]
    words = [word.casefold() for word in WORD.findall(said)]
    words = [word for word in words if language in tables.ONLY_IN.get(word, (language, "unknown"))]
    if remark.re is _REMARK and remark.lastindex == 3:
        words = words[:1]  # a clause of its own, which may deny something else
    forms = {*words, *(word.rstrip(".") for word in words)}
    if forms & tables.APPROXIMATE_BEFORE:
        reading.is_exact = False
    doubts = _DOUBTS | tables.BOUNDS_IN.get(language, frozenset())
    if remark.re is _REMARK and (forms & doubts or denies_last(said)):
        reading.spoil()


def _is_operated_on(phrase: str) -> bool:
    """48の平方根, 48'in karesi: a noun behind the number that makes another one of it."""
    if phrase.startswith(tables.OPERATION_FORMS):
        return True
    belongs = tables.BELONGING.match(phrase)
    return belongs is not None and phrase.startswith(tables.OPERATION_STEMS, belongs.end())


def _phrase(reading: Reading, rest: str, language: str) -> None:
    """Words further behind: a question, a negation, a bound, below zero."""
    phrase = _COUNTER.sub("", rest).lstrip(" \u00a0,(").casefold()
    if _QUESTION.match(rest) or phrase.startswith(tables.BOUNDS_AFTER + tables.NEGATIONS_AFTER):
        reading.spoil()
    if _is_operated_on(phrase):
        reading.spoil()
    _remark(reading, rest, language)
    clause = CLAUSE_ENDS.split(phrase)[0]
    if denies_beside("", rest) or any(words in clause for words in tables.NEGATIONS_LATER + tables.BETWEEN_AFTER):
        reading.spoil()
    if any(words in clause for words in tables.BELOW_ZERO_AFTER):
        reading.change(lambda value: -abs(value))
        reading.is_sure = False
