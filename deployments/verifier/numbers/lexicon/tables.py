"""The words that change what a number beside them says, in the languages that models write.

Words of all languages stand in one table where no language uses the word in another sense; the few that
mean different amounts in different languages are listed with their languages. Words are case-folded.
"""

import re
from typing import Final

DECIMAL_COMMA_LANGUAGES: Final = frozenset(
    "af az be bg bs ca cs da de el es et eu fi fr gl hr hu hy id is it ka kk lt lv mk nb nl nn no pl pt ro ru "
    "sk sl sq sr sv tr uk uz vi".split()
)
DECIMAL_POINT_LANGUAGES: Final = frozenset(
    "en zh yue ja ko th he hi bn ta te mr gu pa kn ml ur ne si my km ms tl fil sw ar fa".split()
)


# a letter, or a vowel sign, which is no letter for `re`
LETTER: Final = r"[^\s\d!-/:-@\[-`{-´¶-¿×÷\u2000-\u2bff\u3000-\u303f\uff00-\uff65\ue000-\uf8ff]"


def by_language(lines: str) -> dict[str, list[str]]:
    """`language: word word ...` a line; a language may have several lines."""
    table: dict[str, list[str]] = {}
    for line in lines.strip().splitlines():
        language, _, words = line.partition(":")
        table.setdefault(language, []).extend(words.split())
    return table


def _table(lines: str) -> dict[str, int]:
    """`exponent: word word ...` a line; an underscore stands for a space."""
    table: dict[str, int] = {}
    for line in lines.strip().splitlines():
        exponent, _, words = line.partition(":")
        table |= {word.replace("_", " ").casefold(): int(exponent) for word in words.split()}
    return table


def _words(text: str) -> frozenset[str]:
    return frozenset(word.replace("_", " ").casefold() for word in text.split())


# what a word right after a number multiplies it by, as a power of ten
SCALES: Final = _table("""
2: hundred hundreds hundert honderd cento сотня сотни сотен सौ শত শো
2: yüz
3: thousand thousands thou tausend tsd tsd. duizend dzd tusen tusind tuhat tuhatta þúsund mille mila millar
3: millares
3: milhar milhares mii tisíc tisíce tisíci tis tis. tys tys. tysiąc tysiące tysięcy тыс тыс. тысяча тысячи тысяч
3: тисяча
3: тисячі тисяч тис тис. хиляди хиляда хил хил. hiljada hiljade hiljadu хиљада хиљаде хиљаду tisuća tisuće tisuću
3: tisoč
3: tūkst tūkst. tūkstančių tūkstančiai tūkstantis tūkstoši tūkstotis tūkstošu tuhande bin хил. илјади мың ming ezer
3: χιλιάδες χιλ
3: ألف الف آلاف الاف هزار ہزار אלף אלפים हज़ार हजार হাজার ஆயிரம் వేల వేలు వెయ్యి ಸಾವಿರ ആയിരം હજાર ਹਜ਼ਾਰ පන්දහස් දහස්
3: nghìn ngàn ribu rb rb. libo elfu พัน ພັນ ពាន់ ထောင် ათასი հազար千 հազար mijë mila duizenden tuhansia
4: 万 萬 만 หมื่น ໝື່ນ ម៉ឺន သောင်း
5: lakh lakhs lac lacs लाख লাখ লক্ষ لاکھ லட்சம் లక్ష లక్షలు లక్షల ಲಕ್ಷ ലക്ഷം લાખ ਲੱਖ แสน ແສນ សែន သိန်း ලක්ෂ
6: million millions mio mio. mill mill. mln mln. mn millionen millions miljoen miljoner miljon million. millioner
6: milliún milioane milion miliony milionów milioni milione milionu milióny miliónov milión milijun milijuna
6: milijuni milijon
6: milijoni milijonov milijona  millón millones milhão milhões milions milió milijonai milijonų miljons miljoni
6: miljonu miljonit miljon miljoonaa miljoona milj milj. milj.kr milljón milljónir millió milyon triệu tr juta jt
6: jt. milyón
6: миллион миллиона миллионов млн млн. мільйон мільйони мільйонів милион милиона милиони милиони милијун милијуна
6: милијун
6: миллиондай εκατομμύρια εκατομμύριο εκατ εκατ. εκ εκ. مليون ملايين میلیون ملین מיליון מיליונים מיל' मिलियन মিলিয়ন
6:  மில்லியன் మిలియన్ ಮಿಲಿಯನ್ ദശലക്ഷം ล้าน ລ້ານ លាន သန်း මිලියන მილიონი მლნ միլիոն մլն  milionë milioi
6:  milliun 백만 百万
7: crore crores कोटी करोड़ করোড় কোটি کروڑ கோடி కోట్లు కోటి ಕೋಟಿ കോടി કરોડ ਕਰੋੜ කෝටි ကုဋေ
8: 亿 億 억
9: milliard milliards milliarden mrd mrd. mia mia. miljard miljarder miljardi miljardia miljoardia mld mld.  miliard
9: miliarde miliardy miliardów miliardi miliardo miliarda miliardu milijarda milijarde milijardi milijardu miljards
9: miljardu milliárd milyar milijardas milijardų милијарда милијарде milliarder milliardi milliarder milijard
9: milliarda
9: миллиард миллиарда миллиардов млрд млрд. мільярд мільярди мільярдів милиард милиарда милиарди милијарди
9: δισεκατομμύρια
9: δισ δισ. مليار مليارات میلیارد ارب מיליארד מיליארדים अरब tỷ tỉ miliar miliarder bn bln மில்லியார்ட் მილიარდი միլիարդ
9: 十亿 십억 10億
12: 兆원 조
""")
# the same letters, another amount in another language; None: not even one language agrees
DISPUTED_SCALES: Final[dict[str, dict[str, int]]] = {
    "factorial": {},
    "hundredths": {},
    "tenths": {},
    "thousandths": {},
    "millionths": {},
    "halves": {},
    "thirds": {},
    "quarters": {},
    "fourths": {},
    "fifths": {},
    "fakultät": {},
    "factorielle": {},
    "factoriel": {},
    "pp": {},
    "bp": {},
    "bps": {},
    "basis": {},
    "max": {},
    "billion": {"en": 9, "fr": 12, "da": 12, "no": 12, "nb": 12},
    "billions": {"en": 9, "fr": 12},
    "billionen": {"de": 12},
    "biljoen": {"nl": 12},
    "biljon": {"sv": 12},
    "biljoner": {"sv": 12},
    "billón": {"es": 12},
    "billones": {"es": 12},
    "bilhão": {"pt": 9},
    "bilhões": {"pt": 9},
    "bilion": {"pl": 12},
    "biliony": {"pl": 12},
    "bilionów": {"pl": 12},
    "trillion": {"en": 12},
    "trillions": {"en": 12},
    "trilhão": {"pt": 12},
    "trilhões": {"pt": 12},
    "трлн": {"ru": 12, "uk": 12, "bg": 12},
    "триллион": {"ru": 12},
    "триллиона": {"ru": 12},
    "триллионов": {"ru": 12},
    "trilyon": {"tr": 12},
    "triliun": {"id": 12},
    "mil": {"es": 3, "pt": 3, "ca": 3, "gl": 3},
    "兆": {"ja": 12},
    "조": {"ko": 12},
    "백": {"ko": 2},
    "천": {"ko": 3},
    "百": {"zh": 2, "ja": 2, "yue": 2},
    "千": {"zh": 3, "ja": 3, "yue": 3},
    "bilyon": {},
    "bilyun": {},
    "bilione": {},
    "bilioni": {},
    "quadrillion": {},
    "trilione": {},
    "trilioni": {},
    "trilion": {},
    "tn": {},
    **{word: {} for word in "дюжин tuziny tuzinów dussin dussinet cr cr. ሺህ ሺ izinkulungwane".split()},
    **{word: {} for word in "pi π doubled tripled halved".split()},
    "dozen": {},
    "dozens": {},
    "score": {},
    "gross": {},
    "dutzend": {},
    "douzaine": {},
    "douzaines": {},
    "docena": {},
    "docenas": {},
    "dozzine": {},
    "dozzina": {},
    "dúzia": {},
    "dúzias": {},
    "дюжина": {},
    "дюжины": {},
    "düzine": {},
    "tucet": {},
    "tuzin": {},
    "dusin": {},
    "tusinaa": {},
    "hundreds": {},
    "squared": {},
    "cubed": {},
    "times": {},
    "fold": {},
    "pair": {},
    "pairs": {},
    "tens": {},
}
# words that multiply in one language, and say something else in others
SCALES_IN: Final = {"az": {"min": 3}, "so": {"kun": 3}}
# tens, dozens, hundreds and thousands that are seen and not read, of words that say something else in other languages
UNREAD_SCALES_IN: Final = {
    language: frozenset(words)
    for language, words in by_language("""
fr: cent cents
ca: cent cents centes miler milers desena desenes dotzena dotzenes parell parells
es: ciento cientos cientas miles
gl: centos ducia ducias miles
pt: cem centos centas milheiro milheiros
it: ventina ventine decina decine
pl: set sto kop kopa kopy
cs: set sto sta stech stům kop kopa kopy
sk: sto sta stá stám kôp
sl: sto ducat ducata ducatov
hr: sto tucet tuceta
fi: sata sataa sadan sadat satoja satojen sadoilla kymmenen kymmentä kymmeniä
et: sada sadu sadat sajad sadade kümme kümmet kümneid kümned tosin tosinat
lv: simt simts simti simtu simtiem desmit desmiti desmitu duci duči duču ducis
hu: száz százak tucat tucatnyi ezren ezret tíz
ro: sută sute sutelor zeci mie
vi: trăm chục vạn tá
id: ratus ratusan puluh puluhan ribuan lusin belas jutaan kodi
ms: ratus ratusan puluh puluhan ribuan dozen belas
jv: atus ewu èwu puluh
tl: daan daang dosena
fil: daan daang dosena sampu
sw: mia dazeni
so: boqol boqollaal toban darsin
ha: ɗari dari dubu dozin
tr: onlarca deste
az: yüzlərlə onlarla düjün
uz: yuz yuzlab o'nlab
kk: жүз жүздеген ондаған дюжина
ky: жүз жүздөгөн
mn: зуу зуун арав арван
sq: qind qindra dhjetëra
is: tug tugir tylft tylftir
da: snes tyve
sv: tiotal tjog
no: tjue snes
nl: tiental tientallen
de: zehner
eu: ehun ehunka dozena
ga: céad gcéad chéad scór dosaen
cy: cant gant chant dwsin
mt: mija mitt mitejn tużżana
eo: cent centoj dekoj dekduo dekduoj
ar: عشرات عشرة دزينة دزينات دستة
fa: صد صدها ده‌ها دوجین ده
he: מאה מאות עשרות תריסר תריסרים
ur: سو سینکڑوں سینکڑے درجن
ne: सय
mr: शे शंभर शतके
gu: સો
pa: ਸੌ
bn: শ
am: መቶ መቶዎች አስር አሥር ደርዘን
ka: ასი ასეული ასეულები ათი ათეული ათეულები
my: ရာ ဆယ်
""").items()
}
# glued to the digits: 5k; a capital may as well be a unit (kelvin, byte), so these only ever raise a doubt
GLUED_SCALES: Final = {
    "k": 3,
    "K": 3,
    "M": 6,
    "mn": 6,
    "Mn": 6,
    "mio": 6,
    "Mio": 6,
    "mln": 6,
    "bn": 9,
    "Bn": 9,
    "mrd": 9,
    "Mrd": 9,
}
DOUBTFUL_GLUED: Final = frozenset({"K", "M", "B", "b", "T", "tn", "mm", "MM", "m"})
SCALE_BEFORE: Final = _words(
    "elfu milioni bilioni laki mia miliyan biliyan dubu milyan bilyan kun malaayiin ẹgbẹ̀rún mílíọ̀nù puku nde "
    "ijeri nari "
    "million millions thousand साढ़े सवा पौने साडे সাড়ে সওয়া পৌনে સાડા ਸਾਢੇ"
)

