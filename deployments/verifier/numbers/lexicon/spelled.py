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
es: doscientas trescientas cuatrocientas quinientas seiscientas setecientas ochocientas novecientas
pt: zero um uma dois duas três quatro cinco seis sete oito nove dez onze doze treze quatorze catorze quinze
pt: dezesseis dezasseis dezessete dezoito dezenove vinte trinta quarenta cinquenta sessenta setenta oitenta noventa
pt: cem cento duzentos trezentos mil milhão milhões metade meio terço quarto quartos
pt: quatrocentos quinhentos seiscentos setecentos oitocentos novecentos duzentas trezentas quatrocentas quinhentas
pt: seiscentas setecentas oitocentas novecentas
ru: ноль нуль один одна одно два две три четыре пять шесть семь восемь девять десять надцать одиннадцать двенадцать
ru: тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать двадцать тридцать сорок
ru: пятьдесят шестьдесят семьдесят восемьдесят девяносто сто двести триста четыреста пятьсот тысяча тысячи миллион
ru: половина половиной треть трети четверть четверти
ru: сот триллион
uk: нуль один одна два дві три чотири п'ять шість сім вісім дев'ять десять одинадцять дванадцять тринадцять двадцять
uk: тридцять сорок п'ятдесят шістдесят сімдесят вісімдесят сто двісті триста тисяча мільйон половина половиною
uk: чверть чверті
uk: надцять чотириста п'ятсот сот дев'яносто чотирнадцять
uk: шіст п'ят дев'ят
pl: zero jeden jedna dwa dwie trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście dwanaście trzynaście
pl: czternaście piętnaście szesnaście siedemnaście osiemnaście dziewiętnaście dwadzieścia trzydzieści czterdzieści
pl: pięćdziesiąt sześćdziesiąt siedemdziesiąt osiemdziesiąt sto dwieście trzysta tysiąc milion połowa pół półtora
pl: półtorej ćwierć
pl: czterysta set
pl: dziesiąt
cs: nula jeden jedna dva dvě tři čtyři pět šest sedm osm devět deset jedenáct dvanáct třináct čtrnáct patnáct dvacet
cs: třicet čtyřicet padesát šedesát sto tisíc milion polovina půl půldruhého čtvrt čtvrtina
cs: dvěstě set sta
cs: desát náct šedesát devadesát devatenáct šestnáct
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
ro: sute
ro: sprezece zeci șaizeci paisprezece șaisprezece cinsprezece
el: μηδέν ένα δύο τρία τέσσερα πέντε έξι επτά εφτά οκτώ οχτώ εννέα εννιά δέκα έντεκα δώδεκα είκοσι τριάντα σαράντα
el: πενήντα εκατό χίλια μισό μισή μισός μισά τέταρτο τέταρτα
el: δυο τρεις τέσσερις δεκα εξήντα εβδομήντα ογδόντα ενενήντα εκατόν χίλιοι χίλιες διακόσια διακόσιοι διακόσιες
el: τριακόσια τριακόσιοι τριακόσιες τετρακόσια τετρακόσιοι τετρακόσιες πεντακόσια πεντακόσιοι πεντακόσιες εξακόσια
el: εξακόσιοι εξακόσιες επτακόσια επτακόσιοι επτακόσιες εφτακόσια οκτακόσια οκτακόσιοι οκτακόσιες οχτακόσια
el: εννιακόσια εννιακόσιοι εννιακόσιες
vi: không hai ba bốn năm sáu bảy tám chín mười mươi trăm nghìn lăm mốt rưỡi nửa
id: nol satu dua tiga empat lima enam tujuh delapan sembilan sepuluh sebelas belas puluh seratus ratus seribu ribu
id: setengah
ms: kosong satu dua tiga empat lima enam tujuh lapan sembilan sepuluh sebelas belas puluh seratus ratus seribu ribu
ms: separuh
sw: sifuri moja mbili tatu nne tano sita saba nane tisa kumi ishirini thelathini arobaini hamsini sitini mia elfu nusu
tl: isa dalawa tatlo apat lima anim pito walo siyam sampu dalawampu tatlumpu daan libo kalahati
tl: dalawang tatlong apat na limang anim pitong walong siyam daang daan
ar: صفر اثنان اثنين ثلاثة ثلاث أربعة أربع خمسة خمس ستة ست سبعة سبع ثمانية ثمان تسعة تسع عشرة عشر عشرون عشرين ثلاثون
ar: ثلاثين أربعون أربعين خمسون خمسين ستون ستين سبعون سبعين ثمانون ثمانين تسعون تسعين مئة مائة ألف مليون نصف ربع ثلث
ar: وعشرون وثلاثون وأربعون وخمسون ونصف وربع وثلث
ar: مئتان مائتان مئتين مائتين مئتا مائتا ثمانمئة ثمانمائة ثماني ثلاثمئة ثلاثمائة أربعمئة أربعمائة خمسمئة خمسمائة ستمئة
ar: ستمائة سبعمئة سبعمائة تسعمئة تسعمائة ألفان ألفين مليونان مليونين
fa: صفر یک دو سه چهار پنج شش هفت هشت نه ده یازده دوازده سیزده بیست سی چهل پنجاه شصت هفتاد هشتاد نود صد هزار نیم نصف
fa: دویست سیصد پانصد یازده شانزده هفده هجده نوزده میلیون
he: אפס אחת אחד שתיים שניים שלוש שלושה ארבע ארבעה חמש חמישה שש שישה שבעה שמונה תשע תשעה עשר עשרה עשרים שלושים
he: ארבעים חמישים מאה אלף חצי
he: מאתיים מאות אלפיים שישים שבעים שמונים תשעים מיליון
hi: शून्य एक दो तीन चार पाँच पांच छह छः सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस बीस तीस
hi: चालीस
hi: पचास साठ सत्तर अस्सी नब्बे सौ हज़ार बयालीस इक्कीस बाईस पच्चीस आधा
hi: तेईस चौबीस छब्बीस सत्ताईस अट्ठाईस उनतीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस इकतालीस
hi: तैंतालीस चौवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन
hi: उनसठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर
hi: सतहत्तर अठहत्तर उनासी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी अट्ठासी नवासी इक्यानवे बानवे तिरानवे
hi: चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे डेढ़ ढाई
sk: pol polovica štvrť
sk: nula jeden jedna dva dve tri štyri päť šesť sedem osem deväť desať jedenásť dvanásť trinásť štrnásť pätnásť
sk: šestnásť násť dvadsať tridsať štyridsať päťdesiat šesťdesiat desiat sto dvesto tristo tisíc milión
sl: pol polovica četrt
sl: nič ena dva dve tri štiri pet šest sedem osem devet deset enajst dvanajst trinajst najst dvajset trideset in
sl: štirideset petdeset sto dvesto tristo tisoč milijon
lt: pusė pusės
lt: nulis du dvi trys keturi penki šeši septyni aštuoni devyni dešimt vienuolika dvylika trylika keturiolika
lt: penkiolika šešiolika septyniolika aštuoniolika devyniolika dvidešimt trisdešimt keturias penkias šešias
lt: septynias aštuonias devynias šimtas šimtai šimtų tūkstantis milijonas
lv: puse pus
lv: nulle divi trīs četri pieci seši septiņi astoņi deviņi desmit vien div trīs četr piec seš septiņ astoņ deviņ
lv: padsmit simts simti simt tūkstotis tūkstoši miljons
et: pool poole
et: null kaks kolm neli viis kuus seitse kaheksa üheksa kümme teist kümmend sada tuhat miljon
bn: শূন্য এক দুই তিন চার পাঁচ ছয় সাত আট নয় দশ বিশ কুড়ি ত্রিশ চল্লিশ পঞ্চাশ একশ একশো শত হাজার অর্ধেক বিয়াল্লিশ
bn: শ এগারো বারো তেরো চৌদ্দ পনেরো ষোলো সতেরো আঠারো উনিশ একুশ বাইশ পঁচিশ পঞ্চাশ ষাট সত্তর আশি নব্বই দেড় আড়াই
ko: 하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉 열 스물 서른 마흔 쉰 예순 일흔 여든 아흔 절반
bg: нула едно две два три четири пет шест седем осем девет десет двадесет тридесет четиридесет сто хиляда половина
bg: четвърт
bg: един една единадесет дванадесет тринадесет найсет двайсет трийсет двеста триста стотин хиляди милион милиона
bg: надесет
hr: nula jedan dva dvije tri četiri pet šest sedam osam devet deset jedanaest dvanaest dvadeset trideset četrdeset
hr: pedeset sto tisuća pola pol
hr: naest dvjesta dvjesto trista tristo tisuće milijun
hr: šesnaest šezdeset devedeset
sr: нула један два две три четири пет шест седам осам девет десет двадесет тридесет четрдесет сто nula dva tri
sr: četiri pet šest sedam пола половина pola
sr: двоје две двеста двјеста тристо триста сто стотине једанаест дванаест тринаест наест двадесет хиљада хиљаде
sr: jedanaest naest dvadeset trideset deset sto dvesta dvesto trista tristo hiljada hiljade šest sedam osam devet
sr: šesnaest шеснаест šezdeset devedeset шездесет деведесет
ca: zero dos tres quatre cinc sis set vuit nou deu onze dotze tretze vint trenta quaranta cinquanta cent mil
ca: meitat mig mitja
ca: dues cents centes quinze catorze setze disset divuit dinou vint-i seixanta setanta vuitanta noranta milió milions
mk: нула еден една едно два две три четири пет шест седум осум девет десет единаесет дванаесет тринаесет наесет
mk: дваесет триесет четириесет педесет шеесет седумдесет осумдесет деведесет сто двесте триста стотини шестотини
mk: илјада илјади милион половина
bs: nula jedan dva dvije tri četiri pet šest sedam osam devet deset jedanaest dvanaest naest dvadeset trideset
bs: četrdeset pedeset šezdeset sto dvjesta dvjesto trista tristo hiljada hiljade pola
bs: šesnaest devedeset
be: нуль адзін два дзве тры чатыры пяць шэсць сем восем дзевяць дзесяць адзінаццаць дванаццаць ццаць дваццаць
be: трыццаць сорак дзесят пяцьдзясят шэсцьдзясят семдзесят восемдзесят дзевяноста сто дзвесце трыста чатырыста сот
be: тысяча тысячы мільён палова
be: чатырнаццаць пятнаццаць шаснаццаць сямнаццаць васемнаццаць дзевятнаццаць трынаццаць
gl: cero un dous dúas tres catro cinco seis sete oito nove dez once doce trece catorce quince dezaseis dezasete
gl: dezaoito dezanove vinte trinta corenta cincuenta sesenta setenta oitenta noventa cen cento douscentos douscentas
gl: trescentos catrocentos cincocentos quiñentos seiscentos setecentos oitocentos novecentos metade
eu: zero bi hiru lau bost sei zazpi zortzi bederatzi hamar hamaika hamabi hamahiru hamalau hamabost hamasei
eu: hamazazpi hemezortzi hemeretzi hogei hogeita berrogei berrogeita hirurogei hirurogeita laurogei laurogeita ehun
eu: berrehun hirurehun laurehun mila erdi
af: nul een twee drie vier vyf ses sewe agt nege tien elf twaalf dertien veertien vyftien sestien sewentien agtien
af: negentien twintig dertig veertig vyftig sestig sewentig tagtig negentig en honderd duisend miljoen half
is: núll tveir tvær tvö þrír þrjár þrjú fjórir fjórar fjögur fimm sex sjö átta níu tíu ellefu tólf þrettán fjórtán
is: fimmtán sextán sautján átján nítján tuttugu þrjátíu fjörutíu hundrað hundruð þúsund milljón
sq: zero dy tre tri katër pesë gjashtë shtatë tetë nëntë dhjetë mbë njëzet tridhjetë dyzet qind njëqind mijë gjysmë
mt: żero tnejn żewġ tlieta tliet erbgħa ħamsa ħames sitta sitt sebgħa tmienja tmien disgħa għaxra
mt: ħdax tnax tlettax erbatax ħmistax sittax sbatax tmintax dsatax għoxrin tletin erbgħin ħamsin sittin sebgħin
mt: tmenin disgħin mija mitejn elf elfejn elef nofs
ga: náid trí ceathair ceithre cúig seacht ocht naoi deich déag fiche tríocha daichead caoga seasca seachtó ochtó
ga: nócha céad míle
cy: dau dwy tri tair pedwar pedair pump chwech saith wyth naw deg ugain cant mil hanner
eo: nul du tri kvar kvin ses sep naŭ dek cent mil duono
ka: ნული ორი სამი ოთხი ხუთი ექვსი შვიდი რვა ცხრა ათი თერთმეტი თორმეტი ცამეტი თოთხმეტი თხუთმეტი თექვსმეტი ჩვიდმეტი
ka: თვრამეტი ცხრამეტი ოცი ოცდა ორმოც სამოც ოთხმოც და ი ორას სამას ოთხას ხუთას ექვსას შვიდას რვაას ცხრაას ასი
ka: ათას ნახევარი
hy: զրո մեկ երկու երեք չորս հինգ վեց յոթ ութ ինը տասը տասն քսան երեսուն քառասուն հիսուն վաթսուն յոթանասուն ութսուն
hy: իննսուն հարյուր հազար միլիոն կես
az: sıfır iki üç dörd beş altı yeddi səkkiz doqquz on iyirmi otuz qırx əlli altmış yetmiş səksən doxsan yüz min yarım
uz: nol ikki uch to'rt besh olti yetti sakkiz to'qqiz o'n yigirma o'ttiz qirq ellik oltmish yetmish sakson to'qson
uz: yuz ming yarim
kk: нөл екі үш төрт бес алты жеті сегіз тоғыз он жиырма отыз қырық елу алпыс жетпіс сексен тоқсан жүз мың жарты
ky: нөл эки үч төрт беш алты жети сегиз тогуз он жыйырма отуз кырк элүү алтымыш жетимиш сексен токсон жүз миң жарым
mn: тэг хоёр гурав гурван дөрөв дөрвөн тав таван зургаа зургаан долоо долоон найм найман ес есөн арав арван хорь хорин
mn: гуч гучин дөч дөчин тавь тавин жар жаран дал далан ная наян ер ерэн зуу зуун мянга
ta: பூஜ்ஜியம் ஒன்று இரண்டு மூன்று நான்கு ஐந்து ஆறு ஏழு எட்டு ஒன்பது பத்து பதினொன்று பன்னிரண்டு பதின்மூன்று பதினான்கு
ta: பதினைந்து பதினாறு பதினேழு பதினெட்டு பத்தொன்பது இருபது இருபத்தி முப்பது முப்பத்தி நாற்பது நாற்பத்தி ஐம்பது ஐம்பத்தி
ta: அறுபது அறுபத்தி எழுபது எழுபத்தி எண்பது எண்பத்தி தொண்ணூறு தொண்ணூற்றி நூறு நூற்றி இருநூறு இருநூற்றி முந்நூறு
ta: முன்னூறு நானூறு ஐந்நூறு ஐநூறு அறுநூறு எழுநூறு எண்ணூறு தொள்ளாயிரம் பாதி
te: సున్నా రెండు మూడు నాలుగు ఐదు ఆరు ఏడు ఎనిమిది తొమ్మిది పది పదకొండు పన్నెండు పదమూడు పద్నాలుగు పదిహేను పదహారు పదిహేడు
te: పద్దెనిమిది పంతొమ్మిది ఇరవై ముప్పై నలభై యాభై అరవై డెబ్బై ఎనభై తొంభై వంద వందల నూట నూరు సగం
kn: ಸೊನ್ನೆ ಎರಡು ಮೂರು ನಾಲ್ಕು ಐದು ಆರು ಏಳು ಎಂಟು ಒಂಬತ್ತು ಹತ್ತು ಹನ್ನೊಂದು ಹನ್ನೆರಡು ಹದಿಮೂರು ಹದಿನಾಲ್ಕು ಹದಿನೈದು ಹದಿನಾರು
kn: ಹದಿನೇಳು ಹದಿನೆಂಟು ಹತ್ತೊಂಬತ್ತು ಇಪ್ಪತ್ತು ಮೂವತ್ತು ನಲವತ್ತು ಐವತ್ತು ಅರವತ್ತು ಎಪ್ಪತ್ತು ಎಂಬತ್ತು ತೊಂಬತ್ತು ನೂರು ಇನ್ನೂರು ಮುನ್ನೂರು
kn: ನಾನ್ನೂರು ನಾನೂರು ಐನೂರು ಅರ್ಧ
ml: പൂജ്യം രണ്ട് മൂന്ന് നാല് അഞ്ച് ആറ് ഏഴ് എട്ട് ഒമ്പത് ഒൻപത് പത്ത് പതിനൊന്ന് പന്ത്രണ്ട് പതിമൂന്ന് പതിനാല് പതിനഞ്ച് പതിനാറ്
ml: പതിനേഴ് പതിനെട്ട് പത്തൊമ്പത് ഇരുപത് മുപ്പത് നാൽപ്പത് നാല്പത് അമ്പത് അറുപത് എഴുപത് എൺപത് തൊണ്ണൂറ് നൂറ് ഇരുനൂറ് ഇരുന്നൂറ്
ml: മുന്നൂറ് നാനൂറ് അഞ്ഞൂറ് പകുതി
gu: શૂન્ય બે ત્રણ ચાર પાંચ સાત આઠ નવ દસ અગિયાર બાર તેર ચૌદ પંદર સોળ સત્તર અઢાર ઓગણીસ વીસ ત્રીસ ચાલીસ પચાસ સાઠ
gu: સિત્તેર એંસી નેવું સો બસો અડધો અડધા અડધી
mr: शून्य दोन तीन चार पाच सहा सात आठ नऊ दहा अकरा बारा तेरा चौदा पंधरा सोळा सतरा अठरा एकोणीस वीस तीस चाळीस पन्नास
mr: साठ सत्तर ऐंशी नव्वद शंभर दोनशे तीनशे शे अर्धा दीड अडीच
ne: शून्य दुई तीन चार पाँच छ सात आठ नौ दश एघार बाह्र तेह्र चौध पन्ध्र सोह्र सत्र अठार उन्नाइस बीस तीस चालीस पचास
ne: साठी सत्तरी असी नब्बे सय आधा
pa: ਸਿਫ਼ਰ ਦੋ ਤਿੰਨ ਚਾਰ ਪੰਜ ਛੇ ਸੱਤ ਅੱਠ ਨੌਂ ਦਸ ਗਿਆਰਾਂ ਬਾਰਾਂ ਤੇਰਾਂ ਚੌਦਾਂ ਪੰਦਰਾਂ ਵੀਹ ਤੀਹ ਚਾਲੀ ਪੰਜਾਹ ਸੱਠ ਸੱਤਰ ਅੱਸੀ
pa: ਨੱਬੇ ਸੌ ਅੱਧਾ
ur: صفر دو تین چار پانچ چھ سات آٹھ نو دس گیارہ بارہ تیرہ چودہ پندرہ سولہ سترہ اٹھارہ انیس بیس اکیس بائیس پچیس تیس چالیس
ur: پچاس ساٹھ ستر نوے سو آدھا ڈیڑھ ڈھائی
si: දෙක තුන හතර පහ හය හත අට නවය දහය එකොළහ දොළහ විස්ස තිහ හතළිහ පනහ හැට හැත්තෑව අසූව අනූව සියය දෙසීය දෙසියය තුන්සීය
th: ศูนย์ หนึ่ง สอง สาม สี่ ห้า หก เจ็ด แปด เก้า สิบ เอ็ด ยี่ ร้อย พัน หมื่น แสน ล้าน ครึ่ง
lo: ສູນ ໜຶ່ງ ສອງ ສາມ ສີ່ ຫ້າ ຫົກ ເຈັດ ແປດ ເກົ້າ ສິບ ເອັດ ຊາວ ຮ້ອຍ ພັນ ໝື່ນ ແສນ ລ້ານ
km: សូន្យ មួយ ពីរ បី បួន ប្រាំ ដប់ ម្ភៃ សាមសិប សែសិប ហាសិប ហុកសិប ចិតសិប ប៉ែតសិប កៅសិប រយ
my: သုည ဆယ် တစ်ရာ နှစ်ရာ သုံးရာ လေးရာ ငါးရာ ခြောက်ရာ ခုနစ်ရာ ရှစ်ရာ ကိုးရာ
jv: nol siji loro telu papat lima enem pitu wolu sanga sepuluh puluh satus atus rong rongatus sewu
am: ዜሮ ሁለት ሶስት ሦስት አራት አምስት ስድስት ሰባት ስምንት ዘጠኝ አስር አሥር ሃያ ሰላሳ አርባ ሃምሳ ስልሳ ሰባ ሰማንያ ዘጠና መቶ ግማሽ
ha: sifili biyu uku huɗu hudu biyar shida bakwai takwas tara goma ashirin talatin arba'in hamsin sittin saba'in
ha: tamanin casa'in ɗari dari
so: eber laba saddex afar shan lix toddoba siddeed sagaal toban labaatan soddon afartan konton lixdan toddobaatan
so: siddeetan sagaashan boqol
""")
_ARTICLES: Final = frozenset(
    "ein eine eins und en ën een et un une uno una um uma один одна одно jeden jedna ett bir egy to on isa satu "
    "moja एक এক unu yksi "
    "една едно jedan един یک سه ده نه دو ni ti set sei năm không một der tre hat bin yüz "
    "een in kuus და ი หนึ่ง ໜຶ່ງ មួយ մեկ ер жар дал ная".split()
)
_UNSPACED_BEHIND_DIGIT: Final = re.compile(r"\d[^\S\n]{1,3}(?=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]$)")
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
        # a script without spaces may go on with the noun: `5 สองร้อยคน`
        ahead = plain[max(0, found.start() - 4) : found.start() + 1]
        number = pattern.match(word) if _UNSPACED_BEHIND_DIGIT.search(ahead) else None
        if len(word) <= _MAX_WORD_CHARS and word not in _ARTICLES and (number or pattern.fullmatch(word)):
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
