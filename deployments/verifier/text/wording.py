"""Words by which answers deny, doubt, join and conclude, in the languages that laar's users write.

A language that is missing here loses verdicts, not their truth: what is not understood settles nothing.
"""

import re
from functools import lru_cache
from unicodedata import normalize

_RING_AND_TONE = re.compile("([\u0e4d\u0ecd])([\u0e48-\u0e4b\u0ec8-\u0ecb])")


def words(spaced: str, unspaced: str = "") -> str:
    """An expression for one of the words; those of scripts without spaces may touch their neighbours."""
    apart = rf"(?<![^\W\d_])(?:{spaced})(?![^\W\d_])"
    # in the form of the texts that are searched, of which some are folded: those have a tone before the ring of am
    found = normalize("NFKC", rf"(?:{apart}|{unspaced})" if unspaced else rf"(?:{apart})")
    return _RING_AND_TONE.sub(r"(?:\1\2|\2\1)", found)


CONCLUDES = (
    # words after which, or before which, a letter is the answer
    "answers?|ans|odpoveď|պատասխան(?:ը)?|պատասխանն|პასუხია?|መልስ|erantzun\\w*|zuzena|svar|rétt|верният|тачан|дұрыс"
    "|жауап|solution|correct|right|true|choose|chose|pick|select|choice|conclude|conclusion|therefore|thus|hence"
    "|so|final|best|think|believe|say|guess|go with|going with|leaves|remains|that leaves|antwort|lösung"
    "|richtige?[rns]?|korrekte?|wähle|nehme|also|folglich|somit|daher|bleibt|denke|glaube|réponse|bonne|correcte?"
    "|exacte?|choisis|donc|ainsi|pense|reste|respuesta|solución|correct[ao]|elijo|escojo|luego|creo|queda"
    "|resposta|solução|corret[ao]|cert[ao]|escolho|portanto|logo|acho|gabarito|risposta|soluzione|corrett[ao]"
    "|giust[ao]|esatt[ao]|scelgo|quindi|dunque|penso|ответ(?:ом)?|верн(?:ый|ая|о|ым|ой)|правильн(?:ый|ая|о|ым|ой)"
    "|выбираю|значит|итак|следовательно|думаю|остаётся|відповідь|правильн(?:а|ий|о)|вірн(?:а|ий|о)|отговор(?:ът)?"
    "|верен|правилен|вярно|одговор|odpowiedź|odpowiedzią|poprawn[aąey]|prawidłow[aąey]|wybieram|więc|zatem"
    "|odpověď|správn[áýě]|odgovor|točan|răspuns(?:ul)?|corect[ă]?|válasz|helyes|jó|vastaus|oikea|oikein|vastus"
    "|õige|atsakymas|atbilde|cevap|cevabı|yanıt|doğru(?:dur)?|seçiyorum|bence|cavab|javob|antwoord|juiste?|goede?"
    "|kies|dus|svaret?|rätt|riktigt?|rigtigt?|väljer|alltså|därför|đáp án|câu trả lời|đúng|chọn|vậy"
    "|jawaban(?:nya)?|benar|pilih|jadi|jibu|sahihi|sagot|απάντηση|σωστ[ήόά]|επιλέγω|άρα|תשובה|התשובה|נכונה|הנכונה"
    "|לכן|בוחר|בוחרת|الإجابة|الاجابة|إجابة|الجواب|جواب|الصحيحة|صحيحة|صحيح|أختار|إذن|لذلك|پاسخ|گزینه درست|درست"
    "|صحیح|درست جواب|उत्तर|जवाब|सही|इसलिए|উত্তর|সঠিক|பதில்|சரியான|సమాధానం|સાચો|જવાબ|ਜਵਾਬ|ഉത്തരം|ಉತ್ತರ"
)
CONCLUDES_UNSPACED = (
    "答案|选择|選擇|选|選|正确|正確|所以|因此|故|应为|答え|答|正解|正しい|よって|したがって|정답|답|따라서"
    "|그러므로|맞|옳|คำตอบ|ถูกต้อง|ตอบ|เลือก|ຄຳຕອບ|ចម្លើយ|အဖြေမှန်|အဖြေ|->|→|=>|⇒|∴"
)
FILLS = (
    # words that say nothing of their own between a conclusion and its letter
    "is|are|was|be|yra|ir|fits|works|matches|holds|going|е|је|és|է|ነው|da|must|should|would|will|it's|its|it|that's"
    "|that|this|the|my|an?|of|to|for|as"
    "|definitely|clearly|certainly|surely|obviously|indeed|simply|just|likely|probably|most|only|option|letter"
    "|alternative|answer|with|i'd|i'll|i|we|get|have|seems|appears|one|here|given|below|following|yes|ist|es|das"
    "|die|der|lautet|wäre|ich|buchstabe|auswahl|möglichkeit|eindeutig|sicher|wohl|damit|dass|ja|est|c'est|c|la|le"
    "|l'option|l|lettre|proposition|serait|que|oui|el|opción|letra|alternativa|inciso|sería|sí|é|o|a|opção|seria"
    "|sim|è|opzione|lettera|sarebbe|si|sì|это|вариант(?:ом)?|буква|буквой|под|является|за|есть|тут|здесь|мой|наш"
    "|це|варіант|є|да|так|jest|opcja|wariant|litera|tak|je|možnost|písmeno|este|varianta|opțiunea|az|betű|opció"
    "|on|vaihtoehto|kirjain|şıkkı(?:dır)?|seçeneği(?:dir)?|şık|seçenek|olarak|olmalı|d[iıuü]r|bu|optie|de|het"
    "|alternativ(?:et)?|är|er|det|den|mulighed|là|phương án|lựa chọn|câu|đó|adalah|opsi|pilihan|huruf|yang|ni|ang"
    "|ay|είναι|η|το|επιλογή|ο|היא|הוא|אפשרות|זה|זו|סעיף|هي|هو|الخيار|خيار|الحرف|حرف|است|گزینه|ہے|آپشن|है|हैं"
    "|विकल्प|है कि|হল|হলো|বিকল্প|ఎంపిక|વિકલ્પ|છે|விருப்பம்|text|textbf|mathbf|mathrm|boxed|mathsf|bf|rm"
)
FILLS_UNSPACED = (
    "选项|選項|选择|選擇|選択肢|是|为|為|项|項|就是|应该|而|的|了|选|選|です|である|だ|は|が|の|こと|これ|番|と"
    "|思います|なり|ます|でしょう|입니다|이다|이에요|예요|은|는|이|가|번|선택지|보기|옵션|항|것|라고|생각합니다"
    "|คือ|ข้อ|ตัวเลือก|ครับ|ค่ะ|ແມ່ນ|ຂໍ້|គឺ|မှာ|က"
)
JOINS = (
    # words between letters of which none is preferred
    "and|or|nor|either|both|versus|vs|und|oder|noch|sowie|bzw|et|ou|ni|y|o|u|e|ed|né|и|или|либо|ни|та|або|чи|i"
    "|oraz|lub|albo|ani|a|nebo|sau|și|és|vagy|ja|tai|ve|veya|ya da|ile|en|of|och|eller|og|và|hoặc|hay|dan|atau|na"
    "|au|ir|και|ή|ו|או|و|أو|یا|اور|और|या|এবং|বা|অথবা"
)
JOINS_UNSPACED = (
    "でも|和|或者|或|与|與|及|还是|還是|跟|と|や|か|または|および|와|과|또는|및|이나|나|혹은|และ|หรือ|->|→|=>|⇒"
)
TURNS = (
    # words that part what is denied or was thought before from what is said instead
    "but|yet|rather|instead|however|actually|no wait|wait|sondern|aber|jedoch|doch|mais|plutôt|sino|pero|mas|porém|ma"
    "|bensì|invece|а|но|однако|але|ale|lecz|jednak|hanem|vaan|mutta|ama|fakat|aksine|maar|utan|men|mà|nhưng"
    "|tetapi|melainkan|αλλά|אלא|אבל|بل|لكن|ولكن|बल्कि|लेकिन|কিন্তু"
)
TURNS_UNSPACED = "而是|但是|但|而|しかし|(?<![A-Ja-jぁ-んァ-ヴー一-龯])でも|하지만|그러나|แต่"
BECAUSE = (
    "because|since|as|for the reason|weil|denn|car (?:il|elle|on|le|la|les|ce|c)|parce que|puisque|porque|ya que"
    "|pois|perché|poiché|потому что|так как|поскольку|тому що|ponieważ|bo|protože|deoarece|mert|koska|çünkü|omdat"
    "|eftersom|fordi|vì|bởi vì|karena|γιατί|διότι|כי|لأن|لان|زیرا|क्योंकि|কারণ"
)
BECAUSE_UNSPACED = "因为|因為|由于|なぜなら|왜냐하면|เพราะ"
REVISES = (
    # words after which another conclusion takes the place of the one before
    "no|so|thus|therefore|hence|finally|final|thought|seems|seemed|first|initially|looks|looked|sorry|correction"
    "|mistake|reconsider\\w*|on reflection|in fact|folglich|somit|zuerst|zunächst|dachte|nein|donc|d'abord"
    "|finalement|en fait|non|luego|por lo tanto|al principio|finalmente|en realidad|portanto|logo|na verdade"
    "|quindi|infatti|итак|значит|сначала|думала?|нет|więc|zatem|najpierw|dolayısıyla|önce|hayır|vậy|ban đầu|jadi"
    "|dus|eerst|först|først|alltså|لذلك|إذن|इसलिए|पहले|לכן|άρα"
)
REVISES_UNSPACED = "所以|因此|其实|起初|最初|一开始|したがって|よって|따라서|처음|ดังนั้น"
_DENIES = (
    # words that deny what follows them
    "not|never|neither|nor|none|no|without|cannot|cant|isnt|dont|\\w+n't|rules? out|ruled out|ruling out"
    "|eliminat(?:e|es|ed|ing)|exclud(?:e|es|ed|ing)|except|reject|discard|wrong|incorrect|false|hardly"
    "|(?:any|every)(?:thing|one|body) but|all but|other than|instead of|rather than|nicht"
    "|kein(?:e[srnm]?)?|niemals|weder|noch|falsch"
    "|ausgeschlossen|außer|statt|pas|ni|aucune?|jamais|sauf|exclus|élimine|ninguna?|nunca|excepto|salvo|descarto"
    "|não|nem|nenhuma?|exceto|non|né|nessuna?|mai|tranne|escludo|не|ни|нет|никогда|кроме|исключаем|исключить"
    "|неверно|ні|ані|крім|нито|освен|nie|ani|żadna|oprócz|nikdy|žádná|ne|nijedan|nu|nici|sem|kivéve|ei|eikä|mitte"
    "|değil|hariç|yanlış|niet|geen|behalve|inte|varken|ej|ikke|hverken|undtagen|không|không phải|chẳng|trừ|bukan"
    "|tidak|kecuali|siyo|si|hindi|δεν|όχι|ούτε|εκτός|לא|אינה|אינו|אין|חוץ|ליس|ليست|ليس|لا|ليسا|غير|عدا|نه|نہیں|न"
    "|नहीं|নয়|না|அல்ல|కాదు|નથી"
)
_DENIES_UNSPACED = "不是|与其|與其|并非|並非|不|非|没有|沒有|排除|除了|错误|錯誤|안|ไม่ใช่|ไม่|ยกเว้น|ບໍ່|មិន"
_DOUBTS = (
    # words that leave open what follows them
    "(?:many|most|some|others?)(?: people| students| readers)? (?:\\w+ )?(?:pick|choose|select|guess|think|say)"
    "|(?:people|students|readers) (?:\\w+ )?(?:pick|choose|select|guess)|viele (?:wählen|nehmen|tippen)"
    "|beaucoup (?:choisissent|prennent)|muchos eligen|molti scelgono|muitos escolhem|velen kiezen|många väljer"
    "|mange v(?:æ|e)lger|wielu wybiera|mnozí volí|многие выбирают|багато хто обирає|birçok kişi|sokan|mulți aleg"
    "|πολλοί επιλέγουν|moni valitsee|كثيرون يختارون|רבים בוחרים|कई लोग|banyak yang memilih|nhiều người chọn"
    "|if|whether|unless|doubt|unlikely|could|might|may|maybe|perhaps|possibly|wenn|ob|falls|vielleicht|könnte"
    "|möglicherweise|si|peut-être|pourrait|soit|quizás?|tal vez|podría|talvez|poderia|forse|potrebbe|если|ли"
    "|может|возможно|якщо|можливо|jeśli|czy|może|eğer|belki|olabilir|als|misschien|kan|om|kanske|kunde|nếu|có thể"
    "|jika|mungkin|αν|ίσως|μπορεί|אם|אולי|إذا|ربما|قد|اگر|शायद|यदि"
)
_DOUBTS_UNSPACED = (
    "(?:很多|许多|許多|多数|有)人(?:会)?[选選]|多くの人|많은 사람|หลายคนเลือก"
    "|如果|可能|也许|也許|或者|或|还是|もし|かも|または|만약|아마|또는|ถ้า|อาจ|หรือ"
)
_COPULAS = (
    "is|are|was|were|be|can|could|must|should|would|will|seems|looks|ist|sind|wäre|kann|scheint|est|sont|serait"
    "|es|son|sería|é|são|è|sono|это|является|є|jest|są|to|je|jsou|este|e|olan|zijn|är|er|on|là|adalah|είναι|הוא"
    "|היא|هو|هي|definitely|clearly|simply|also|cannot|option|choice"
)
_FALSE = (
    # words for what is not right
    "wrong|incorrect|false|untrue|impossible|falsch|unmöglich|faux|fausse|incorrecte?|fausses"
    "|incorrect[ao]s?|fals[ao]|errad[ao]|equivocad[ao]|sbagliat[ao]|errat[ao]|неверн\\w*|неправильн\\w*"
    "|ошибочн\\w*|ложн\\w*|невірн\\w*|хибн\\w*|грешен|грешно|погрешно|błędn\\w*|niepoprawn\\w*"
    "|fałszyw\\w*|špatn\\w*|nesprávn\\w*|greșit\\w*|incorect\\w*|hibás|rossz|helytelen|väärä|väärin"
    "|değil(?:dir)?|yanlış(?:tır)?|hatalı|fout|onjuist|fel|לא נכון|forkert|feil|sai|salah|makosa|λάθος|λανθασμένη"
    "|שגויה|שגוי|خطأ|خاطئة|خاطئ|نادرست|غلط|गलत|ग़लत|असत्य|चूक|चुकीच[ेाी]|ভুল|মিথ্যা|தவறு|தவறான\\w*|தப்பு"
    "|ખોટ[ુંોીા]+|ਗਲਤ|ਗ਼ਲਤ|తప్పు|ತಪ್ಪು|തെറ്റ്|തെറ്റാണ്|වැරදි|fałsz\\w*|nieprawd\\w*|błąd|błędem|zł[aey]"
    "|neplat\\w*|nepravd\\w*|chyb\\w*|omyl|falošn\\w*|zle|špatně|неправда|ложь|ошибк\\w*|неверно"
    "|помилк\\w*|неправд\\w*|няправільн\\w*|памылк\\w*|няправда|грешк\\w*|неистин\\w*|невярн\\w*"
    "|нетачн\\w*|неточн\\w*|greška|netočn\\w*|netačn\\w*|pogrešn\\w*|kriv[oai]|lažn\\w*|napačn\\w*|narobe"
    "|klaiding\\w*|neteising\\w*|klaida|neparei\\w*|aplam\\w*|kļūd\\w*|vigane|ebaõige|hamis|téves|fals"
    "|falsă|eroare|eronat[ăe]?|gabim|gabuar|pasaktë|oker|gaizki|faltsu\\w*|erróne[ao]|errone[ao]|anghywir"
    "|mícheart|bréag\\w*|rang(?:t|ur)|röng|falsk\\w*|felaktig\\w*|oriktig\\w*|galt|usan[nt]\\w*|ukorrekt"
    "|foutie[fv]\\w*|verkeerd|onwaar|vals|verkeerde|irrig|erreur|erronée?|yalan|hata|səhv\\w*|yanlışdır"
    "|yalnışdır|noto['‘’ʻ]g['‘’ʻ]ri|xato|қате|ката|буруу|ошибочно|მცდარი\\w*|არასწორი\\w*|შეცდომა"
    "|սխալ\\w*|ψευδ\\w*|ψέμα|εσφαλμέν\\w*|שקר|טעות|باطلة?|كاذبة?|غير صحيح\\w*|اشتباه|keliru|palsu|sayop"
    "|ስህተት|ሐሰት|kuskure|khalad|qalad|falsum|malĝust\\w*"
)
_NOT = (
    # words that deny what stands before them, and may say much else
    "not|no|never|ruled out|eliminated|excluded|out|too|cannot|can't|\\w+n't|fails?|does not|doesn't"
    "|nicht|nein|zu|scheidet|entfällt|ausgeschlossen|pas|n'est|ne|non|trop|exclue?|demasiado|não|muito"
    "|troppo|не|нет|исключ\\w*|слишком|ні|nie|odpada|není|nu|nem|ei|vale|niet|inte|ikke|không|bukan"
    "|tidak|mali|si|δεν|όχι|לא|אינה|אינו|لا|ليس|ليست|نیست"
)
_WRONG = f"{_NOT}|{_FALSE}"
_WRONG_UNSPACED = (
    "(?:でも|では|じゃ|は|が|も|という)*(?:な[いく]|ありません|あらず|違|誤|間違|不正解|×)"
    "|(?:选项|項|项|是)?(?:不|错|錯|误|誤|有误|×)|(?:가|이|는|은|도|번)* ?(?:아니|아닙|아닌|틀|오답|제외|안)"
    "|(?:ไม่|ผิด|เท็จ)|ຜິດ|ខុស|မှား|[伪偽假]|거짓|잘못"
)
_ALSO = (
    "also|as well|likewise|equally|auch|ebenfalls|ebenso|aussi|également|también|igualmente|também|anche|тоже"
    "|также|також|też|także|również|také|și|szintén|myös|ayrıca|ook|eveneens|också|även|også|cũng|juga|επίσης|גם"
    "|أيضا|أيضًا|نیز|भी|ও"
)
_ALSO_UNSPACED = "也|亦|同样|同樣|も|도|ด้วย|เช่นกัน"
_UNSURE = (
    "not sure|unsure|don't know|do not know|can't decide|cannot decide|can't tell|cannot tell|nicht sicher"
    "|weiß (?:es )?nicht|ne sais pas|pas sûre?|no sé|no estoy segur[oa]|não sei|non so|не знаю|не уверен[а]?"
    "|не впевнен[а]?|nie wiem|nevím|nu știu|nem tudom|en tiedä|bilmiyorum|emin değilim|weet (?:het )?niet"
    "|vet inte|ved ikke|không biết|không chắc|tidak tahu|δεν ξέρω|לא יודע|לא יודעת|לא בטוח|لا أعرف|لا أدري"
    "|نمی‌دانم|नहीं पता|জানি না"
)
_UNSURE_UNSPACED = "不知道|不清楚|不确定|不確定|分かりません|わかりません|わからない|모르|ไม่ทราบ|ไม่รู้|ไม่แน่ใจ"
_OFFERS = (
    # words between two things of which one is not chosen
    "or|oder|ou|или|або|lub|albo|nebo|alebo|eller|vagy|veya|ya da|hoặc|atau|أو|یا|या|বা|অথবা|அல்லது|లేదా|ಅಥವಾ"
    "|അല്ലെങ്കിൽ"
    "|અથવા|किंवा|ή|או|sau|ili|ali|või|arba|edo|կամ|ወይም|либо|немесе|yoki|yaxud"
)
_OFFERS_UNSPACED = (
    "或|还是|還是|または|あるいは|もしくは|(?<=[一-龯ァ-ヴー])か(?=[一-龯ァ-ヴ])|또는|혹은|หรือ|ຫຼື|ឬ|သို့မဟုတ်|ან "
)
# the same, but other words in other languages
_OFFERS_IN = {"es": "o|u", "it": "o", "ca": "o", "gl": "o", "tl": "o", "nl": "of", "af": "of", "sw": "au", "fi": "tai"}
_OFFERS_IN |= {
    "lv": "vai",
    "lt": "ar",
    "vi": "hay",
    "ro": "ori",
    "uk": "чи",
    "cy": "neu",
    "is": "eða",
    "sq": "ose",
    "mt": "jew",
}
_DENIED = re.compile(words(_DENIES, _DENIES_UNSPACED), re.IGNORECASE)
_DOUBTED = re.compile(words(_DOUBTS, _DOUBTS_UNSPACED), re.IGNORECASE)
_WRONGED = re.compile(rf"(?:[\W_]|{words(_COPULAS)})*+{words(_WRONG, _WRONG_UNSPACED)}", re.IGNORECASE)

