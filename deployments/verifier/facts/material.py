"""A prompt taken apart: the material that an answer may rest on, and what only says what to do with it."""

import re
from dataclasses import dataclass
from itertools import pairwise

# A word or two with a colon, at the beginning of a line or after the end of a sentence: `Text:`, `本文:`.
_WORD = r"[^\W\d_][^\s:：,.;!?。！？、，।؟۔()\[\]\"“”]{0,23}"
_START = r"(?:^|(?<=[\n。！？।۔])|(?<=[.!?؟:：\"”»)\]])[ \t])[ \t]*"
_LABEL = re.compile(rf"(?:{_START}(?P<label>{_WORD}(?: {_WORD})?)|(?<=\s)(?P<word>{_WORD})) ?[:：](?!//)", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!。！।۔…]+(?=\s|$)[\"”»)\]]*|[?？؟;՞]+(?=\s|$)[\"”»)\]]*|(?<=[。！？])|\n+")
_QUESTION_MARKS = tuple("?？؟՞")
_QUESTION_LABELS = frozenset(
    """
    question questions q task tasks instruction instructions request query prompt answer answers a output response
    frage fragen aufgabe anweisung antwort question tâche consigne réponse pregunta tarea instrucción instrucciones
    respuesta domanda compito istruzioni risposta pergunta tarefa instrução instruções resposta vraag opdracht antwoord
    fråga uppgift svar spørgsmål opgave spørsmål oppgave kysymys tehtävä vastaus küsimus ülesanne vastus otázka úkol
    odpověď úloha odpoveď pytanie zadanie polecenie odpowiedź vprašanje naloga odgovor pitanje zadatak питање задатак
    въпрос задача отговор вопрос задание ответ питання завдання відповідь пытанне сұрақ жауап klausimas užduotis
    atsakymas jautājums uzdevums atbilde kérdés feladat válasz întrebare sarcină răspuns pyetje detyrë përgjigje
    ερώτηση ερώτημα απάντηση οδηγία soru görev talimat cevap yanıt sual cavab savol javob سؤال السؤال مهمة الجواب
    پرسش پاسخ سوال جواب שאלה משימה תשובה प्रश्न सवाल कार्य उत्तर प्रश्न कार्य প্রশ্ন উত্তর ਸਵਾਲ પ્રશ્ન કાર્ય கேள்வி பணி பதில்
    ప్రశ్న ప్రశ్న పని జవాబు ಪ್ರಶ್ನೆ ಉತ್ತರ ചോദ്യം ഉത്തരം ප්‍රශ්නය คำถาม คำสั่ง คำตอบ ຄຳຖາມ ຄໍາຖາມ សំណួរ မေးခွန်း
    问题 問題 任务 任務 问 問 指示 回答 答案 質問 課題 質問文 答え 질문 과제 지시 답 답변 答
    pertanyaan soalan tugas jawaban tanong gawain sagot swali kazi jibu հարց կითხვა კითხვა асуулт galdera zeregina
    pregunta tasca ceist cwestiwn spurning verkefni ጥያቄ
    """.split()
)


@dataclass(frozen=True, slots=True)
class Material:
    """`given` is what the prompt tells, `asked` what it asks or orders, `labels` what its parts are called."""

    given: str
    asked: str
    labels: str = ""


def split_prompt(prompt: str) -> Material:
    """Tell the material of a prompt from its questions and orders, by labels and question marks.

    An order without either (`Summarise this.`) cannot be told from the material, and stays with it, but for one that
    stands before or between labelled parts.
    """
    parts = _labelled(prompt)
    given: list[str] = []
    asked: list[str] = []
    has_given = any(label and not _is_question(label) for label, _ in parts)
    for label, text in parts:
        if _is_question(label) or (not label and has_given):
            asked.append(text)
            continue
        for sentence in _sentences(text):
            (asked if sentence.rstrip().rstrip('"”»)]').endswith(_QUESTION_MARKS) else given).append(sentence)
    return Material("\n".join(given), "\n".join(asked), "\n".join(label for label, _ in parts))


def _labelled(prompt: str) -> list[tuple[str, str]]:
    """Pieces with the label before each, the first without one; a label that is no question's is part of its piece."""
    found = [match for match in _LABEL.finditer(prompt) if match["label"] or _is_question(match["word"])]
    starts = [0, *(match.end() if _is_question(match["label"] or match["word"]) else match.start() for match in found)]
    ends = [*(match.start() for match in found), len(prompt)]
    labels = ["", *(match["label"] or match["word"] for match in found)]
    return [(label, prompt[start:end]) for label, start, end in zip(labels, starts, ends, strict=True) if end > start]


def _is_question(label: str) -> bool:
    return any(word in _QUESTION_LABELS for word in (label.casefold(), *label.casefold().split()))


def _sentences(text: str) -> list[str]:
    cuts = [0, *(found.end() for found in _SENTENCE_END.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts) if end > start]
