"""Key-value lookup in the manner of SCBench: find one key's value in a JSON object of random keys."""

import json
import random

from profiles.workloads.prompt import Prompt

TASK = "lookup"

# How a speaker would ask, and how the answer would begin; {key} is the key asked for.
QUESTIONS: dict[str, tuple[str, str]] = {
    "en": ("In the JSON object above, what is the value of the key {key}?", "The value of {key} is"),
    "de": ("Welchen Wert hat der Schlüssel {key} im JSON-Objekt oben?", "Der Wert von {key} ist"),
    "es": ("¿Qué valor tiene la clave {key} en el objeto JSON de arriba?", "El valor de {key} es"),
    "fr": ("Quelle est la valeur de la clé {key} dans l'objet JSON ci-dessus ?", "La valeur de {key} est"),
    "zh": ("在上面的 JSON 对象中，键 {key} 的值是什么？", "{key} 的值是"),
    "ja": ("上の JSON オブジェクトで、キー {key} の値は何ですか？", "{key} の値は"),
    "ar": ("ما هي قيمة المفتاح {key} في كائن JSON أعلاه؟", "قيمة {key} هي"),
    "hi": ("ऊपर दिए गए JSON ऑब्जेक्ट में कुंजी {key} का मान क्या है?", "{key} का मान है"),
}
# One entry, `"ab3f9c": "48213",`, takes about this many tokens with the embedded models' tokenizers.
TOKENS_PER_ENTRY = 15
TOKENS_AROUND = 40


def kv_lookup(language: str, target_tokens: int, *, seed: int, depth: float | None = None) -> Prompt:
    """A prompt of roughly `target_tokens` tokens whose answer stands at `depth` (0 first, 1 last, None anywhere).

    Deterministic in its arguments; raises KeyError for a language without wording.
    """
    rng = random.Random(f"{TASK}|{language}|{target_tokens}|{seed}")  # noqa: S311 (workload, not a secret)
    count = max(2, round((target_tokens - TOKENS_AROUND) / TOKENS_PER_ENTRY))
    keys = _distinct(rng, count)
    values = [str(rng.randrange(10_000, 100_000)) for _ in keys]
    index = rng.randrange(count) if depth is None else round(depth * (count - 1))
    question, lead = (text.format(key=f'"{keys[index]}"') for text in QUESTIONS[language])
    data = json.dumps(dict(zip(keys, values, strict=True)), indent=0)
    return Prompt(
        id=f"{TASK}-{language}-{target_tokens}-{seed}",
        language=language,
        task=TASK,
        target_tokens=target_tokens,
        text=f"{data}\n\n{question}\n{lead}",
        answer=values[index],
        verify={"type": "contains", "value": values[index]},
    )


def _distinct(rng: random.Random, count: int) -> list[str]:
    keys: dict[str, None] = {}
    while len(keys) < count:
        keys[f"{rng.getrandbits(24):06x}"] = None
    return list(keys)
