"""Whether an answer is one that the OpenAPI document tells of."""

from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from deployments.router.openapi.document import document

DOCUMENT = document()


def schema_validator(schema: dict[str, Any]) -> Any:
    """Checks against a schema that may refer to parts of the document."""
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


@cache
def _validator(method: str, path: str, status: str, kind: str) -> Any:
    told = DOCUMENT["paths"][path][method.lower()]["responses"][status]
    if "$ref" in told:
        told = DOCUMENT["components"]["responses"][status]
    return schema_validator(told["content"][kind].get("schema", {}))


def fault_of(method: str, path: str, response: httpx.Response) -> str | None:
    """What is not as documented in an answer to one of the document's paths."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    try:
        validator = _validator(method, path, str(response.status_code), kind)
    except KeyError as missing:
        return f"{method} {path}: {response.status_code} {kind} is not documented: {missing}"
    found = response.json() if kind == "application/json" else response.text
    return next((f"{method} {path}: {error}" for error in validator.iter_errors(found)), None)
