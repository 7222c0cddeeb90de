"""Words that name nothing: what begins a sentence or stands behind a number without saying what is counted."""

from collections.abc import Mapping

# A few dozen of each language that writes names with capitals, the languages before the colon. They need not be all,
# as a word that also stands in small letters is no name either; words that are names as well are left out.
_TABLE = """
en: a an the this that these those it its he she they we i you his her their our my your him them us who whom
  which what when where why how there here in on at by to from of for with without into onto over under about
  after before during since until between among through against as than then so thus hence therefore however also
  but and or nor not no yes if because while although though whereas is are was were be been being has have had do
  does did can could will would shall should may might must all any both each every few many more most much other
  some such only own same too very one two three first second third last next another there's it's that's i'm
  overall according based given finally additionally furthermore moreover meanwhile instead answer please note
  total altogether around per out up
de: der die das dem den des ein eine einer eines einem einen dies diese dieser dieses es er sie wir ich ihr sein
  seine ihre unser mein und oder aber nicht kein keine ja nein wenn weil da dass als wie wo wer was wann warum in
  im an am auf aus bei mit von vom zu zum zur nach vor für über unter um bis seit durch gegen ohne zwischen ist
  sind war waren wird wurde wurden hat haben hatte kann können muss auch nur noch schon sehr mehr viel viele alle
  jeder jede jedes so dann damit daher laut insgesamt etwa rund gab gibt
fr: le la les l un une des du de d au aux ce cet cette ces il elle ils elles on nous vous je tu son sa ses leur
  leurs mon ma mes notre votre et ou mais ni ne pas non oui si que qui quoi dont où quand comment pourquoi dans
  sur sous en par pour avec sans chez vers entre avant après depuis pendant contre selon est sont était étaient a
  ont avait été être fut peut doit tout tous toute toutes plus moins très aussi ainsi donc alors car comme y
  environ
es: el los las una unos unas lo al del este esta estos estas ese esa eso él ellos ellas yo tú usted nosotros su
  sus mi tu nuestro y e o u pero no sí si que quien cual cuando donde como por para con sin sobre entre hasta
  desde durante según es son era eran fue fueron ha había hay ser estar está están puede debe todo todos toda
  todas más menos muy también así entonces porque se me te nos les
it: il lo gli i uno una di del dello della dei degli delle da dal dalla in nel nella nei nelle con su sul sulla
  per tra fra questo questa questi queste quello quella egli essi noi voi io tu suo sua loro mio e ed o ma non sì
  se che chi cui quando dove come perché è sono era erano fu ha hanno aveva c'è ci può deve tutto tutti più meno
  molto anche così quindi secondo circa
pt: o os as um uma uns umas do da dos das no na nos nas ao à aos às pelo pela em por para com sem sobre entre até
  desde este esta isto esse essa isso ele ela eles elas eu você nós seu sua seus suas meu minha e ou mas não sim
  se que quem qual quando onde como porque é são era eram foi foram há tem têm tinha ser está estão pode deve todo
  todos mais menos muito também assim então segundo cerca
nl: de het een dit dat deze die hij zij ze wij we ik jij u zijn haar hun ons onze mijn en of maar niet geen ja nee
  als omdat wie wat waar wanneer hoe waarom in op aan bij met van voor naar uit over onder tussen door tegen
  zonder tot is waren was werd werden heeft hebben had kan moet er ook nog al alle veel meer minder zeer dus dan
  volgens ongeveer
sv da no nb nn: den det en ett de dem hon vi jag du ni sin sitt sina hennes deras och eller men inte nej ja om att
  som vem vad var när hur varför i på av för till från med utan över under mellan efter före är finns blev har
  hade kan ska må alla många mer mycket också så enligt cirka et der hun jeg ikke hvis at hvem hvad hvor hvornår
  hvorfor til fra uden er havde skal også ifølge ei ble hva når ut etter vart
fi: se ne hän he minä sinä me te tämä tuo nämä ja tai mutta ei on ovat oli olivat jos että kun koska kuka mikä
  missä myös noin mukaan
et: see need ta nad ma sa meie teie ning või aga ei jah kui et kes mis kus on olid oli ka umbes
pl: to ten ta te ci tamten on ona ono oni one my wy ja ty jego jej ich i oraz a albo lub ale nie tak jeśli że gdy
  kto co gdzie kiedy jak dlaczego w we na z ze do od po przy przez dla o u pod nad przed za jest są był była było
  byli były ma mają miał być może tylko też także bardzo więcej mniej według około
cs sk: tento tato toto ti ty je jsou byl byla bylo byli byly má mají a nebo ale ne ano pokud že když kdo kde kdy
  jak proč v ve s se k ke z ze do od po při pro o u pod nad před za také asi sú bol bola bolo boli alebo nie áno
  ak keď kto čo ako prečo so zo
ru: это этот эта эти тот та те то он она оно они мы вы я ты его её ее их наш мой свой и а но или не ни нет да если
  что чтобы когда где кто как почему который в во на с со к ко из от до по при для о об у под над перед за через
  между без был была было были есть будет также только ещё уже очень более менее всего все всех там тут здесь так
  согласно около
uk: це цей ця ці той він вона воно вони ми ви й та але або ні так якщо що щоб коли де хто як чому у з із зі від до
  про біля під над перед через був була було були є також лише дуже згідно близько
bg mk: това този тази тези той тя те ние вие аз ти и или но не да ако че когато къде кой какво как защо в във на с
  със от до за по при през беше са е бяха също
hr bs sr: ovo ovaj ova ovi on ona ono oni mi vi ja ti i ili ne da ako što kad gdje gde ko tko kako zašto u na s sa
  iz od do po za pri kod je su bio bila bilo bili takođe također prema oko то је су био била било били или али не
  да ако што
ro: acest această acesta aceasta el ea ei ele noi voi eu tu un o unui unei și sau dar nu da dacă că când unde cine
  ce cum de în pe la din cu fără pentru prin între după este sunt era erau a au fost avea conform circa
hu: az egy ez azok ezek ő ők mi ti én te és vagy de nem igen ha hogy amikor ahol aki ami mert van volt voltak lesz
  lett is csak már még nagyon több kevesebb szerint körülbelül összesen
el: ο η το οι τα του της των τον την στο στη στην στον στα στις σε από με για χωρίς μετά πριν και ή αλλά δεν δε μη
  ναι όχι αν ότι που όταν πώς γιατί ποιος τι είναι ήταν έχει είχε θα να αυτό αυτός αυτή αυτά εκεί εδώ σύμφωνα
  περίπου ένα μια ένας
tr az: bu şu o bunlar biz siz ben sen onlar bir ve veya ama değil evet hayır eğer ki ne nerede nasıl neden için
  ile gibi kadar göre sonra önce vardı var yok idi oldu olan da de en çok az daha toplam
vi: đó này kia nó họ tôi bạn chúng ta và hoặc nhưng không có là đã đang sẽ được bị ở tại trong ngoài trên dưới từ
  đến của cho với bởi vì nếu khi ai gì đâu sao các những một theo khoảng
id ms: itu ini dia mereka kami kita saya anda dan atau tetapi tidak ya jika bahwa ketika siapa apa di ke dari pada
  untuk dengan oleh adalah ada telah sudah akan dalam yang para sebuah menurut sekitar
tl: ang ng sa na ay mga si ni kay siya
sw: hii hiyo hizi yeye wao sisi na au lakini hapana ndiyo kama kwa ya wa za katika ni ilikuwa kuna
lv: šis tas viņš viņa viņi un vai bet nav ja kad kur kas ir bija ar no uz par pie tai
lt: šie šitas jis ji jie ir arba bet ne taip jei kad kur kas yra buvo su be iš į apie prie
sl: ta to in na pa ne da če ki ko kje kdo kaj je so bil bila iz
ca: això aquest aquesta els les amb i però perquè és són era van al als del dels hi
eu: ha hau hori da dira zen eta edo baina
"""


def _read(table: str) -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for entry in table.replace("\n  ", " ").strip().split("\n"):
        languages, _, words = entry.partition(":")
        found |= dict.fromkeys(languages.split(), frozenset(words.split()))
    return found


_WORDS = _read(_TABLE)


def function_words(language: str) -> frozenset[str]:
    """Those of the language and of English, in which models answer whatever they are asked."""
    return _WORDS["en"] | _WORDS.get(language, frozenset())
