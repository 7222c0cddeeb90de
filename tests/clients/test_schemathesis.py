"""schemathesis draws requests from the OpenAPI document; each answer is one that the document tells of."""

import os
from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.served import KEY

# LAAR_FUZZ=5000 is what releases are held to: cases of all routes together
NUM_CASES = int(os.environ.get("LAAR_FUZZ", "500"))
MOST_S = 20.0
CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
# most of what is drawn names no model that is there, and has a field that no engine takes
MODELS = st.sampled_from([None, "auto", "auto", "simulated-right"])
FEW = frozenset({"model", "messages", "prompt", "input", "max_tokens", "laar", "stream"})


def test_routes_answer_as_they_are_documented(app_url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{app_url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    # of the others there is but one case
    drawn = [each for each in operations if each.body or each.query or each.path_parameters]
    told: Counter[tuple[str, int]] = Counter()

    def send(operation: Any, count: int, mode: GenerationMode) -> None:
        @settings(
            max_examples=count,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode), MODELS, st.booleans())
        def case_of(case: Any, model: str | None, has_few: bool) -> None:
            if model is not None and isinstance(case.body, dict) and "model" in case.body:
                kept = {name: value for name, value in case.body.items() if not has_few or name in FEW}
                case.body = kept | {"model": model}
            response = case.call(base_url=app_url, headers={"authorization": f"Bearer {KEY}"}, timeout=60)
            told[operation.label, response.status_code] += 1
            assert response.elapsed < MOST_S, case.as_curl_command()
            # the document has them too, but not for what a client sends
            assert response.status_code not in (500, 502, 503), case.as_curl_command()
            case.validate_response(response, checks=CHECKS)

        case_of()

    for operation in operations:
        if operation not in drawn:
            send(operation, 1, GenerationMode.POSITIVE)
    for operation in drawn:
        count = -(-NUM_CASES // len(drawn))
        can_be_wrong = bool(operation.body)
        send(operation, count - count // 2 * can_be_wrong, GenerationMode.POSITIVE)
        if can_be_wrong:
            send(operation, count // 2, GenerationMode.NEGATIVE)
    print(f"{told.total()} cases: {dict(sorted(told.items()))}")