PERCENT_AFTER: Final = _words(
    "percent percentage pct v._h. v.h. per_cent prozent pour_cent por_ciento por_cento per_cento percento "
    "procent procenta "
    "prosent "
    "prosenttia prosentti procento procentů percentá percent százalék százaléka százalékos процент процента "
    "процентов "
    "проценти відсоток відсотки відсотків процента проценти процената posto odstotkov odstotek odstotka "
    "protsenti protsent "
    "procentai procentų procenti procentu percent faiz phần_trăm persen peratus เปอร์เซ็นต์ เปอร์เซนต์ ເປີເຊັນ ភាគរយ "
    "퍼센트 프로 パーセント प्रतिशत फीसदी टक्के শতাংশ শতকরা சதவீதம் விழுக்காடு శాతం ಶೇಕಡಾ ശതമാനം ટકા ਪ੍ਰਤੀਸ਼ਤ ප්‍රතිශතය "
    "بالمئة بالمائة في_المئة في_المائة درصد فیصد אחוז אחוזים τοις_εκατό porsyento por_cien percents procente la_sută "
    "per_cent pst پرسنٹ ရာခိုင်နှုန်း პროცენტი տոկոս пайыз prósent přoc protsenta za_sto"
)
PERCENT_BEFORE: Final = _words("yüzde ร้อยละ asilimia শতকরা శేకడా ಶೇಕಡಾ ಶೇ போ ஃபீசத் ရာခိုင်နှုန်း शतकरा ഫീ")
PER_MILLE_AFTER: Final = _words(
    "per_mille promille pour_mille por_mil per_mil промилле промилей promil promile promila"
)

MINUS_BEFORE: Final = _words(
    "minus negative moins négatif menos negativo meno negativ negatief минус  мінус mínusz miinus mínus mīnus "
    "minusas 음수 उणे માઈનસ ඍණ አሉታዊ எதிர்ம எதிர்மறை "
    "سالب ناقص منفی منهای מינוס μείον ลบ  ລົບ ដក 负 負 マイナス 마이너스 영하 零下 氷点下 माइनस ऋण ऋणात्मक "
    "মাইনাস ঋণাত্মক "
    "மைனஸ் கழித்தல் మైనస్ మైనస ಮೈನಸ್ മൈനസ് માઇનસ ਮਾਇਨਸ ਮਨਫ਼ੀ eksi âm trừ negatif hasi kutoa menys  მინუს "
    "մինուս minusz "
    "хасах negatywne ujemne - منفى အနုတ် සෘණ  mənfi manfiy oalang negatibo negatibong ken lúide minws "
)
BELOW_ZERO_AFTER: Final = (
    "below zero",
    "below freezing",
    "below 0",
    "unter null",
    "sous zéro",
    "sous zero",
    "bajo cero",
    "sotto zero",
    "sotto lo zero",
    "abaixo de zero",
    "negativos",
    "ниже нуля",
    "нижче нуля",
    "poniżej zera",
    "pod nulou",
    "under noll",
    "under null",
    "under frysepunktet",
    "onder nul",
    "sıfırın altında",
    "sub zero",
    "fagypont alatt",
    "pakkasta",
    "mínusz",
    "تحت الصفر",
    "زیر صفر",
    "צפונית",
    "מתחת לאפס",
    "υπό το μηδέν",
    "dưới không",
    "di bawah nol",
    "ใต้ศูนย์",
    "শূন্যের নিচে",
    "शून्य से नीचे",
    "c below",
    "f below",
)

