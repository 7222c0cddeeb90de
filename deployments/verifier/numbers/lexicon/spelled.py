"""Numbers written out in words: read in English, seen in other languages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

from deployments.verifier.numbers.lexicon.tables import LETTER, by_language

# languages of which all common number words are known, so that an answer without any holds no number
WORD_LANGUAGES: Final = frozenset({"en"})
_MAX_WORD_CHARS: Final = 60

_SMALL: Final = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen "
        "nineteen".split()
    )
}
_TENS: Final = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_LARGE: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_EN_WORD: Final = "|".join([*_SMALL, *_TENS, "hundred", *_LARGE])
ENGLISH: Final = re.compile(rf"\b(?:a )?(?:{_EN_WORD})\b(?:(?:[ -]|, | and )(?:{_EN_WORD})\b){{0,20}}", re.IGNORECASE)
# amounts that are not read
_ENGLISH_UNREAD: Final = re.compile(
    r"\b(?:half|halves|thirds|quarters?|fourths|fifths|sixths|sevenths|eighths|ninths|tenths|dozens?|score|couple|pair|twice|thrice|"
    r"double|triple|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|(?-i:[XVI]{2,6}|[MDCLXVI]{3,12})|hundreds|thousands|millions|billions|none|nil|nought|naught|several|few|infinity|infinitely|infinite|both|once)\b",
    re.IGNORECASE,
)
# the parts of number words, by language; `ein`, `un`, `bir` and their like are articles too, and left out when alone
_PARTS: Final = by_language("""
de: null ein eine eins zwei zwo drei vier fünf fuenf sechs sech sieben sieb acht neun zehn elf zwölf zwoelf zwan zig
de: ßig ssig dreißig dreissig zwanzig und hundert tausend million millionen halb drittel viertel fünftel achtel
de: zehntel dutzend
nl: nul een één twee drie vier vijf zes zeven acht negen tien elf twaalf der veer tig twintig dertig veertig tachtig
nl: en ën honderd duizend miljoen half halve anderhalf anderhalve kwart derde dozijn
it: zero uno un due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici
it: dicia ssette ssei nnove diciotto diciassette diciannove venti vent trenta trent quaranta quarant cinquanta
it: cinquant sessanta sessant settanta settant ottanta ottant novanta novant cento mille mila metà terzo quarto
it: quarti terzi milione milioni
fr: zéro un une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize vingt vingts
fr: trente quarante cinquante soixante septante huitante nonante cent cents mille et million millions milliard
fr: moitié demi demie demis tiers quart quarts douzaine
es: cero uno un una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieci dieciséis
es: veinte veinti veintiún veintidós veintitrés veintiséis treinta cuarenta cincuenta sesenta setenta ochenta
es: noventa cien ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos
es: novecientos mil millón millones mitad medio tercio cuarto
pt: zero um uma dois duas três quatro cinco seis sete oito nove dez onze doze treze quatorze catorze quinze
pt: dezesseis dezasseis dezessete dezoito dezenove vinte trinta quarenta cinquenta sessenta setenta oitenta noventa
pt: cem cento duzentos trezentos mil milhão milhões metade meio terço quarto quartos
ru: ноль нуль один одна одно два две три четыре пять шесть семь восемь девять десять надцать одиннадцать двенадцать
ru: тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать двадцать тридцать сорок
ru: пятьдесят шестьдесят семьдесят восемьдесят девяносто сто двести триста четыреста пятьсот тысяча тысячи миллион
ru: половина половиной треть трети четверть четверти
uk: нуль один одна два дві три чотири п'ять шість сім вісім дев'ять десять одинадцять дванадцять тринадцять двадцять
uk: тридцять сорок п'ятдесят шістдесят сімдесят вісімдесят сто двісті триста тисяча мільйон половина половиною
uk: чверть чверті
pl: zero jeden jedna dwa dwie trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście dwanaście trzynaście
pl: czternaście piętnaście szesnaście siedemnaście osiemnaście dziewiętnaście dwadzieścia trzydzieści czterdzieści
pl: pięćdziesiąt sześćdziesiąt siedemdziesiąt osiemdziesiąt sto dwieście trzysta tysiąc milion połowa pół półtora
pl: półtorej ćwierć
cs: nula jeden jedna dva dvě tři čtyři pět šest sedm osm devět deset jedenáct dvanáct třináct čtrnáct patnáct dvacet
cs: třicet čtyřicet padesát šedesát sto tisíc milion polovina půl půldruhého čtvrt čtvrtina
sv: noll en ett två tre fyra fem sex sju åtta nio tio elva tolv tretton fjorton femton sexton sjutton arton nitton
sv: tjugo trettio fyrtio femtio sextio sjuttio åttio nittio hundra tusen miljon hälften halv halva halvt
da: nul en et to tre fire fem seks syv otte ni ti elleve tolv tretten fjorten femten seksten sytten atten nitten
da: tyve tredive fyrre halvtreds tres halvfjerds firs halvfems og hundrede tusind million halvdelen halv halvt
da: halvanden
no: null en ett to tre fire fem seks sju åtte ni ti elleve tolv tretten fjorten femten seksten sytten atten nitten
no: tjue tretti førti femti seksti sytti åtti nitti hundre tusen million halvparten halv halvt halvannen
fi: nolla yksi kaksi kolme neljä viisi kuusi seitsemän kahdeksan yhdeksän kymmenen toista kymmentä sata sataa tuhat
fi: tuhatta miljoona puoli puolikas puolitoista neljännes
hu: nulla egy kettő két három négy öt hat hét nyolc kilenc tíz tizen húsz huszon harminc negyven ötven hatvan hetven
hu: nyolcvan kilencven száz ezer millió fele fél másfél negyed
tr: sıfır bir iki üç dört beş altı yedi sekiz dokuz on yirmi otuz kırk elli altmış yetmiş seksen doksan yüz bin
tr: milyon yarım buçuk çeyrek
ro: zero unu una doi două trei patru cinci șase șapte opt nouă zece unsprezece doisprezece douăzeci treizeci
ro: patruzeci cincizeci sută mie mii jumătate sfert
el: μηδέν ένα δύο τρία τέσσερα πέντε έξι επτά εφτά οκτώ οχτώ εννέα εννιά δέκα έντεκα δώδεκα είκοσι τριάντα σαράντα
el: πενήντα εκατό χίλια μισό μισή μισός μισά τέταρτο τέταρτα
vi: không hai ba bốn năm sáu bảy tám chín mười mươi trăm nghìn lăm mốt rưỡi nửa
id: nol satu dua tiga empat lima enam tujuh delapan sembilan sepuluh sebelas belas puluh seratus ratus seribu ribu
id: setengah
ms: kosong satu dua tiga empat lima enam tujuh lapan sembilan sepuluh sebelas belas puluh seratus ratus seribu ribu
ms: separuh
sw: sifuri moja mbili tatu nne tano sita saba nane tisa kumi ishirini thelathini arobaini hamsini sitini mia elfu nusu
tl: isa dalawa tatlo apat lima anim pito walo siyam sampu dalawampu tatlumpu daan libo kalahati
ar: صفر اثنان اثنين ثلاثة ثلاث أربعة أربع خمسة خمس ستة ست سبعة سبع ثمانية ثمان تسعة تسع عشرة عشر عشرون عشرين ثلاثون
ar: ثلاثين أربعون أربعين خمسون خمسين ستون ستين سبعون سبعين ثمانون ثمانين تسعون تسعين مئة مائة ألف مليون نصف ربع ثلث
ar: وعشرون وثلاثون وأربعون وخمسون ونصف وربع وثلث
fa: صفر یک دو سه چهار پنج شش هفت هشت نه ده یازده دوازده سیزده بیست سی چهل پنجاه شصت هفتاد هشتاد نود صد هزار نیم نصف
he: אפס אחת אחד שתיים שניים שלוש שלושה ארבע ארבעה חמש חמישה שש שישה שבעה שמונה תשע תשעה עשר עשרה עשרים שלושים
he: ארבעים חמישים מאה אלף חצי
hi: शून्य एक दो तीन चार पाँच पांच छह छः सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस बीस तीस
hi: चालीस
hi: पचास साठ सत्तर अस्सी नब्बे सौ हज़ार बयालीस इक्कीस बाईस पच्चीस आधा
sk: pol polovica štvrť
sl: pol polovica četrt
lt: pusė pusės
lv: puse pus
et: pool poole
bn: শূন্য এক দুই তিন চার পাঁচ ছয় সাত আট নয় দশ বিশ কুড়ি ত্রিশ চল্লিশ পঞ্চাশ একশ একশো শত হাজার অর্ধেক বিয়াল্লিশ
ko: 하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉 열 스물 서른 마흔 쉰 예순 일흔 여든 아흔 절반
bg: нула едно две два три четири пет шест седем осем девет десет двадесет тридесет четиридесет сто хиляда половина
bg: четвърт
hr: nula jedan dva dvije tri četiri pet šest sedam osam devet deset jedanaest dvanaest dvadeset trideset četrdeset
hr: pedeset sto tisuća pola pol
sr: нула један два две три четири пет шест седам осам девет десет двадесет тридесет четрдесет сто nula dva tri
sr: četiri pet šest sedam пола половина pola
ca: zero dos tres quatre cinc sis set vuit nou deu onze dotze tretze vint trenta quaranta cinquanta cent mil
ca: meitat mig mitja
""")
_ARTICLES: Final = frozenset(
    "ein eine eins und en ën een et un une uno una um uma один одна одно jeden jedna ett bir egy to on isa satu "
    "moja एक এক unu yksi "
    "една едно jedan един един یک سه ده نه دو ni ti set sei năm không một der tre hat bin yüz".split()
)
_WORD: Final = re.compile(rf"{LETTER}+(?:['-]{LETTER}+){{0,6}}")


@dataclass(frozen=True, slots=True)
class Word:
    """A number in words; `value` is None where it is seen and not read."""

    start: int
    end: int
    value: Fraction | None


def find_words(plain: str, language: str) -> Iterator[Word]:
    if language == "en" or language not in _PARTS:
        for found in ENGLISH.finditer(plain):
            if found[0].casefold() != "one":
                yield Word(found.start(), found.end(), _read_english(found[0].casefold()))
        if language == "en":
            for found in _ENGLISH_UNREAD.finditer(plain):
                yield Word(found.start(), found.end(), None)
        return
    pattern = _pattern(language)
    for found in _WORD.finditer(plain):
        word = found[0].casefold()
        if len(word) <= _MAX_WORD_CHARS and word not in _ARTICLES and pattern.fullmatch(word):
            yield Word(found.start(), found.end(), None)


@cache
def _pattern(language: str) -> re.Pattern[str]:
    parts = sorted(_PARTS[language], key=len, reverse=True)
    # possessive: a word is taken apart in one way only, so that a long one cannot be taken apart in many
    return re.compile(rf"(?:(?:{'|'.join(map(re.escape, parts))})[-']?)++")


def _read_english(text: str) -> Fraction | None:
    """`one hundred and five` is 105; words that only stand in a row, such as `two three`, are no number."""
    total = group = 0
    last = 10**15
    smallest = 10**15  # what the next word of the group must be below
    for word in re.sub(r"^a ", "", text.replace("-", " ").replace(",", " ")).split():
        if word == "and":
            continue
        if word in _LARGE:
            if _LARGE[word] >= last:
                return None
            total, last = total + (group or 1) * _LARGE[word], _LARGE[word]
            group, smallest = 0, 10**15
        elif word == "hundred":
            if not 0 <= group < 10 or (smallest <= 10 and group == 0):
                return None
            group, smallest = (group or 1) * 100, 100
        else:
            value = _TENS.get(word) or _SMALL[word]
            if smallest <= (value if word in _TENS else (10 if value >= 10 else value)):
                return None
            group, smallest = group + value, 10 if word in _TENS else 1
    return Fraction(total + group)
