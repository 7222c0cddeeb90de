"""A small folder of recorded outcomes, written by a test."""

import csv
from pathlib import Path

import numpy as np

# chance on sums, chance on words, median seconds
MODELS = {
    "tiny": (0.2, 0.7, 0.3),
    "sums": (0.9, 0.3, 0.8),
    "words": (0.3, 0.9, 1.0),
    "large": (0.9, 0.9, 4.0),
    "middle": (0.6, 0.6, 1.5),
    "huge": (0.95, 0.85, 6.0),
    "huge-tools": (0.85, 0.95, 7.0),
}


def write_recording(folder: Path, *, prompts: int = 160, has_seconds: bool = True, languages: int = 1) -> Path:
    """Two tasks; every question in as many languages as asked for, named by its base; the same each time."""
    rng = np.random.default_rng(7)
    folder.mkdir(exist_ok=True)
    rows: list[dict[str, object]] = []
    answers: list[dict[str, object]] = []
    for number in range(prompts):
        question, language = divmod(number, languages)
        task = ("sums", "words")[question % 2]
        rows.append(
            {
                "prompt_id": f"p{number}",
                "task": task,
                "language": ("en", "de", "fr")[language],
                "prompt_chars": 100 + 40 * (question % 7),
                "base": f"q{question}",
                "text": f"{task} number {question}",
            }
        )
        for name, (sums, words, median_s) in MODELS.items():
            correct = int(rng.random() < (sums if task == "sums" else words))
            seconds = f"{median_s * np.exp(0.4 * rng.normal()):.4f}" if has_seconds else ""
            answers.append({"prompt_id": f"p{number}", "model": name, "correct": correct, "latency_s": seconds})
    write_table(folder / "prompts.csv", rows)
    models: list[dict[str, object]] = [
        {"model": m, "notes": "research" if m == "middle" else "", "base_model": m.split("-")[0]} for m in MODELS
    ]
    write_table(folder / "models.csv", models)
    write_table(folder / "outcomes.csv", answers)
    return folder


def write_table(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
