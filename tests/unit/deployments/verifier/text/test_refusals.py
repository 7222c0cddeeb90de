import time

import pytest

from deployments.verifier.text.refusals import is_refusal

# one a language, as a model would say it
REFUSALS = """
I don't know.|I’m sorry, but I can’t answer that.
I cannot answer question 7.
As a model trained until 2023, I can't know.
**I do not know the answer.**|N/A|unknown
Sorry, I do not have enough information.
It cannot be determined from the text.
Ich weiß es nicht.|Das kann ich nicht beantworten.
Es tut mir leid, das weiß ich nicht.|Je ne sais pas.
Désolé, je l'ignore.
No lo sé.|Lo siento, no puedo responder.|Non lo so.
Mi dispiace, non posso rispondere.|Não sei.
Não consigo responder a isso.
Ik weet het niet.|Jag vet inte.|Det ved jeg ikke. Jeg ved det ikke.
Jeg vet ikke.|En tiedä.|Ma ei tea.|Nezinu.
Nežinau.
Nie wiem.|Nevím.|Neviem.|Ne znam.|Не знам.|Не зная, съжалявам.
Я не знаю.|Извините, я не могу ответить.
Не знаю, вибачте.
Nem tudom.|Nu știu.|Nuk e di.|Δεν ξέρω.|Δεν γνωρίζω.|Bilmiyorum.
Bilmirəm.|Білмеймін.|Bilmayman.|لا أعرف.
لا أعلم|نمی‌دانم.|مجھے نہیں معلوم۔
אני לא יודע.|मुझे नहीं पता।|मला माहित नाही.|आमी जानी ना, আমি জানি না।
ਮੈਨੂੰ ਨਹੀਂ ਪਤਾ।|મને ખબર નથી.
எனக்குத் தெரியாது.|నాకు తెలియదు.
ನನಗೆ ಗೊತ್ತಿಲ್ಲ.|എനിക്ക് അറിയില്ല.|මම දන්නේ නැහැ.|मलाई थाहा छैन।
ฉันไม่ทราบ|ຂ້ອຍບໍ່ຮູ້|ខ្ញុំមិនដឹងទេ។
ကျွန်တော် မသိပါဘူး။
Tôi không biết.|Saya tidak tahu.|Hindi ko alam.|Sijui.|我不知道。|抱歉，我无法回答。
我唔知。|わかりません。
申し訳ありませんが、お答えできません。
모르겠습니다.|죄송합니다. 알 수 없습니다.|Չգիտեմ։|არ ვიცი.|Мэдэхгүй.|Ez dakit.
No ho sé.|Non o sei.
No comment.|I'd rather not say.|Das lässt sich nicht bestimmen.|Es imposible saberlo.|Hiçbir fikrim yok.
Sina taarifa hiyo.|Neturiu šios informacijos.|Mul pole seda infot.|ฉันตอบไม่ได้
Níl a fhios agam.|Ek weet nie.|አላውቅም።
I have no data on this.|That information is not available.
There's no way to know.|Please provide the image.
Dazu liegen mir keine Informationen vor.
Je n'ai pas cette information.|El texto no lo dice.|Nessuna idea.
O texto não diz.|Ik kan die vraag niet beantwoorden.|Det vet jag inte.
Minulla ei ole tietoa.|Brak informacji.|Nemám tuto informaci.
Nincs erről információm.|Нямам представа.|У меня нет такой информации.
Δεν είμαι σίγουρος.|مطمئن نیستم.|אינני בטוח.|मुझे यकीन नहीं है।
আমার কাছে এই তথ্য নেই।|தகவல் இல்லை.|సమాచారం లేదు.|ບໍ່ແນ່ໃຈ|မသေချာပါ။
Tidak diketahui.|Sina uhakika.|文中没有提到。|無法得知|確信がありません。|정보가 없습니다.
本文に記載がありません。|እርግጠኛ አይደለሁም።|എനിക്കറിയില്ല.
"""
ANSWERS = """
Paris|42|It is 42.|B|Know|The idea is new.|He noted that in 2023.
Schade|Napoleon|sijuice|No|Nein|None|0|Na
Die Antwort ist 42.|La réponse est 42.|知道|東京|Москва|Знаю: 42
Tudom, hogy 42.|Αθήνα|٤٢|मुझे पता है: 42
The trial in Berlin had 5 patients.|No, it is 5, as the data say.
Hayır|いいえ|没有|아니요|لا|नहीं|Не|Niet|Nothing|En Sicile|Sicher
"""


def rows(table: str) -> list[str]:
    return [row for line in table.strip().split("\n") for row in line.split("|")]


@pytest.mark.parametrize("answer", rows(REFUSALS))
def test_a_refusal_is_seen_in_any_language(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize("answer", rows(ANSWERS))
def test_an_answer_is_no_refusal(answer: str) -> None:
    assert not is_refusal(answer)


def test_a_refusal_is_seen_at_either_end_of_a_long_answer() -> None:
    long = "The trial had patients. " * 100
    assert is_refusal(f"I don't know. {long}")
    assert is_refusal(f"{long} So I cannot answer this.")
    assert not is_refusal(f"{long} They don't know. {long}")


def test_the_longest_answer_takes_no_longer_than_a_short_one() -> None:
    began_s = time.perf_counter()
    is_refusal("не зная " * 100_000)
    assert time.perf_counter() - began_s < 0.1
