"""L(m, x): how long one attempt on a model takes now, from its profiled speed and what is queued there."""

from dataclasses import dataclass

from profiles.schema import Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What this router has under way on a model: requests, and their estimated prompt tokens, all replicas."""

    in_flight: int = 0
    prompt_tokens: int = 0
    replicas: int = 1


IDLE = Load()


def expected_latency_s(latency: Latency, *, prompt_tokens: int, output_tokens: float, load: Load) -> float:
    """Seconds until a request sent now is answered in full.

    Own work at the speed the engine has with one request more, behind the prefill of what is already there:
    `overhead + prefill * (own + queued) + decode * (1 + growth * n) * output`, with n and the queued prompt
    tokens counted per replica. Half of the queued prompts are taken to have been read already.
    """
    running = load.in_flight / load.replicas
    queued_tokens = 0.5 * load.prompt_tokens / load.replicas
    return (
        latency.overhead_s
        + latency.prefill_s_per_token * (prompt_tokens + queued_tokens)
        + latency.decode_s_per_token * (1 + latency.decode_growth * running) * output_tokens
    )
