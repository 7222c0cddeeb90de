"""A profile whose latencies are wrong, to see what a router makes of it."""

from collections.abc import Mapping

import numpy as np

from profiles.profile import Profile


def factors_of(profile: Profile, *, most: float, seed: int) -> dict[str, float]:
    """A factor for each model from 1 / `most` to `most`, even in its logarithm."""
    rng = np.random.default_rng(seed)
    return {model: float(most ** rng.uniform(-1, 1)) for model in sorted(profile.models)}


def scaled(profile: Profile, factors: Mapping[str, float], *, command: str) -> Profile:
    """The same profile with every time of a model multiplied by its factor; it says that it is assumed."""
    models = {}
    for name, known in profile.models.items():
        factor, latency = factors[name], known.latency
        times = {
            key: factor * getattr(latency, key) for key in ("overhead_s", "prefill_s_per_token", "decode_s_per_token")
        }
        curves = tuple(
            curve.model_copy(
                update={
                    "base_s": factor * curve.base_s,
                    "token_s": factor * curve.token_s,
                    "intervals": {},
                    "points": (),
                }
            )
            for curve in known.thinking
        )
        update = {"latency": latency.model_copy(update=times), "thinking": curves}
        models[name] = known.model_copy(update=update)
    told = ", ".join(f"{model} by {factor:.3f}" for model, factor in sorted(factors.items()))
    measured = profile.measured.model_copy(
        update={
            "assumed": True,
            "command": command,
            "note": f"{profile.measured.note} times multiplied: {told}".strip(),
        }
    )
    return profile.model_copy(update={"models": models, "measured": measured})