# a number after one of these is a bound or a guess, not a value
BOUNDS_BEFORE: Final = _words(
    "many_as much_as few_as close_to one_in einer_von eins_von eine_von un_sur une_sur uno_su um_em один_из "
    "jeden_z יותר_מ פחות_מ לפחות más_que menos_que mehr_als weniger_als mais_que menos_que min min. max max. "
    "than least "
    "most over under above below exceeds exceeding up_to almost nearly als "
    "mindestens höchstens über "
    "unter fast "
    "bis_zu maximal minimal au_moins au_plus plus_de moins_de presque jusqu'à más_de menos_de al_menos "
    "como_máximo casi hasta "
    "mais_de pelo_menos no_máximo quase até più_di meno_di almeno al_massimo quasi fino_a oltre более менее "
    "больше меньше "
    "свыше почти до менш більше понад майже ponad więcej_niż mniej_niż co_najmniej prawie meer_dan minder_dan "
    "ten_minste "
    "bijna mer_än mindre_än minst högst nästan mere_end mindst næsten yli alle vähintään enintään lähes "
    "více_než méně_než "
    "nejméně téměř viac_ako menej_ako legalább legfeljebb majdnem peste sub cel_puțin aproape πάνω_από "
    "τουλάχιστον σχεδόν "
    "hơn ít_nhất gần dưới trên lebih_dari kurang_dari paling_sedikit hampir أكثر_من أقل_من على_الأقل  بیش_از کمتر_از "
    "حداقل از_بیش 至少 至多 超过 超過 少于 不到 多于 最多 最少 大于 小于 近 不足 最低 最高 ít_hơn nhiều_hơn กว่า "
    "มากกว่า น้อยกว่า อย่างน้อย "
    "alespoň aspoň minstens setidaknya sekurang-kurangnya щонайменше принаймні поне најмање најмалку najmanje "
    "vsaj mažiausiai vismaz vähemalt குறைந்தது కనీసం ಕನಿಷ್ಠ കുറഞ്ഞത് ઓછામાં_ઓછા ਘੱਟੋ-ਘੱਟ किमान से_कम কমপক্ষে "
    "অন্তত سے_کم از_کم angalau "
    "almenys mínim mínimo minimum_de меньшей_мере минимум przynajmniej wenigstens än mint 최소 최대 적어도 "
    "en_az en_çok en_fazla ən_az ən_çox ≥ ≤ > < fewer greater lower higher minimum maximum limited "
    "upp_till op_til opp_til opptil až până_la tối_đa hingga sampai akár jopa حتى upwards_of north_of maximum_of"
)
# the same, of words that say something else in other languages
BOUNDS_IN: Final = {
    language: _words(" ".join(words))
    for language, words in by_language("""
de: knapp gut
fr: maximum moins_que
es: debajo_de encima_de
pt: máximo
nl: tot hoogstens maximaal hoogste
af: tot
sv: över
da: højst mindre_end
no: høyst enn nesten
fi: korkeintaan vähemmän_kuin enemmän_kuin
pl: ok. do najwyżej poniżej powyżej maksymalnie
cs: do nejvýše přes pod nanejvýš
sk: do najviac takmer pod
ru: максимум
uk: менше ніж
sr: мање_од више_од највише скоро
be: менш_за больш_за
ro: mult
tr: neredeyse
az: azı çoxu
el: έως πολύ από
id: banyak maksimal
ar: الأكثر يقرب_من
fa: تا حداکثر
he: עד היותר כמעט
hi: अधिकतम
ko: 거의
eu: gehienez gutxienez
ca: fins_a màxim menys_de més_de gairebé
hr: do najviše manje_od više_od gotovo
sr: do najviše manje_od više_od gotovo
bs: do najviše manje_od više_od gotovo
sl: do največ manj_kot več_kot skoraj
bg: най-много по-малко_от по-много_от повече_от
mk: најмногу помалку_од повеќе_од
lt: iki daugiausia nei beveik
lv: līdz kā nekā gandrīz vairāk_par mazāk_par
la: bis ter usque_ad
et: kuni rohkem kui peaaegu
sw: hadi chini_ya zaidi_ya karibu
tl: hanggang mababa_sa higit_sa halos
""").items()
}
BOUNDS_IN["unknown"] = frozenset[str]().union(*BOUNDS_IN.values())
BOUNDS_AFTER: Final = (
    "at the most",
    "au maximum",
    "baino gutxiago",
    "baino gehiago",
    "kadar",
    "altında",
    "üzerinde",
    "üstünde",
    "qədər",
    "तक",
    "まで",
    "까지",
    "or there",
    "tops",
    "maximum",
    "minimum",
    "max.",
    "max ",
    "zum quadrat",
    "au carré",
    "al cuadrado",
    "al quadrato",
    "ao quadrado",
    "в квадрате",
    "hoch ",
    "to the power",
    "raised to",
    "से अधिक",
    "से ज़्यादा",
    "से ज्यादा",
    "से कम",
    "এর বেশি",
    "টির বেশি",
    "এর কম",
    "より",
    "보다",
    "fazla",
    "daha fazla",
    "daha az",
    "több",
    "kevesebb",
    "க்கு மேல்",
    "கும் மேற்பட்ட",
    "కంటే",
    "పైగా",
    "पेक्षा",
    "થી વધુ",
    "ਤੋਂ ਵੱਧ",
    "سے زیادہ",
    "سے کم",
    "به بالا",
    "over",
    "upwards",
    "und mehr",
    "et plus",
    "y más",
    "e mais",
    "e più",
    "och uppåt",
    "en meer",
    "i więcej",
    "a více",
    "или повече",
    "или више",
    "ili više",
    "arti",
    "dan dari",
    "ขึ้นไป",
    "trở lên",
    "ke atas",
    "ke bawah",
    "hingga",
    "pataas",
    "or more",
    "or less",
    "or fewer",
    "or so",
    "or higher",
    "or lower",
    "and more",
    "and up",
    "oder mehr",
    "oder weniger",
    "ou plus",
    "ou moins",
    "o más",
    "o menos",
    "ou mais",
    "ou menos",
    "o più",
    "o meno",
    "или более",
    "или менее",
    "или больше",
    "и более",
    "eller mer",
    "eller fler",
    "of meer",
    "lub więcej",
    "nebo více",
    "以上",
    "以下",
    "以内",
    "未満",
    "未满",
    "超",
    "이상",
    "이하",
    "미만",
    "초과",
    "veya daha",
    "'den fazla",
    "'dan fazla",
    "hoặc hơn",
    "atau lebih",
    "أو أكثر",
    "یا بیشتر",
    "या अधिक",
    "多",
    "余",
    "餘",
    "余り",
    "あまり",
    "여",
    "强",
    "弱",
    "plus",
    "at most",
    "at least",
    "at a time",
    *(
        # squared, halved, doubled
        "na kvadrat|на квадрат|kvadratu|kvadrātā|ruudus|na druhú|na druhou|у квадраце|í öðru veldi|cearnaithe"
        "|wedi'i sgwario"
        "|ao cadrado|ber bi|në katror|kvadratı|квадраты|kvadratining|kvadrati|al quadrat|i andre|kvadrate|toiseen"
        "|karesi"
        "|do kwadratu|la pătrat|στο τετράγωνο|i kvadrat|の2乗|の二乗|の平方|の半分|の2倍|の二倍"
        "|的平方|的一半|的两倍|的兩倍"
        "|의 제곱|의 절반|의 두 배|का वर्ग|का आधा|का दोगुना|को आधा|তম|को दोब्बर|चे अर्धे|च्या दुप्पट|चा वर्ग|এর অর্ধেক"
        "|এর দ্বিগুণ"
        "|இன் பாதி|இன் இரு|లో సగం|కి రెట్టింపు|ರ ಅರ್ಧ|ರ ಎರಡು|ന്റെ പകുതി|ന്റെ ഇരട്ടി|નો અડધો|થી બમણું|ਦਾ ਅੱਧਾ"
        "|ਦਾ ਦੁੱਗਣਾ|න් අඩක්"
        "|၏ တစ်ဝက်|کا نصف|کا دگنا|ning yarmi|dan ikki|жартысы|екі есе|-ийн тал|yarısı|yarısının|iki misli|iki katı"
        "|ren erdia"
        # times as many, or as few
        "|times fewer|times less|times more|times as|mal weniger|mal mehr|mal so|fois moins|fois plus|veces menos"
        "|veces más"
        "|volte meno|volte più|volte di|vezes menos|vezes mais|keer minder|keer meer|keer zo|gånger färre"
        "|gånger fler|gånger så"
        "|ganger færre|ganger flere|gange færre|gange flere|kertaa vähemmän|kertaa enemmän|razy mniej|razy więcej"
        "|krát méně"
        "|krát více|-krát menej|-krát viac|-krat manj|-krat več|krat manj|krat več|puta manje|puta više|пута мање"
        "|пута више"
        "|раз меньше|раза меньше|раз больше|раза больше|разів менше|рази менше|разів більше|рази більше|пъти по-|пати "
        "|kartus mažiau|kartus daugiau|reizes mazāk|reizes vairāk|korda vähem|korda rohkem|ször kevesebb|szor több"
        "|ori mai"
        "|φορές λιγότερο|φορές περισσότερο|kat daha|kat az|kat fazla|lần ít|lần nhiều|kali lebih|kali lipat"
        "|vegades menys"
        "|vegades més|倍少|倍多"
    ).split("|"),
)
# a number after one of these is what something is done to
APPLIED_BEFORE: Final = _words(
    "power hoch puissance potencia potenza potência log ln lg sin cos tan sqrt twice double triple half root_of "
    "square_of cube_of opposite_of inverse_of "
    "reciprocal_of "
    "negative_of half_of third_of quarter_of power_of factorial_of multiple_of wurzel_aus wurzel_von "
    "quadratwurzel_von "
    "hälfte_von doppelte_von carrée_de racine_de moitié_de double_de raíz_de cuadrada_de mitad_de doble_de radice_di "
    "quadrata_di metà_di doppio_di raiz_de quadrada_de metade_de dobro_de wortel_van helft_van корень_из половина_от "
    "половина_из log10 log2 "
    "dreimal zweimal viermal fünfmal zehnmal fois veces volte vezes keer gånger ganger gange razy krát třikrát "
    "dvakrát trikrat "
    "třikrát dvakrat trzykrotnie трижды дважды тричі двічі ori kertaa lần kali เท่าของ puta пута пъти kartus "
    "reizes korda φορές "
    "พหุคูณของ กำลังสองของ รากที่สองของ ครึ่งหนึ่งของ สามเท่าของ สองเท่าของ หนึ่งในสามของ "
    "polovica_od polovina_od polovica_z polovina_z polovicu_od dvostruko_od dvojnásobok dvojnásobek dvakrat "
    "połowa_z połowa "
    "dwukrotność половина_од двоструко_од двојно_од половина_від палова_ад удвая_больш половината_от вдвое_больше "
    "удвоенное "
    "puse divreiz pusė dvigubai kaks_korda helmingur_af tvöfalt leath_de oiread hanner dwywaith dobre_de gjysma_e "
    "dyfishi_i ពាក់កណ្តាលនៃ ເຄິ່ງຫນຶ່ງຂອງ ເຄິ່ງໜຶ່ງຂອງ separuh_daripada setengah_dari ganda dua_kali kalahati_ng "
    "doble_ng "
    "nusu_ya mbili_ya rabin nus ìdajì duono_de duoblo_de halschent_vun d'halschent_vun duebelt_vun duebelt_vu "
    "dimidium dobbelte_av "
    "halvparten_av dobbelte_af halvdelen_af hälften_av dubbla_av dubbele_van jumătate_din dublul μισό_του διπλάσιο_του "
    "nửa_của gấp_đôi gấp نصف ضعف نیم برابر חצי_מ כפול meitat_de doble_de"
)
# what is done to a number, said before it (`the cube of 48`), with these words between
OF: Final = _words(
    "of the von vom der des dem aus de la le du del dello della di do da dos av af van het z ze od ve из от числа "
    "числу "
    "із від ад на od_broja броја lui a al din του της των το ur på from number zahl nombre número numero getal tal "
    "liczby "
    "čísla číslo broja ng ya wa dari bilangan của số ของ לـ ל- של מ מ- ל لـ ل للعدد العدد عدد i e të на_числото числото"
)
OPERATION_NOUNS: Final = _words(
    "square cube root third thirds quarter fifth tenth half double triple quadruple multiple opposite inverse "
    "reciprocal "
    "power factorial logarithm negative quadrat kubus würfel potenz quadratwurzel kubikwurzel wurzel drittel viertel "
    "fünftel hälfte doppelte dreifache vielfaches vielfache gegenteil kehrwert gegenzahl carré cube racine carrée "
    "tiers "
    "quart moitié double triple multiple opposé inverse puissance cuadrado cubo raíz cuadrada tercio cuarto mitad "
    "doble "
    "múltiplo opuesto inverso recíproco potencia quadrato radice quadrata terzo metà doppio triplo multiplo opposto "
    "reciproco potenza quadrado raiz terço metade dobro oposto potência kwadraat wortel vierkantswortel "
    "derde_macht tweede_macht derde "
    "kwart helft dubbele veelvoud tegengestelde omgekeerde kvadraten kuben kvadratroten roten tredjedel fjärdedel "
    "hälften "
    "dubbla multipel motsatsen kvadratet kvadratroden kvadratroten kubikken tredjedel halvdelen halvparten dobbelte "
    "tredobbelte multiplum modsatte kwadrat sześcian pierwiastek trzecia ćwierć połowa połowę dwukrotność trzykrotność "
    "wielokrotność potęga odwrotność mocnina odmocnina třetina čtvrtina polovina dvojnásobek trojnásobek násobek "
    "tretina "
    "štvrtina polovica dvojnásobok odmocnina квадрат куб корень квадратный треть четверть половина половину "
    "кратное степень "
    "обратное противоположное удвоенное удвоение корінь квадратний третина чверть кратне степінь куба корен квадратен "
    "третина половината кратно pătratul cubul rădăcina pătrată treime treimea sfert jumătate jumătatea dublul triplul "
    "multiplu multiplul opusul inversul τετράγωνο κύβος ρίζα τρίτο τέταρτο μισό διπλάσιο τριπλάσιο πολλαπλάσιο "
    "αντίθετο "
    "مربع مكعب الجذر جذر التربيعي ثلث ربع نصف ضعف أضعاف مضاعف مقلوب مکعب سوم مضرب برابر معکوس ריבוע הריבוע שורש "
    "השורש הריבועי "
    "שליש רבע חצי כפולה שלושה מחצית sepertiga seperempat setengah separuh kuadrat akar pangkat kelipatan kebalikan "
    "phương bình_phương lập_phương căn bậc_hai bội_số bội nửa phần_ba phần_tư theluthi nusu robo mzizi mraba mchemraba "
    "zgjidhja katrori rrënja kvadrata kvadratna kvadratni trećina četvrtina kvadrat koren višekratnik квадратни корен "
    "kvadratas kubas šaknis trečdalis ketvirtadalis kvadrāts kubs sakne trešdaļa ceturtdaļa veldi rót þriðjungur "
    "fjórðungur "
    "terç quadrat arrel meitat cubo raíz kvadrato kubo radiko quadratum cubus radix kolmasosa neljäsosa puolet "
    "neliöjuuri trian ceathrú sgwâr traean chwarter"
)
# the same behind it, as the beginning of a word, after a sign of belonging; without one they begin units as well
OPERATION_STEMS: Final = tuple(
    (
        "वर्ग|घन|आधा|आधी|दोगुन|दुगुन|तीन गुन|एक तिहाई|तिहाई|चौथाई|गुणज|दोब्बर|अर्ध|दुप्पट|বর্গ|ঘন|অর্ধেক|দ্বিগুণ"
        "|তিন গুণ|এক তৃতীয়াংশ"
        "|গুণিতক|பாதி|வர்க்க|மடங்கு|సగం|వర్గ|రెట్టింపు|ಅರ್ಧ|ವರ್ಗ|പകുതി|ഇരട്ടി|અડધ|વર્ગ|બમણ|ਅੱਧ|ਵਰਗ"
        "|neliö|kuutio|puolikas|kolmasosa|neljäsosa|ruut|kuup|kolmandik"
        "|平方|立方|二乗|2乗|三乗|3乗|半分|一半|三倍"
        "|نصف|دگنا|مربع|تہائی|两倍|兩倍|二倍|2倍|3倍"
        "|倍数|逆数|倒数|三分之|3分の|제곱|세제곱|절반|두 배|세 배|배수|역수|3분의|yarmi|kvadrat|kub|жарты|тал"
        "|կես|կրկնակ|քառակուս|ნახევარ|კვადრატ"
    ).split("|")
)
# and in forms that no unit has
OPERATION_FORMS: Final = tuple(
    (
        "karesi|karekök|küpü|yarısı|üçte|dörtte|katı|kvadratı|kubu|négyzete|négyzetgyök|köbe|köbgyök|fele|harmad"
        "|negyede"
        "|kétszeres|háromszoros|többszörös|квадраты|жартысы|екі есе|erdia|bikoitza|divided by|divideret med|děleno"
        "|deleno"
        "|osztva|jaettuna|تقسیم بر|مقسوم|除以|ยกกำลัง|หาร|को आधा"
    ).split("|")
)
BELONGING: Final = re.compile(
    r"(?:का|की|के|को|चा|ची|चे|च्या|এর|র|ന്റെ|இன்|ன்|ר|ನ|ರ|నుండి|లో|కి|યા|નો|ની|નું|થી|ਦਾ|ਦੀ|کا|کی|کے|の|의|的|-?ning|-?ნის|-?ის|:n|:sta|:stä|:in"
    r"|-ի|-nak a|-nek a|ren)\s?"
)
# between two numbers: a calculation
OPERATIONS: Final = _words(
    "plus minus plus_or_minus times multiplied_by divided_by over mal geteilt_durch fois divisé_par por entre "
    "más menos "
    "dividido_por più meno per diviso mais vezes плюс минус умножить_на разделить_на keer gedeeld_door gånger "
    "delat_med "
    "razy krát çarpı bölü artı eksi nhân chia cộng trừ kali dibagi tambah kurang 加 减 乘 除以 乘以 足す 引く "
    "掛ける 割る 더하기 빼기 "
    "곱하기 나누기 जोड़ घटा गुणा भाग زائد ناقص ضرب"
)
APPROXIMATE_BEFORE: Final = _words(
    "about approximately around roughly circa ca ca. approx approx. some ~ ≈ etwa ungefähr rund zirka environ "
    "approximativement "
    "près_de aproximadamente unos unas alrededor_de cerca_de   около примерно приблизительно приблизно близько  "
    "około mniej_więcej przibližně asi přibližně zhruba približne ongeveer ungefär cirka omtrent omkring noin "
    "suunnilleen "
    "körülbelül kb kb. yaklaşık περίπου khoảng xấp_xỉ sekitar kira-kira حوالي تقريبا تقریبا حدود تقریباً בערך כ- "
    "लगभग क़रीब "
    "করিব প্রায় கிட்டத்தட்ட సుమారు ಸುಮಾರು ഏകദേശം આશરે ਲਗਭਗ ประมาณ ราว ປະມານ ប្រហែល 约 約 大约 大約 およそ 大体 약 "
    "대략 aproximativ "
    "približno otprilike oko  приближно apie apytiksliai aptuveni umbes takribani takriban சுமார் अंदाजे जवळपास "
    "करीब humigit-kumulang mahigit"
)
# behind a number, in brackets: it was not found out
ESTIMATES: Final = _words(
    "probably estimated estimate est est. rounded guess guessed geschätzt schätzungsweise gerundet wahrscheinlich "
    "estimé estimée arrondi probablement estimado estimada redondeado probablemente stimato stimata arrotondato "
    "probabilmente provavelmente estimativa arredondado вероятно оценка округлено ймовірно szacunkowo zaokrąglone "
    "geschat afgerond waarschijnlijk uppskattat avrundat skønnet anslått arvio odhad tahmini becsült ước_tính perkiraan"
)
NEGATIONS_BEFORE: Final = _words(
    "ni not isn't n't wasn't aren't weren't never neither nor cannot can't won't doesn't don't didn't isn’t "
    "without except instead_of "
    "rather_than unlike nicht kein keine keinen keinem weder sondern_nicht statt ohne nie pas jamais sauf "
    "sans no nunca tampoco "
    " excepto sino_no não nem  sem exceto non né mai senza eccetto не ни нет ні без кроме nie ani bez není "
    "nejsou ne niet "
    "geen noch nooit inte ej inga aldrig utan ikke   ei eivät nem  nu nici fără δεν όχι μη χωρίς không_phải không "
    "chẳng bukan tidak tanpa ليس ليست لا غير بدون نه نیست غیر לא אין ללא नहीं न না নয় அல்ல కాదు ไม่ใช่ ไม่ ບໍ່ 不是 "
    "并非 不等于 不為 nije mitte nav ekki nuk ez არ មិនមែន ບໍ່ແມ່ນ "
    "不为 没有 沒有 非 不 tsis  sio hapana hindi değil si није ní nid არა net ba aha ṣe near anything_but "
    "everything_but keinesfalls keineswegs allesbehalve surtout_pas para_nada per_niente modo_algum andet_end "
    "annat_än annet_enn"
)
# words of the tables above that mean something else in other languages
ONLY_IN: Final = {
    "mai": frozenset({"it", "ro"}),
    "ni": frozenset("fr es ca gl eu sl".split()),
    "si": frozenset({"sw"}),
    "ez": frozenset({"eu"}),
    "nu": frozenset({"ro"}),
    "ne": frozenset("fr cs sk hr sr sl bg bs lt eo".split()),
    "ní": frozenset({"ga"}),
    "net": frozenset({"lb"}),
    "ba": frozenset({"ha"}),
    "aha": frozenset({"so"}),
    "ṣe": frozenset({"yo"}),
    "nem": frozenset({"hu", "pt"}),
    "sem": frozenset({"hu", "pt"}),
    "ei": frozenset({"fi", "et"}),
    "alle": frozenset({"fi"}),
    "sub": frozenset({"ro"}),
    "fast": frozenset({"de"}),
    "dia": frozenset({"es", "pt", "ca", "gl"}),
    "no": frozenset("en es ca gl".split()),
    "sans": frozenset({"fr"}),
    "not": frozenset({"en"}),
    "nie": frozenset({"de", "pl", "sk", "af"}),
    "ken": frozenset({"eu"}),
    "jopa": frozenset({"fi"}),
}
NEGATIONS_AFTER: Final = (
    "is wrong",
    "is incorrect",
    "is not",
    "isn't",
    "was wrong",
    "would be wrong",
    "cannot be",
    "can't be",
    "is impossible",
    "ist falsch",
    "ist nicht",
    "est faux",
    "n'est pas",
    "es incorrecto",
    "no es",
    "está errado",
    "não é",
    "è sbagliato",
    "non è",
    "неверно",
    "неправильно",
    "не подходит",
    "не является",
    "ではない",
    "ではありません",
    "じゃない",
    "じゃありません",
    "でなく",
    "ではなく",
    "이 아니",
    "가 아니",
    "는 아니",
    "은 아니",
    "개가 아니",
    "değil",
    "नहीं",
    "নয়",
    "不对",
    "不对",
    "不是",
    "是错",
    "是錯",
    "ไม่ใช่",
    "jest błędn",
    "nie jest",
    "is niet",
    "is fout",
    "är fel",
    "är inte",
    "er forkert",
    "er ikke",
    "ei ole",
    "nem ",
    "nu este",
    "δεν ",
    "không phải",
    "là sai",
    "bukan",
    "ليست",
    "ليس",
    "نیست",
    "אינו",
    "לא נכון",
    "అని కాదు",
    "அல்ல",
)
HEDGES_BEFORE: Final = _words(
    "or oder ou или або lub albo nebo eller tai vagy veya hoặc atau أو یا או या বা หรือ 或 或者 または 또는 "
    "maybe perhaps possibly might_be could_be may_be either guess say vielleicht möglicherweise peut-être "
    "quizás tal_vez quizá "
    "talvez forse может_быть возможно можливо może kanske måske kanskje ehkä možná možno talán belki poate ίσως "
    "có_lẽ mungkin "
    "ربما شاید אולי शायद হয়তো 可能 也许 也許 もしかすると  아마 อาจจะ บางที either entweder ou_bien  或者"
)
# "table 4": a name, not an amount
REFERENCES_BEFORE: Final = _words(
    "step steps question section sections chapter page pages figure fig fig. table tables no. nr nr. nº example "
    "problem case "
    "day version note notes appendix equation eq eq. line item  rule part phase level room option exercise task "
    "paragraph article volume vol vol. episode season round grade type   ref reference references footnote model "
    "schritt frage abschnitt kapitel seite abbildung abb abb. tabelle beispiel aufgabe tag fall punkt version "
    "stand anmerkung s. source sources doc document p. pp. quelle fuente fonte источник źródło bron källa "
    "étape  chapitre   tableau exemple problème jour cas point  paso pregunta sección capítulo página "
    "tabla figura ejemplo problema día caso nota passo pergunta seção exemplo tabela dia passaggio domanda "
    "sezione capitolo pagina "
    "tabella esempio giorno  шаг вопрос раздел глава страница стр стр. рис рис. таблица таблице пример задача "
    "задаче день пункт п. "
    "крок питання розділ сторінка таблиця приклад krok pytanie rozdział strona str str.  zadanie stap vraag "
    "hoofdstuk  "
    "tabel voorbeeld steg fråga  sida tabell trin spørgsmål side  kysymys sivu taulukko  otázka kapitola "
    "tabulka lépés kérdés fejezet oldal táblázat adım soru bölüm sayfa tablo pasul întrebarea capitolul tabelul "
    "βήμα ερώτηση "
    "κεφάλαιο σελίδα πίνακας bước câu chương trang bảng langkah pertanyaan bab halaman  خطوة سؤال السؤال فصل "
    "صفحة جدول "
    "الخطوة الجدول مرحله سوال  صفحه קטע שאלה פרק עמוד טבלה चरण प्रश्न अध्याय पृष्ठ तालिका ধাপ প্রশ্ন অধ্যায় পৃষ্ঠা "
    "ขั้นตอนที่ ข้อ ข้อที่ บทที่ หน้า ตารางที่ 第 # question# hatua swali jedwali by_the_year "
    "zimmer chambre habitación camera quarto kamer rum værelse pokój pokoj комната кімната стая соба soba izba "
    "szoba oda δωμάτιο "
    "huone غرفة الغرفة اتاق חדר कमरा কক্ষ ঘর kamar phòng ห้อง chumba tuba kambarys istaba herbergi gate terminal "
    "platform thứ"
)
BETWEEN: Final = _words(
    "between zwischen entre tra fra mellan mellem mellom tussen między pomiędzy между межу між mezi medzi "
    "között arasında giữa "
    "antara ระหว่าง بين بین בין के_बीच মধ্যে 介于 介於 sa_pagitan kati από från od з с от ab von de from da desde "
    "van dari من از "
    "εταξύ μεταξύ între izmeđa između među  tarp starp vahel välillä idir rhwng midis inter tëscht tsakanin dhaxaysa "
    "паміж помеѓу milli រវាង ລະຫວ່າງ"
)
# between two numbers: a range, or a choice that is not made
RANGE_WORDS: Final = _words(
    "ile ל ל- to through until till bis à au jusqu'à a al até ao do до tot til  až  asta -ig arası đến tới "
    "sampai hingga "
    "ถึง إلى "
    "الى تا עד से থেকে 到 至 から ~ 〜  에서 bis_zu ad hasta  la până_la ως έως   по  or oder ou o ó u или або lub "
    "albo of eller tai vagy veya ya_da sau ή hoặc hay atau أو یا או या বা หรือ 或 或者 か 또는 või vai ili али "
    "а vs versus nebo alebo "
    "and und et y e и та i en och og ja és ve şi și και và dan و ו और এবং และ 和 与 跟 と 와 과 및  na at kaj & "
    "by per "
    "arba eða nó neu edo ose və_ya yoki yaxud немесе эсвэл կամ ან ወይም वा किंवा அல்லது లేదా ಅಥವಾ അല്ലെങ്കിൽ અથવા "
    "ਜਾਂ හෝ ឬ သို့မဟုတ် ຫຼື ko ama noma tàbí aŭ aut ali jew "
    "ir un і й agus eta dhe va мен ба և እና र आणि மற்றும் మరియు ಮತ್ತು અને ਅਤੇ និង ແລະ da iyo kaj an və നും და እና_በ"
)
LIST_WORDS: Final = _words(
    "ile and und et y e и та i en och og ja és ve şi și και và dan و ו और এবং และ 和 与 跟 と 와 과 및 na at & "
    "ir un і й agus eta dhe va мен ба և እና र आणि மற்றும் మరియు ಮತ್ತು અને ਅਤੇ និង ແລະ da iyo kaj an və നും და"
)
SHARE_WORDS: Final = _words(
    "de_cada op_de op στα στους στις ud_af av_de van_de von_den sur_les de_los dos das ในจำนวน drí z_celkem of "
    "out_of in von aus sur parmi de su di em из от з із z ze uit av af på of_the des van_de iz sa na'akin  "
    "trên của "
    "dari من از מתוך में_से  中的 中 分の ของ จาก per every"
)
MONTHS: Final = _words(
    "january february march april may june july august september october november december jan feb mar apr jun "
    "jul aug sep sept "
    "oct nov dec jan. feb. mar. apr. jun. jul. aug. sep. sept. oct. nov. dec. januar februar märz mai juni juli "
    "oktober dezember "
    "jänner janvier février mars avril juin juillet août septembre octobre novembre décembre enero febrero "
    "marzo abril mayo junio "
    "julio agosto septiembre octubre noviembre diciembre janeiro fevereiro março maio junho julho setembro "
    "outubro novembro dezembro "
    "gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre января февраля марта апреля мая "
    "июня июля августа "
    "сентября октября ноября декабря январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь "
    "декабрь  "
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня stycznia lutego "
    "marca kwietnia maja "
    "czerwca lipca sierpnia września października listopada grudnia januari februari maart mei augustus maj "
    "augusti ledna února "
    "března dubna května června července srpna září října listopadu prosince januára februára apríla mája júna "
    "júla augusta "
    "septembra októbra novembra decembra január február március április május június július augusztus "
    "szeptember október ocak şubat "
    "mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık ianuarie februarie martie aprilie iunie "
    "iulie septembrie "
    "octombrie noiembrie decembrie ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου "
    "σεπτεμβρίου οκτωβρίου "
    "νοεμβρίου δεκεμβρίου tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta "
    "syyskuuta lokakuuta "
    "marraskuuta joulukuuta tháng  pebruari maret agustus desember يناير فبراير مارس أبريل مايو يونيو يوليو "
    "أغسطس سبتمبر "
    "أكتوبر نوفمبر ديسمبر ژانویه فوریه آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر ינואר פברואר מרץ "
    "אפריל מאי יוני יולי "
    "אוגוסט ספטמבר אוקטובר נובמבר דצמבר जनवरी फ़रवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर "
    "दिसंबर জানুয়ারি "
    "ফেব্রুয়ারি মার্চ এপ্রিল মে জুন জুলাই আগস্ট সেপ্টেম্বর অক্টোবর নভেম্বর ডিসেম্বর มกราคม กุมภาพันธ์ มีนาคม เมษายน "
    "พฤษภาคม มิถุนายน "
    "กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม januari. desembre setembre gener febrer abril. "
)
# a clock or a calendar speaks
CLOCK_AFTER: Final = _words("am pm a.m. p.m. a.m p.m o'clock uhr часов_утра часов_дня bc bce b.c.")
ORDINAL_DOT_LANGUAGES: Final = frozenset("de da no nb nn fi cs sk pl hu hr sr sl bs tr et lv is".split())

