"""Which option of a multiple-choice question an answer names."""

import re

from deployments.verifier.text.normalise import compose

_WORDS = (
    "answer|option|choice|antwort|réponse|respuesta|ответ|вариант|cevap|yanıt|答案|选|選|答え|正解|الإجابة|उत्तर|คำตอบ"
)
# "B", "(b)", "C. Paris": the letter opens the answer and is set apart
_OPENING = re.compile(r"\W*([A-Ea-e])(?:\W*$|\s*[).:\],-])")
_ANNOUNCED = re.compile(
    rf"(?i:{_WORDS})[^A-Za-z]{{0,20}}(?:\b(?i:is|ist|est|es|lautet)\b)?[^A-Za-z]{{0,20}}"
    r"(?!A\s+[a-z])([A-E])(?![A-Za-z0-9'])"
)
# an A before a word in small letters is an article
_ALONE = re.compile(r"(?<![A-Za-z0-9'])(?!A\s+[a-z])([A-E])(?![A-Za-z0-9'])")


def find_choice(answer: str) -> str | None:
    """The letter A to E that an answer opens with, else announces, else the first that stands alone."""
    text = compose(answer).strip()
    found = _OPENING.match(text) or _ANNOUNCED.search(text) or _ALONE.search(text)
    return found[1].upper() if found else None