_NEGATORS = (
    # words that deny the value right behind them, and hardly ever say something else
    "not|never|neither|nor|\\w+n't|instead of|rather than|except|without|unlike|false|wrong|nicht"
    "|(?:any|every)(?:thing|one|body|where) but|all but|kein(?:e[srnm]?)?|weder|noch|statt|pas|jamais"
    "|sauf|no (?:es|era|está en)|não|nem|exceto|non|né|tranne|не|ни"
    "|ні|нет|кроме|крім|nie|ani|není|nije|niti|nėra|nav|nu|sem|ei|eikä|değil|niet|geen|behalve|inte|varken|ikke"
    "|hverken|không phải|không|bukan|tidak|δεν|όχι|ούτε|εκτός|לא|אינה|אינו|ليس|ليست|ليسا|لا|نه|नहीं|није|нити|ekki|nuk"
    "|nid|ne|ez|არ|არა|չի|ma aha|akuyona|kì í ṣe|no longer|except for|far from|nobody says|nicht mehr|niemals"
    "|außer|anders als"
    "|au lieu de|à la place de|contrairement à|en vez de|en lugar de|excepto|a diferencia de|nunca|jamás|ya no"
    "|invece di"
    "|non più|a differenza di|em vez de|ao contrário de|in plaats van|nooit|niet meer|zamiast|oprócz|nigdy|вместо"
    "|никогда"
    "|замість|ніколи|i stället för|istället för|utom|aldrig|i stedet for|undtagen|unntatt|alih-alih|kecuali|maupun"
    "|thay vì|trừ"
    "|αντί για|αντί|εκτός από|במקום|ולא|בלי|بدلا من|باستثناء|ولا|به جای|به جز|místo|kromě|nikdy|în loc de"
    "|cu excepția|nici"
    "|namesto|umjesto|umesto|osim|razen|освен|vietoj|išskyrus|asemel|välja arvatud|न"
)
# the same, of words that say something else in other languages
_NEGATORS_IN = {"sw": "si", "sl": "ni", "tl": "hindi", "lb": "net", "ha": "ba", "ca": "no", "gl": "no", "es": "no|ni"}
_NEGATORS_IN |= {"ga": "ní", "la": "haud", "sq": "jo", "hy": "ոչ", "fr": "ni", "it": "mai"}
_SMALL_WORDS = (
    "the|an?|in|at|das|die|der|den|dem|le|la|les|à|en|une?|el|los|las|il|lo|o|os|as|het|de|στην?|το|η|ο|на|в|у|es"
    "|era|é|è|jest|to|je|είναι|ole|on|este|e|е|là|phải|be|is|actually|really|est|estas|está|és|da|ass|ist|është"
    "|yra|ir|არის|em|w|we|v|ve|i|på|în|di|ở|في|در|nel|aan|til|to|for|from|από"
)
_SMALL_UNSPACED = normalize("NFKC", "จะเป็น|是|在|会|能|可能|位于|位於|ได้|อยู่|ที่|ใน|ใช่|ແມ່ນ|ຢູ່|មែន|នៅ")
# where the verb comes last, the denial stands behind what is denied
_NOT_BEHIND = words(
    "değil(?:dir)?|नहीं|नहि|नाही|होइन|نیست|نہیں|নয়|না|அல்ல|இல்லை|అల్ల|కాదు"
    "|ಅಲ್ಲ|അല്ല|નથી|ਨਹੀਂ|නොවේ|չէ|емес|биш|emas|deyil|ناهي|አይደለም|ez da",
    "မဟုတ်",
)
_NO = words(
    "no|nope|not|certainly not|of course not|nein|non|nej|nee|nie|нет|ні|não|hayır|όχι|לא|لا|नहीं|không|tidak",
    "不是|いいえ|아니",
)
_FALSE_UNSPACED = "是?(?:错|錯|不对|不對)|(?:は|が)?(?:間違|誤り|不正解)|(?:는|은|이|가)? ?(?:틀|오답)|ผิด"
_IS = words(
    "is|was|are|which|that|would be|must be|ist|wäre|est|serait|es|è|está|é|jest|je|är|er|on|είναι|este|זה|là|это|це"
)
_NOT_RIGHT = words(
    # a denial, an article, and a word for what is right
    "(?:(?:is|was|are|were|would be|can|could) ?(?:not|never|hardly|anything but)|cannot|\\w+n't)(?: be)?"
    "(?: an?| the| at all| quite| actually| really)* (?:right|correct|true|accurate|it|answer|case)"
    "|(?:ist|war|sind|wäre) (?:nicht|keine?)(?: die| das| der)? (?:richtig\\w*|korrekt\\w*|wahr|antwort|lösung)"
    "|n'(?:est|était)(?: certainement)? pas(?: la| le| une?)? (?:correcte?|juste|vrai|exacte?|bonne|bon|réponse)"
    "|no (?:es|era)(?: la| el| una)? (?:correct[oa]|ciert[oa]|verdad|respuesta)"
    "|não (?:é|era|está)(?: a| o)? (?:corret[oa]|cert[oa]|verdade|resposta)"
    "|non (?:è|era)(?: la| il| una)? (?:corrett[oa]|giust[oa]|ver[oa]|risposta|esatt[oa])"
    "|(?:is|was) (?:niet|geen)(?: het| de)? (?:juist\\w*|correct\\w*|goede?|waar|antwoord)"
    "|(?:är|var|er) (?:inte|ikke)(?: det| den)? (?:rätt\\w*|korrekt\\w*|riktig\\w*|rigtig\\w*|sant|svar\\w*)"
    "|(?:это )?не(?: является)? (?:верн\\w*|правильн\\w*|ответ)|nie jest (?:poprawn\\w*|prawidłow\\w*|praw\\w*)"
)
_DENIED_RIGHT_AFTER = re.compile(
    rf"(?:では|じゃ|で)(?:な[いく]|ありません|あらず)|とは限|(?:이|가|은|는)? ?(?:아니|아닙|아닌)"
    rf"|[\"')*_]* {_NOT_RIGHT}"
    rf"|(?: ?[,—–:(\"'*_-]+ ?(?:{_IS}[ *_]?){{0,2}}| (?:{_IS}[ *_]?){{1,2}}|(?:は|が|是))"
    rf"{words(_FALSE, _FALSE_UNSPACED)}"
    rf"|\s?{words('yerine|hariç|dışında|helyett|kivételével|के बजाय|को छोड़कर|के अलावा|में नहीं')}|['’][dt][ae] değil"
    r"|の代わり|でもな| ?대신|도 ?(?:아니|아닙|아닌)|(?:以|之)外|(?:을|를) ?제외|[？?]\s?(?:不|没|沒|非|いいえ|違|아니)"
    rf"|\s?{_NOT_BEHIND}|\s?\?\s?{_NO}",
    re.IGNORECASE,
)
# not behind a number: `5 fel` are five mistakes
_CALLED_FALSE = re.compile(rf" ?{words(_FALSE, _FALSE_UNSPACED)}", re.IGNORECASE)
_DENIED_BEYOND = re.compile(
    rf"[\W_]*{words('not|nicht|pas|no|não|non|не|nie|niet|inte|ikke|không phải')}[\W_]*$", re.IGNORECASE
)
_NOT_SO = re.compile(
    rf"(?:[\W_]|{words(_COPULAS)}|{words(CONCLUDES, CONCLUDES_UNSPACED)})*+{_NOT_BEHIND}"
    r"|(?:は|が)?(?:正し|正解|正確)(?:く|では|じゃ)?(?:な[いく]|ありません)"
    r"|(?:은|는|이|가)? ?(?:맞|옳|정답이?|답이?)(?:지 않| ?아니| ?아닙)",
    re.IGNORECASE,
)
_COMMA = re.compile("[,，、،]")
_UNCERTAIN = re.compile(words(_UNSURE, _UNSURE_UNSPACED), re.IGNORECASE)
_ADDED = re.compile(words(_ALSO, _ALSO_UNSPACED), re.IGNORECASE)