CURRENCY_SIGNS: Final = "$€£¥₹₽₺₩฿₪₴₫₦₱₡₲₵₸₭₮₼₾₿¢₨₠₢₣₤₥₧₯₰₳₶₷₻֏৳૱௹﷼៛"
CURRENCY_CODES: Final = frozenset(
    "usd eur gbp jpy cny rmb chf cad aud nzd inr rub try krw thb ils uah vnd ngn php brl mxn ars clp cop pen "
    "pln czk huf ron bgn "
    "sek nok dkk isk zar egp sar aed qar kwd idr myr sgd hkd twd pkr bdt lkr kes tzs ugx ghs mad dzd tnd irr "
    "iqd kzt gel amd azn "
    "rsd mkd all btc eth rs kr lei zł kč din rp rm tk ksh".split()
)
_UNITS: Final = (
    (
        "km",
        "km kilometer kilometers kilometre kilometres kilomètre kilomètres kilómetro kilómetros chilometri "
        "chilometro quilômetros км "
        "километр километра километров کیلومتر كم کم كيلومتر 公里 千米 キロ キロメートル 킬로미터 किमी กม กม. "
        "กิโลเมตร kilómetros",
    ),
    (
        "m",
        "m meter meters metre metres mètre mètres metro metros metri м метр метра метров متر م 米 公尺 メートル "
        "미터 मीटर ม. เมตร metara",
    ),
    (
        "cm",
        "cm centimeter centimeters centimetre centimetres centimètres centímetros centimetri см 厘米 公分 "
        "センチ 센티미터 सेमी سم ซม.",
    ),
    ("mm", "mm millimeter millimeters millimetre millimetres millimètres milímetros мм 毫米 ミリ 밀리미터 मिमी مم มม."),
    ("µm", "µm μm um micrometers micrometres мкм"),
    ("nm", "nm nanometers nanometres нм"),
    ("mi", "mi mile miles meile meilen millas milla miglia miglio milhas  миль миля мили 英里 マイル 마일"),
    ("ft", "ft ft. foot feet fuß pied pieds pies piedi pés фут футов 英尺 フィート"),
    ("in", "in in. inch inches zoll pouce pouces pulgadas pollici polegadas дюйм дюймов 英寸 インチ"),
    ("yd", "yd yard yards"),
    ("ha", "ha hectare hectares hektar га 公顷 ヘクタール"),
    ("acre", "acre acres"),
    (
        "kg",
        "kg kilo kilos kilogram kilograms kilogramme kilogrammes kilogramm kilogramos chilogrammi quilos "
        "quilogramas кг килограмм "
        "килограмма килограммов کیلوگرم كغ كجم 公斤 千克 キログラム 킬로그램 किग्रा กก กก. กิโลกรัม",
    ),
    (
        "g",
        "g gr gram grams gramme grammes gramm gramos grammi gramas г грамм грамма граммов گرم جم غرام 克 グラム "
        "그램 ग्राम กรัม",
    ),
    ("mg", "mg milligram milligrams milligramm milligrammes miligramos мг 毫克 ミリグラム 밀리그램 मिग्रा มก."),
    ("µg", "µg μg ug mcg microgram micrograms мкг 微克"),
    ("pg", "pg"),
    ("ng", "ng"),
    ("t", "t tonne tonnes tons ton tonnen toneladas tonnellate т тонн тонна тонны 吨 トン 톤 ตัน"),
    ("lb", "lb lbs lb. lbs.   libras  磅 ポンド"),
    ("oz", "oz oz. ounce ounces унций"),
    ("l", "l liter liters litre litres litros litri л литр литра литров لتر لیتر 升 リットル 리터 लीटर ลิตร"),
    (
        "ml",
        "ml milliliter milliliters millilitre millilitres millilitres mililitros мл 毫升 ミリリットル 밀리리터 "
        "मिली มล.",
    ),
    ("cl", "cl"),
    ("dl", "dl"),
    ("gal", "gal gal. gallon gallons galones галлонов"),
    ("cup", "cup cups"),
    (
        "s",
        "s sec secs sec. second seconds sekunde sekunden sek seconde secondes segundo segundos secondi секунд "
        "секунда секунды сек с "
        "秒 초 सेकंड วินาที ثانية ثواني ثانیه",
    ),
    ("ms", "ms millisecond milliseconds мс"),
    (
        "min",
        "min mins min. minute minutes minuten minuto minutos minuti минут минута минуты "
        "мин хв 分 分钟 分鐘 분 मिनट นาที دقيقة دقائق دقیقه dakika phút menit "
        "minut minuty minút minutter minuuttia minuutti perc хвилин хвилини λεπτά λεπτό মিনিট minute minuta",
    ),
    (
        "h",
        "h hr hrs hr. hour hours stunde stunden std std. heure heures hora horas ora ore час часа часов ч год. "
        "godzin godziny godzina "
        "uur uren timme timmar óra óry hodiny hodin hodina година години годин tuntia tunti timer ώρα ώρες "
        "час часа sat sata sati ঘণ্টা ঘন্টা saat giờ jam 时 時 小时 小時 時間 시간 घंटे घंटा ชั่วโมง ساعة ساعات ساعت שעה שעות",
    ),
    (
        "d",
        "d day days tag tage tagen jour jours día días dia dias giorno giorni день дня дней дні днів dzień dni "
        "dag dagen dagar dage "
        "dager päivää den dní nap gün ngày hari 天 日 日間 일 दिन วัน يوم أيام روز יום ימים",
    ),
    (
        "week",
        "week weeks woche wochen semaine semaines semana semanas settimana settimane неделя недели недель "
        "tydzień tygodni weken "
        "veckor vecka hafta tuần minggu 周 週 週間 주 सप्ताह สัปดาห์ أسبوع أسابيع هفته שבוע שבועות",
    ),
    (
        "month",
        "month months monat monate monaten mois mes meses mês mese mesi месяц месяца месяцев miesiąc miesięcy "
        "maand maanden månad "
        "månader måneder   bulan 个月 個月 ヶ月 か月 カ月 개월 महीने เดือน شهر أشهر ماه חודש חודשים",
    ),
    (
        "a",
        "year years yr yrs y.o. yo jahr jahre jahren an ans année années año años ano anos anno anni год года "
        "лет рік роки років rok "
        "lata lat jaar jaren år vuotta év éve yıl yaş năm tahun 年 岁 歲 歳 년 살 वर्ष साल ปี سنة سنوات سال שנה שנים",
    ),
    ("°C", "°c ℃ c celsius grad_celsius"),
    ("°F", "°f ℉ f fahrenheit"),
    ("K", "kelvin"),
    (
        "°",
        "° º deg degree degrees grad degré degrés "
        "grado grados gradi graus grau градус градуса градусов 度 도 डिग्री องศา درجة درجات درجه derece độ "
        "derajat stopni stopnie graden grader",
    ),
    ("km/h", "km/h kmh kph км/ч "),
    ("mph", "mph"),
    ("m/s", "m/s м/с"),
    ("Hz", "hz hertz гц"),
    ("kHz", "khz"),
    ("MHz", "mhz"),
    ("GHz", "ghz"),
    ("W", "w watt watts ватт"),
    ("kW", "kw"),
    ("MW", "mw"),
    ("kWh", "kwh"),
    ("V", "v volt volts вольт"),
    ("A", " amp amps"),
    ("mA", ""),
    ("Ω", "ω ohm ohms"),
    ("J", "j joule joules"),
    ("kJ", "kj"),
    ("N", "n newton newtons"),
    ("Pa", "pa"),
    ("kPa", "kpa"),
    ("hPa", "hpa"),
    ("bar", "bar"),
    ("ppm", "ppm"),
    ("ppb", "ppb"),
    ("mol", "mol"),
    ("dB", "db"),
    ("eV", "ev"),
    ("cal", "cal"),
    ("kcal", "kcal"),
    ("B", "byte bytes"),
    ("KB", "kb kib"),
    ("MB", "mb mib"),
    ("GB", "gb gib"),
    ("TB", "tb tib"),
    ("bit", "bit bits"),
    ("px", "px"),
    ("pp", "percentage_point percentage_points percent_points パーセントポイント 퍼센트포인트 퍼센트_포인트"),
    ("rpm", "rpm"),
    ("USD", "usd $ us$ dollar dollars dólares dólar dollari долларов доллара доллар 美元 ドル 달러 bucks"),
    ("EUR", "eur € euro euros евро 欧元 ユーロ 유로 يورو यूरो"),
    ("GBP", "gbp £ pound pounds"),
    ("cent", "¢  cents ct centimes céntimos центов копеек копейки копейка копійок grosze groszy"),
    ("JPY", "jpy yen 円 日元"),
    ("CNY", "cny rmb yuan 元 人民币"),
    ("INR", "inr ₹ rupee rupees rs रुपये रुपए"),
    ("RUB", "rub ₽ рублей рубля рубль руб руб."),
    ("KRW", "krw ₩ won 원"),
    ("TRY", "try ₺ lira tl"),
    ("CHF", "chf franken"),
    ("VND", "vnd ₫ đồng đ"),
    ("PLN", "pln zł złotych"),
    ("ILS", "ils ₪"),
    ("UAH", "uah ₴ грн"),
    ("THB", "thb ฿ บาท"),
    ("NGN", "ngn ₦"),
    (
        "person",
        "people persons person personen personnes personas pessoas persone человек "
        "человека людей osób personer 人 名 명 लोग คน شخص",
    ),
)
# a word or sign behind a number: the unit it stands for
UNITS: Final = {word: unit for unit, words in _UNITS for word in _words(words)}
# where no language is known, these are mostly English units
UNREAD_SCALES_IN["unknown"] = frozenset[str]().union(*UNREAD_SCALES_IN.values()) - {"miles", "cents"}
# symbols that are another unit in other capitals: milliwatts, and bits for bytes
CASED_UNITS: Final = {unit: unit for unit in "mW mHz mJ Kb Mb Gb Tb".split()}
# counters that a CJK number may carry
CJK_COUNTERS: Final = frozenset(
    "个個名人位只隻条條张張本台件次回度岁歲歳年月日天时時分秒元円块塊米克斤里公厘毫升吨枚匹頭头颗粒座家间間句字页頁杯瓶双套部つヶか番目倍%％"
)

