"""Answers that say nothing: a refusal, or "I don't know", in the languages that models are asked in."""

import re

from deployments.verifier.text.normalise import fold, normalise

# Where a refusal stands in a long answer: at its beginning, or as what it comes to.
EDGE_CHARS = 400

# As `fold` leaves them. Each says in the first person, or of the answer itself, that there is no answer.
_PHRASES = """
don't know|do not know|dont know|can't know|cannot know|can not know|not know the answer|no idea
can't answer|cannot answer|can not answer|couldn't answer|could not answer|unable to answer|unable to determine
unable to find|unable to provide|unable to say|not able to answer
can't help|cannot help|can't assist|cannot assist|can't provide|cannot provide|won't answer|will not answer
can't determine|cannot determine|cannot be determined|can't be determined|could not determine|can't tell
cannot tell|can't say|cannot say|i'm not sure|i am not sure|not certain|don't have enough|do not have enough
don't have information|do not have information|don't have access|do not have access|don't have the
do not have the|not enough information|insufficient information|no information|as an ai|as a language model
as a large language model|as a model trained|my knowledge|my training|only know data|i'm sorry|i am sorry
i apologize|i apologise|decline to|must decline|refuse to answer|not mentioned in|not stated in|not given in
not possible to say|not possible to tell|not possible to determine|impossible to say|impossible to tell
impossible to determine|impossible to know|don't have that|do not have that|i have no way|none of the sources
please provide|please clarify|please share|please specify|please upload|could you clarify|can you clarify
no comment|rather not say|prefer not to say|please consult|lässt sich nicht
impossible à dire|imposible saber|imposible saberlo|hiçbir fikrim|ตอบไม่ได้|neturiu šios|neturiu informacijos
pole seda infot|mul pole infot|sina taarifa
need more information|need more context|cannot see|can't see|unclear from|no way to|need to see|can't do that
cannot do that|not available|not specified in|does not say|doesn't say|does not tell|doesn't tell|not provided in
weiß es nicht|weiß ich nicht|weiß nicht|weiss es nicht|weiss nicht|keine ahnung|kann ich nicht|nicht beantworten
kann das nicht|leider nicht|tut mir leid|es tut mir leid|keine information|nicht bekannt|nicht sicher|nicht sagen
nichts sagen|nicht im text|nicht helfen
keine angaben|geht nicht hervor|steht nicht im
ne sais pas|je l'ignore|sais pas|ne peux pas répondre|ne puis répondre|pas en mesure|impossible de répondre|désolé
aucune information|aucune idée|ne peux pas vous aider|pas d'information|ne connais pas|n'est pas précisé
no lo sé|no sé la|no lo se|no puedo|lo siento|no tengo información|no estoy seguro|no tengo idea|desconozco
no se menciona|no se indica|no sé.
non lo so|non so la|non so |non posso rispondere|non posso|mi dispiace|non ho informazioni|non sono in grado
non sono sicuro|non ne ho idea|non è indicato
não sei|nao sei|não posso|não consigo responder|desculpe|não tenho informa|sinto muito|não tenho certeza
não faço ideia|não é mencionad
weet het niet|weet ik niet|ik weet niet|kan ik niet|kan niet beantwoorden|het spijt me|geen idee|geen informatie
vet inte|vet ej|kan inte svara|kan tyvärr|jag är ledsen|ingen aning|ingen information|ved det ikke|ved ikke|ved jeg ikke
kan ikke svare|beklager|vet ikke|vet det ikke|ikke sikker|ingen anelse|ingen idé|veit ikkje
en tiedä|en osaa|en voi vastata|pahoittelen|ei tietoa|ei tea|ma ei tea
nevím|neviem|nemohu odpovědět|nemôžem odpovedať|nemůžu|omlouvám se|ospravedlňujem|netuším
nie wiem|nie mogę|przykro mi|nie jestem w stanie|nie mam informacji|nie mam pojęcia
ne znam|ne mogu odgovoriti|žao mi|не знам|не могу да одговорим|жао ми|nemam informacij|ne vem|žal
не мога|съжалявам|нямам информация|не знаю|не могу ответить|не могу сказать|не могу помочь|извините
нет информации|не уверен|понятия не имею|не відомо|не можу відповісти|вибачте|не ведаю
недостаточно|нет данных|неизвестно|білмеймін|жауап бере алмаймын|nežinau|negaliu atsakyti|nezinu|nevaru atbildēt
nem tudom|nem tudok|sajnálom|nincs információ|nu știu|nu stiu|nu pot|îmi pare rău|nuk e di
δεν γνωρίζω|δεν ξέρω|δεν μπορώ|λυπάμαι|συγγνώμη
bilmiyorum|bilemiyorum|bilgim yok|cevap veremem|cevaplayamam|yanıtlayamam|yanıt veremem|üzgünüm|emin değilim
bilmirəm|cavab verə bilmərəm|bilmayman|javob bera olmayman
لا اعرف|لا أعرف|لا أعلم|لا اعلم|لا أدري|لا ادري|لا يمكنني|لا أستطيع|لا استطيع|آسف|أعتذر|عذرا|غير متأكد
لست متأكد|ليس لدي|نمی دانم|نمیدانم|نمی‌دانم|نمیتوانم|نمی توانم|نمی‌توانم|متأسفم|متاسفم
نہیں معلوم|معلوم نہیں|نہیں جانتا|نہیں جانتی|جواب نہیں دے|معذرت|نه پوهېږم
לא יודע|לא יודעת|איני יודע|אינני יודע|לא ידוע|לא יכול|לא יכולה|אין לי|איני יכול|אינני יכול|מצטער|לא בטוח
नहीं पता|पता नहीं|नहीं जानता|नहीं जानती|उत्तर नहीं दे|जवाब नहीं दे|माफ़ कीजिए|माफ कीजिए|क्षमा करें|खेद है|नहीं मालूम
जानकारी नहीं|माहित नाही|माहीत नाही|माहिती नाही|सांगू शकत नाही|माफ करा|क्षमस्व|थाहा छैन|माफ गर्नुहोस्
জানি না|জানা নেই|উত্তর দিতে পারছি না|বলতে পারছি না|দুঃখিত|ਨਹੀਂ ਪਤਾ|ਪਤਾ ਨਹੀਂ|ਮਾਫ਼ ਕਰਨਾ|ਮਾਫ਼ ਕਰੋ
ખબર નથી|જાણતો નથી|જાણતી નથી|માફ કરશો|દિલગીર|தெரியாது|தெரியவில்லை|மன்னிக்கவும்|பதிலளிக்க முடியாது|பதிலளிக்க இயலாது
తెలియదు|తెలియడం లేదు|క్షమించండి|చెప్పలేను|ಗೊತ್ತಿಲ್ಲ|ತಿಳಿದಿಲ್ಲ|ಕ್ಷಮಿಸಿ|ಹೇಳಲಾರೆ|റിയില്ല|ക്ഷമിക്കണം|പറയാൻ കഴിയില്ല
දන්නේ නැහැ|දන්නේ නැත|නොදනිමි|සමාවන්න|කණගාටුයි
ไม่ทราบ|ไม่รู้|ไม่สามารถตอบ|ขออภัย|ขอโทษ|ไม่แน่ใจ|ไม่มีข้อมูล|ບໍ່ຮູ້|ບໍ່ຊາບ|ຂໍອະໄພ|ຂໍໂທດ|ບໍ່ສາມາດ
មិនដឹង|មិនអាចឆ្លើយ|សូមទោស|សុំទោស|မသိပါ|မသိဘူး|မဖြေနိုင်|တောင်းပန်ပါတယ်|ဝမ်းနည်းပါတယ်
không biết|không thể trả lời|xin lỗi|không chắc|không có thông tin|không rõ
tidak tahu|tak tahu|tidak bisa menjawab|tidak dapat menjawab|maaf|tidak yakin|tidak ada informasi|tidak pasti
hindi ko alam|di ko alam|hindi ako sigurado|hindi ko masasagot|paumanhin|pasensya|sijui|sifahamu|siwezi|samahani
不知道|我不清楚|不清楚|无法回答|無法回答|不能回答|抱歉|对不起|對不起|无法确定|無法確定|不确定|不確定|无法判断|無法判斷
没有相关信息|沒有相關資訊|没有足够|无法提供|無法提供|我唔知|唔知道|唔清楚
わかりません|分かりません|わからない|分からない|知りません|存じません|答えられません|お答えできません|申し訳|すみません
回答できません|情報がありません|判断できません
모르겠|모릅니다|모른다|몰라요|알 수 없|알지 못|답할 수 없|답변할 수 없|답변드릴 수 없|죄송|대답할 수 없|확실하지 않
չգիտեմ|չեմ կարող|ներեցեք|არ ვიცი|ვერ გიპასუხებ|ბოდიში|мэдэхгүй|хариулж чадахгүй|уучлаарай
ez dakit|ezin dut|barkatu|no ho sé|no puc|ho sento|non o sei|síntoo|ní fhios agam|níl a fhios|tá brón orm
wn i ddim|ddim yn gwybod|mae'n ddrwg|veit ekki|veit það ekki|get ekki svarað|fyrirgefðu
en voi auttaa|en pysty|prepáčte|nemôžem pomôcť|nemohu pomoci|atsiprašau|negaliu su tuo|negaliu padėti|atvainojiet
es nevaru|vabandust|ei saa sellega aidata|ei saa aidata|því miður|më vjen keq|nuk mund|ne morem pomagati|ne mogu pomoći
ma nafx|ma nistax|jiddispjaċini|mi ò mọ̀|emi kò mọ̀|angazi|angikwazi|uxolo|ek weet nie|kan nie antwoord|አላውቅም
መልስ መስጠት አልችልም|ይቅርታ|አይታወቅም
"""
_REFUSALS = tuple(
    dict.fromkeys(
        fold(phrase, ignore_case=True) for line in _PHRASES.split("\n") for phrase in line.split("|") if phrase
    )
)
# A short answer that denies knowing, in whatever words: it has one of each list, of the second the beginning of a word.
DENIAL_CHARS = 80
_NONE = (
    "no|not|none|nothing|cannot|\\w+n't|nicht|nichts|kein\\w*|pas|aucune?|ni|non|nessun\\w*|não|nem"
    "|nenhum\\w*|niet|geen|inte|ej|ingen|ikke|en (?:ole|voi|osaa)|ei|"
    "eivät|eipä|nie|brak|ne|ne[mjv]\\w+|ni(?:sam|su|mam)|nincs|nu|не|нет|ни"
    "|ня\\w+|нем\\w*|трудно|важко|δεν|yok|değil\\w*|لا|ليس\\w*|لست|لم|نیست\\w*|ندار\\w*|نه|אין|לא|אינני|איני|نہیں|नहीं|नाही"
    "|নেই|নই|না|இல்லை|లేదు|ਨਹੀਂ|નથી|không|chưa|tidak|tak|tiada|hindi|wala|sina|არ|ვერ|չեմ|չկա|nav|nėra|ez|níl|አይደለሁም|የለኝም"
)
_NONE_UNSPACED = "没|沒|无|無|不|ない|ません|かね|없|않|못|ไม่|ບໍ່|មិន|မ|ഇല്ല|ില്ല|ಇಲ್ಲ|ನಿಲ್ಲ"
_KNOWING = (
    "inform|know|knew|sure|certain|clear|data|context|evidence|wiss|weiß|sicher|angabe|auskunft|sagt|sais|sait|sûr|dit|précis"
    "|segur|sé|sabe|dice|diz|idea|idé|sicur|certez|sapp|weet|zeker|vet|säker|tieto|varma|infó|biztos|știu|sigur|tudo|pewn|wiem"
    "|jist|vím|pojma|poj[eę]ci|знам|знаю|зна[єе]|информац|інформац|увер|впевнен|сигур|представа|сказать|сказати|πληροφορ|σίγουρ"
    "|ξέρω|γνωρίζ|bilgi|emin|معلوم|متأكد|أعرف|أعلم|اطلاع|مطمئن|یقین|علم|מידע|בטוח|יודע|जानकारी|यकीन|खात्री|माहिती|তথ্য|নিশ্চিত"
    "|தகவல்|உறுதி|సమాచార|ఖచ్చిత|ਯਕੀਨ|ਜਾਣਕਾਰੀ|ખાતરી|માહિતી|chắc|rõ|biết|thông tin|yakin|diketahui|tahu|pasti|uhakika|hakika"
    "|sigurado|alam|დარწმუნებ|ინფორმ|მაქვს|վստահ|տեղեկ|እርግጠኛ|መረጃ|tean|kindel|informāc|žin|tikr|zin|help|hjälp|helf|vastata"
    "|antwort|beantwoord|ved|kan jeg|kan jag|kan ik|उत्तर देऊ"
)
_KNOWING_UNSPACED = (
    "信息|資訊|资料|資料|提到|提及|得知|知道|确定|確定|清楚|情報|確信|記載|わかり|分かり|判断|정보|확실|나와|언급|알 수"
    "|ข้อมูล|แน่ใจ|ทราบ|ແນ່ໃຈ|ຮູ້|ដឹង|ប្រាកដ|သေချာ|သိ"
)
_DENIED_KNOWING = re.compile(
    rf"(?=.*(?:(?<!\w)(?:{_NONE})(?!\w)|{fold(_NONE_UNSPACED)}))"
    rf"(?=.*(?:(?<!\w)(?:{_KNOWING})|{fold(_KNOWING_UNSPACED)}))(?!.*\d)",
    re.DOTALL,
)
# Nothing but this: the same words within an answer may be its subject.
_WHOLE = frozenset(
    map(
        normalise,
        (
            "unknown|n/a|not sure|not known|idk|no answer|unclear|"
            "undetermined|not available|cannot|error|null|nil|undefined|nan|"
            "sorry|keine angabe|unbekannt|"
            "keine antwort|inconnu|sans réponse|desconocido|sin respuesta|sconosciuto|desconhecido|onbekend|okänt|"
            "ukjent|ukendt|tuntematon|neznámé|nieznane|неизвестно|невідомо|bilinmiyor|未知|不明|알 수 없음|غير معروف|"
            "अज्ञात|unknown answer|?|??|???|-|--|...|…"
        ).split("|"),
    )
)