def denies_next(before: str) -> bool:
    """Whether a text denies what comes right after it: `not`, `Eliminate`, `weder`, `不是`."""
    return _DENIED.search(before) is not None


def denies_beyond(between: str) -> bool:
    """Whether what stands between two letters denies the second of them alone: `A (not B)`."""
    return _DENIED_BEYOND.match(between) is not None


def denies_last(after: str) -> bool:
    """Whether a text denies what stood right before it: `is wrong`, `ではなく`, `doğru değil`."""
    part = _COMMA.split(after)[0]
    return _WRONGED.match(part) is not None or _NOT_SO.match(part) is not None


def doubts_next(before: str) -> bool:
    """Whether a text leaves open what comes right after it: `if`, `maybe`."""
    return _DOUBTED.search(before) is not None


def is_unsure(text: str) -> bool:
    """Whether a text says that its writer does not know."""
    return _UNCERTAIN.search(text) is not None


def offers_several(text: str, language: str) -> bool:
    """Whether a short text names two things without choosing one: `Paris or Rome`."""
    return _offer(language).search(text) is not None


@lru_cache(maxsize=64)
def _offer(language: str) -> re.Pattern[str]:
    spaced = f"{_OFFERS}|{_OFFERS_IN[language]}" if language in _OFFERS_IN else _OFFERS
    return re.compile(rf"\w.*{words(spaced, _OFFERS_UNSPACED)}.*\w", re.IGNORECASE)


