"""What the beginning of a JSON text has settled, whatever may follow."""

from typing import Any

from pydantic_core import from_json

from deployments.verifier.checks.structure.schema import map_schemas

# what may be only a part of itself, or of a fence's end
_UNSETTLED = "0123456789+-.eE"
# of the parser's complaints those that every parser shares, not its limits on depth and digits
_FAULTS = ("expected value", "expected ident", "expected `", "key must be a string", "trailing comma", "trailing char")
_COMPOUND = (dict, list)
_MAX_EXACT = 2**53  # of the integers, those that a float has
# of the keywords those that a longer value cannot mend; without bounds on numbers, which are read as floats here, and
# without patterns, which take long to compile
_LASTING = frozenset(
    "type properties additionalProperties items prefixItems propertyNames allOf anyOf $ref $defs definitions maxItems "
    "maxProperties maxLength minLength format".split()
)


_TYPES = {
    '"': ("string",),
    "t": ("boolean",),
    "f": ("boolean",),
    "n": ("null",),
    **dict.fromkeys("-0123456789", ("number", "integer")),
}


class NotJsonError(Exception):
    """No text that begins so is JSON."""


def opened(beginning: str) -> str:
    """The beginning of the JSON in an answer that is all JSON, be it in a code fence; empty where it has none yet."""
    text = beginning.strip().removeprefix("\ufeff").strip()
    mark = text[:1]
    if mark not in ("`", "~"):
        return text
    inner = text.lstrip(mark)
    if len(text) - len(inner) < 3 or len(inner.lstrip()) < len("json"):
        return ""
    inner = inner.partition(mark)[0].strip()
    return (inner[4:] if inner[:4].lower() == "json" else inner).strip()


def so_far(text: str) -> Any:
    """The object or array that a text begins, without what is not settled yet; None where it begins another value.

    Raises NotJsonError. Objects and arrays in it may still grow, and only they.
    """
    try:
        found = from_json(text.rstrip(_UNSETTLED), allow_partial=True)
        if text[-1:] not in _UNSETTLED:
            _refuse_more(text)
    except ValueError as error:
        if _is_fault(error):
            raise NotJsonError from None
        return None
    return found if isinstance(found, _COMPOUND) else None


def begins_another(text: str, wanted: Any) -> bool:
    """Whether a text begins a value, neither object nor array, of none of the wanted types."""
    types = [wanted] if isinstance(wanted, str) else wanted
    begun = _TYPES.get(text[:1])
    return begun is not None and types is not None and not any(name in types for name in begun)


def _refuse_more(text: str) -> None:
    try:
        from_json(text)
    except ValueError as error:
        if "trailing char" in str(error):
            raise


def _is_fault(error: ValueError) -> bool:
    return str(error).startswith(_FAULTS)


def weakened(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that every beginning of a value meets if the value meets the given one."""
    found = {key: value for key, value in schema.items() if key in _LASTING}
    if "patternProperties" in schema:
        found.pop("additionalProperties", None)
    if "oneOf" in schema and "anyOf" not in schema:
        found["anyOf"] = schema["oneOf"]
    if "const" in schema and _is_settled(schema["const"]):
        found["const"] = schema["const"]
    if all(map(_is_settled, schema.get("enum", [{}]))):
        found["enum"] = schema["enum"]
    return map_schemas(found, weakened)


def _is_settled(value: Any) -> bool:
    """Whether it is neither still to grow nor a fraction, which a float may miss."""
    is_exact = not isinstance(value, int) or abs(value) <= _MAX_EXACT
    return is_exact and not isinstance(value, (*_COMPOUND, float))