def is_refusal(answer: str, language: str = "unknown") -> bool:
    """Whether an answer says that it has none, at either of its ends; a quotation of such words counts as well.

    It errs to this side: a refusal taken for an answer could be verified, the other way round nothing is known.
    """
    if len(answer) <= 64 and normalise(answer, language) in _WHOLE:
        return True
    if len(answer) <= DENIAL_CHARS and _DENIED_KNOWING.match(fold(answer)):
        return True
    head, tail = answer[:EDGE_CHARS], answer[EDGE_CHARS:][-EDGE_CHARS:]
    text = fold(f"{head}\n{tail}")
    return any(phrase in text and _stands_alone(phrase, text) for phrase in _REFUSALS)


def _stands_alone(phrase: str, text: str) -> bool:
    """Whether the phrase stands in the text without letters of its own kind before it, as in `schade` or `napole`."""
    start = text.find(phrase)
    while start >= 0:
        before = text[start - 1 : start]
        if not (_joins(before, phrase[0]) or _joins(text[start + len(phrase) : start + len(phrase) + 1], phrase[-1])):
            return True
        start = text.find(phrase, start + 1)
    return False


def _joins(neighbour: str, edge: str) -> bool:
    """Latin letters make one word; other scripts inflect or write without spaces."""
    return bool(neighbour) and neighbour.isalpha() and edge.isalpha() and ord(neighbour) < 0x250 and ord(edge) < 0x250
