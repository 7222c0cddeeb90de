"""Key-value lookup in the manner of SCBench: find one key's value in a JSON object."""

import itertools
import json
import random

from profiles.workloads.prompt import Prompt

TASK = "lookup"

# How a speaker would ask; {key} is the key asked for. The answer is led in by the key itself.
QUESTIONS = {
    "en": "In the JSON object above, what is the value of the key {key}?",
    "de": "Welchen Wert hat der Schlüssel {key} im JSON-Objekt oben?",
    "es": "¿Qué valor tiene la clave {key} en el objeto JSON de arriba?",
    "fr": "Quelle est la valeur de la clé {key} dans l'objet JSON ci-dessus ?",
    "zh": "在上面的 JSON 对象中，键 {key} 的值是什么？",
    "ja": "上の JSON オブジェクトで、キー {key} の値は何ですか？",
    "ar": "ما هي قيمة المفتاح {key} في كائن JSON أعلاه؟",
    "hi": "ऊपर दिए गए JSON ऑब्जेक्ट में कुंजी {key} का मान क्या है?",
}
WORDS = tuple(
    """
    river stone cloud ember maple harbor lantern falcon meadow copper violet summit anchor pepper saddle tunnel
    basket candle donkey engine feather garden hammer island jacket kettle ladder magnet needle orchid pillow quartz
    rabbit silver ticket urchin velvet walnut yellow zipper arrow bridge camel desert eagle forest glacier hazel
    ivory jungle kitten lemon marble nectar oyster parrot quiver ribbon salmon turtle umbrella valley whistle acorn
    beacon cactus dolphin easel fabric guitar helmet indigo jasmine kernel lizard mirror noodle olive pencil quilt
    raven shovel tulip unicorn vessel window barrel cherry drum elbow fountain goose honey iguana jewel karma
    lotus mango nickel otter peach queen rocket sponge tiger utensil vanilla wagon yogurt zebra almond bottle
    carpet diamond envelope flute grape hotel igloo
    """.split()
)
# Counted with the embedded models' tokenizers: one entry `"river": "48213",`, and the question around it.
TOKENS_PER_ENTRY = 11.5
TOKENS_AROUND = 28


def kv_lookup(language: str, target_tokens: int, *, seed: int, depth: float | None = None) -> Prompt:
    """A prompt of about `target_tokens` tokens; its answer stands at `depth` (0 first, 1 last, None anywhere).

    Deterministic in its arguments; raises KeyError for a language without wording.
    """
    if depth is not None and not 0 <= depth <= 1:
        raise ValueError(f"depth is {depth}; it must lie between 0 (first entry) and 1 (last entry)")
    rng = random.Random(f"{TASK}|{language}|{target_tokens}|{seed}")  # noqa: S311 (a workload, not a secret)
    count = max(2, round((target_tokens - TOKENS_AROUND) / TOKENS_PER_ENTRY))
    keys = _keys(rng, count)
    values = [str(rng.randrange(10_000, 100_000)) for _ in keys]
    index = rng.randrange(count) if depth is None else round(depth * (count - 1))
    key = f'"{keys[index]}"'
    data = json.dumps(dict(zip(keys, values, strict=True)), indent=0)
    return Prompt(
        id=f"{TASK}-{language}-{target_tokens}-{seed}",
        language=language,
        task=TASK,
        target_tokens=target_tokens,
        text=f"{data}\n\n{QUESTIONS[language].format(key=key)}\n{key}:",
        answer=values[index],
        verify={"type": "contains", "value": values[index]},
    )


def _keys(rng: random.Random, count: int) -> list[str]:
    """Distinct words; of two words each where single ones do not suffice."""
    if count <= len(WORDS):
        return rng.sample(WORDS, count)
    pairs = [f"{a} {b}" for a, b in itertools.permutations(WORDS, 2)]
    if count > len(pairs):
        raise ValueError(f"{count} keys are too many; at most {len(pairs)} can be made")
    return rng.sample(pairs, count)
