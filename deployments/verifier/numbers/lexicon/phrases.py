"""Phrases by which an answer announces its number, takes it back, or says that it has none."""

import re
from typing import Final

from deployments.verifier.numbers.markup import BOX_OPENS


def _either(words: str, glued: str = "") -> str:
    """A pattern for words that have edges, with an underscore for a space, and for those that have none."""
    edged = "|".join(re.escape(word.replace("_", " ")) for word in words.split())
    return rf"(?i:\b(?:{edged})\b" + "".join(rf"|{re.escape(word.replace('_', ' '))}" for word in glued.split()) + ")"


ANSWER: Final = re.compile(
    _either(
        "answer answers antwort réponse respuesta resposta risposta antwoord ответ відповідь odpowiedź odpověď "
        "odpoveď svaret svar vastaus válasz cevap yanıt răspunsul răspuns απάντηση отговорът отговор odgovor одговор "
        "atsakymas atbilde vastus jawaban jawabannya jawapan jawapannya jibu sagot respostes erantzuna svarið",
        "đáp_án đáp_số câu_trả_lời الإجابة الجواب پاسخ جواب תשובה उत्तर जवाब উত্তর பதில் விடை సమాధానం ಉತ್ತರ ഉത്തരം "
        "જવાબ ਜਵਾਬ පිළිතුර คำตอบ ຄຳຕອບ ចម្លើយ အဖြေ პასუხი պատասխան 答案 答え 答: 答 정답 답 ####",
    )
)
RESULT: Final = re.compile(
    _either(
        "result total sum ergebnis summe résultat somme resultado suma risultato totale resultaat totaal результат "
        "итого wynik výsledek resultat resultatet tulos eredmény sonuç toplam rezultatul hasil hasilnya therefore "
        "thus hence so donc daher deshalb luego logo quindi dunque значит",
        "kết_quả 结果 結果 合計 总共 一共 共 因此 所以 결과 합계 따라서",
    )
)
# what may stand between such a word and its number
LINK: Final = re.compile(
    r"(?:[\s:=*_\"'(\[{|>→—–-]|[は是为為:가은는이]|"
    + BOX_OPENS
    + "|"
    + _either(
        "is are was equals equal would be to therefore thus hence exactly simply just then indeed clearly about "
        "approximately approx roughly the number value final correct x y n ist lautet beträgt also somit die der das "
        "zahl genau est donc égale à la le es igual a el é è o il het de dus это равен равна равно є wynosi jest "
        "brzmi je zní är blir er lyder on este είναι là bằng adalah ialah هو هي است הוא היא है हल হলো ஆகும் ni ay "
        "olarak",
        "です มีค่า คือ ແມ່ນ គឺ မှာ",
    )
    + "){0,16}"
)
MISLEADING: Final = re.compile(
    _either(
        "wrong incorrect common other another previous earlier first initial your his her their student's students "
        "falsche autre otra whether no not without intermediate partial if_the not_the"
    )
    + r"\s+$"
)
TAKEN_BACK: Final = re.compile(
    _either(
        "could_also_be might_also_be could_be might_be alternatively or_maybe wait actually correction "
        "corrected sorry mistake oops hmm instead should_be scratch_that recheck re-check "
        "recalculate recalculating wrong not_right moment korrektur korrigiere falsch eigentlich attends en_fait "
        "erreur espera en_realidad perdón error aspetta in_realtà scusa espere na_verdade desculpe подожди ошибка "
        "на_самом_деле wacht eigenlijk czekaj właściwie",
        "等等 不对 不對 更正 其实 待って いや 訂正 잠깐 아니",
    )
)
UNSURE: Final = re.compile(
    _either(
        "not_sure unsure i_guess no_idea can't_know can't_answer can't_say can't_tell can't_determine "
        "can't_be_determined can't_solve can't_help can't_provide cannot_know cannot_answer cannot_say cannot_tell "
        "cannot_determine cannot_be_determined cannot_provide cannot_solve don't_know do_not_know unable_to "
        "impossible_to_say impossible_to_tell impossible_to_know unclear weiß_nicht weiß_es_nicht nicht_sicher "
        "ne_sais_pas pas_sûr no_sé no_estoy_seguro no_estoy_segura não_sei non_so не_знаю не_уверен не_уверена "
        "weet_niet weet_het_niet nie_wiem nevím vet_inte vet_ikke ved_ikke en_tiedä nem_tudom bilmiyorum nu_știu "
        "δεν_ξέρω không_biết tidak_tahu sijui hindi_ko_alam",
        "不知道 不确定 不確定 无法确定 わかりません 分かりません わからない 모르겠 لا_أعرف لا_أعلم لا_يوجد "
        "לא_יודע नहीं_पता मालूम_नहीं ไม่ทราบ ไม่รู้",
    )
)