# these part thousands by a space; elsewhere three groups of three may be three numbers
SPACE_GROUP_LANGUAGES: Final = frozenset(
    "bg ca cs de el es et eu fi fr gl hr hu it kk lt lv nb nn no pl pt ro ru sk sl sq sr sv uk".split()
)
BETWEEN_AFTER: Final = (
    "arasında",
    "के बीच",
    "사이",
    "の間",
    "之间",
    "之間",
    "között",
    "välillä",
    "এর মধ্যে",
    "இடையே",
    "మధ్య",
    "artean",
    "orasida",
    "арасында",
    "арасындагы",
    "хооронд",
    "միջև",
    "შორის",
    "መካከል",
    "बीचमा",
    "दरम्यान",
    "درمیان",
    "ನಡುವೆ",
    "ഇടയിൽ",
    "વચ્ચે",
    "ਵਿਚਕਾਰ",
    "අතර",
)
NEGATIONS_LATER: Final = (
    "아닙",
    "아닌",
    "않",
    "ではない",
    "ではありません",
    "じゃない",
    "じゃありません",
    "ではなく",
    "아니",
    "değil",
    " नहीं",
    " নয়",
    "不对",
    "不正确",
    "不是",
    "ไม่ใช่",
    "ไม่ถูก",
    "ليس",
    "نیست",
    "is wrong",
    "is incorrect",
    "is not right",
    "is not correct",
    "isn't right",
    "ist falsch",
)