def adds(text: str) -> bool:
    """Whether a text puts something beside what was said before: `also`, `auch`, `也`."""
    return _ADDED.search(text) is not None


def denies_beside(before: str, after: str, language: str = "unknown") -> bool:
    """Whether a value between the two is denied by the very next word: `not Paris`, `Paris değil`."""
    is_denied_before = _denied_right_before(language).search(before.casefold()) is not None
    return is_denied_before or _DENIED_RIGHT_AFTER.match(after) is not None


def calls_false(after: str) -> bool:
    """Whether what stands before is called false without a verb, as in `Paris yanlış`; no number, which may count."""
    return _CALLED_FALSE.match(after) is not None


@lru_cache(maxsize=64)
def _denied_right_before(language: str) -> re.Pattern[str]:
    spaced = f"{_NEGATORS}|{_NEGATORS_IN[language]}" if language in _NEGATORS_IN else _NEGATORS
    negators = words(spaced.casefold(), f"{_DENIES_UNSPACED}|除|แทนที่|ยกเว้น")
    denied = rf"{negators}\s?(?:{_SMALL_UNSPACED}){{0,3}}(?:{words(_SMALL_WORDS.casefold())}\s){{0,2}}"
    # both are folded, as ignoring case makes a search for the many words several times slower
    return re.compile(denied + r"[\"'(*_]*$")
