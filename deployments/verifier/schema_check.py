"""JSON Schema with bounds: size of the schema, patterns on RE2, and a budget of steps for one validation."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import msgspec
from jsonschema import Draft202012Validator, FormatChecker, SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from deployments.verifier.text.patterns import PatternError, TooMuchWorkError, compile_pattern, matches

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_BYTES = 32 * 1024
MAX_SCHEMA_DEPTH = 16
MAX_SCHEMA_NODES = 500
MAX_SCHEMA_PATTERNS = 32
MAX_ANSWER_DEPTH = 64
# One step is a keyword applied to something small; to something large it counts for more, see _Budget.
MAX_STEPS = 50_000
_NODES_PER_STEP = 16
_CHARS_PER_NODE = 64

_IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_SINGLES = ("additionalProperties", "items", "contains", "propertyNames", "not", "if", "then", "else")
# Re-basing references, or evaluating sub-schemas where no budget can count it, or not of this draft.
_UNSUPPORTED = (
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
    "dependencies",
)


class StepsExceededError(Exception):
    """A validation took more steps than any honest schema needs."""


class SchemaCheck:
    """A schema that was found fit for use; raises ValueError with the reason if it is not."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        _refuse_unsendable(schema)
        self._validator = _validator(json.dumps(schema))

    def violation(self, answer: Any) -> str | None:
        """The keyword that is violated first, or None; raises StepsExceededError."""
        token = _BUDGET.set(_Budget(answer))
        try:
            error = next(self._validator.iter_errors(answer), None)
        except (RecursionError, OverflowError, TooMuchWorkError):
            # endless references; a number beyond all floats; a long text for a large pattern
            raise StepsExceededError from None
        finally:
            _BUDGET.reset(token)
        return None if error is None else str(error.validator)


def parse_answer(text: str) -> Any:
    """The JSON value of an answer, which may stand in a code fence; ValueError if there is none."""
    try:
        return msgspec.json.decode(_unfenced(text).encode("utf-8"))
    except (msgspec.DecodeError, UnicodeError):
        raise ValueError("not JSON") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unfenced(text: str) -> str:
    text = text.strip()
    if len(text) >= 6 and text.startswith("```") and text.endswith("```"):
        return text[3:-3].removeprefix("json").removeprefix("JSON").strip()
    return text


class _Budget:
    """Steps that one validation may take.

    The work of a keyword, and the text of its error, grow with what it is applied to, so each is charged for
    the number of values in there; long strings count as several.
    """

    def __init__(self, answer: Any) -> None:
        self.spent = 0
        self._sizes = _sizes(answer)

    def spend(self, instance: Any, steps: int = 1) -> None:
        size = len(instance) // _CHARS_PER_NODE if isinstance(instance, str) else self._sizes.get(id(instance), 0)
        self.spent += steps + size // _NODES_PER_STEP
        if self.spent > MAX_STEPS:
            raise StepsExceededError


def _sizes(answer: Any) -> dict[int, int]:
    """The number of values in each array and object of an answer; refuses one that is nested too deeply."""
    order: list[tuple[Any, int]] = [(answer, 1)]
    for node, depth in order:
        if depth > MAX_ANSWER_DEPTH:
            raise StepsExceededError
        order.extend((child, depth + 1) for child in _children(node) if isinstance(child, dict | list))
    sizes: dict[int, int] = {}
    for node, _ in reversed(order):
        sizes[id(node)] = 1 + sum(_size(child, sizes) for child in _children(node))
    return sizes


def _children(node: Any) -> Any:
    if isinstance(node, dict):
        return (*node.keys(), *node.values())
    return node if isinstance(node, list) else ()


def _size(node: Any, sizes: Mapping[int, int]) -> int:
    if isinstance(node, str):
        return 1 + len(node) // _CHARS_PER_NODE
    return sizes[id(node)] if isinstance(node, dict | list) else 1


# the validators are shared, the budget belongs to one call of `violation`
_BUDGET: ContextVar[_Budget] = ContextVar("_BUDGET")
_Keyword = Callable[[Any, Any, Any, Any], Any]


def _counted(keyword: _Keyword) -> _Keyword:
    def apply(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _BUDGET.get().spend(instance)
        yield from keyword(validator, value, instance, schema) or ()

    return apply


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not matches(compile_pattern(pattern), instance):
        yield ValidationError("does not match the pattern")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        _BUDGET.get().spend(instance, len(instance))
        compiled = compile_pattern(pattern)
        for key, value in instance.items():
            if matches(compiled, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    known = schema.get("properties", {})
    patterns = [compile_pattern(pattern) for pattern in schema.get("patternProperties", {})]
    _BUDGET.get().spend(instance, len(instance) * len(patterns))
    for key, value in instance.items():
        if key not in known and not any(matches(pattern, key) for pattern in patterns):
            yield from validator.descend(value, subschema, path=key)


def _any_of(validator: Any, subschemas: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not any(validator.evolve(schema=subschema).is_valid(instance) for subschema in subschemas):
        yield ValidationError("is valid under none of the schemas")


def _one_of(validator: Any, subschemas: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if sum(validator.evolve(schema=subschema).is_valid(instance) for subschema in subschemas) != 1:
        yield ValidationError("is not valid under exactly one of the schemas")


def _unique_items(validator: Any, is_wanted: bool, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    # hashing keeps this linear; comparing each object with each would not be
    if is_wanted and validator.is_type(instance, "array") and len(set(map(_hashable, instance))) < len(instance):
        yield ValidationError("has equal items")


def _hashable(value: Any) -> Any:
    """A key that is equal for values equal in JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return ("object", frozenset((key, _hashable(child)) for key, child in value.items()))
    if isinstance(value, list):
        return ("array", tuple(_hashable(child) for child in value))
    return ("boolean", value) if isinstance(value, bool) else value


_KEYWORDS: dict[str, _Keyword] = {
    **Draft202012Validator.VALIDATORS,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "uniqueItems": _unique_items,
}
_BoundedValidator: Any = extend(  # type: ignore[no-untyped-call]  # jsonschema leaves it without annotations
    Draft202012Validator, {name: _counted(keyword) for name, keyword in _KEYWORDS.items()}
)


@lru_cache(maxsize=256)
def _validator(schema_json: str) -> Any:
    """A validator for a schema within bounds; kept, since checking a schema is slower than applying it."""
    schema = json.loads(schema_json)
    dialect = str(schema.pop("$schema", DIALECT)).removesuffix("#")
    if dialect != DIALECT:
        raise ValueError(f"schema: $schema is '{dialect[:80]}'; only '{DIALECT}' is allowed")
    _check_against_draft(schema)
    pointers = dict(_subschemas(schema))
    _refuse_unusable(pointers)
    return _BoundedValidator(schema, registry=Registry())


def _check_against_draft(schema: Any) -> None:
    try:
        # without formats: the format "regex" would hand the patterns to Python's own engine
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        path = "/".join(map(str, error.absolute_path)) or "its root"
        raise ValueError(f"schema: not of draft 2020-12 at {path[:200]}: {error.message[:200]}") from None


def _subschemas(root: Any) -> Iterator[tuple[str, Any]]:
    """Every schema in a schema with its JSON pointer; names in `properties` are no keywords."""
    stack: list[tuple[str, Any]] = [("#", root)]
    while stack:
        pointer, schema = stack.pop()
        yield pointer, schema
        if not isinstance(schema, dict):
            continue
        stack += [(f"{pointer}/{name}", schema[name]) for name in _SINGLES if name in schema]
        for name in _IN_PLACE_LISTS:
            stack += [(f"{pointer}/{name}/{i}", child) for i, child in enumerate(schema.get(name, ()))]
        for name in _MAPS:
            stack += [(f"{pointer}/{name}/{_escaped(key)}", child) for key, child in schema.get(name, {}).items()]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _refuse_unusable(subschemas: Mapping[str, Any]) -> None:
    patterns: list[str] = []
    for pointer, schema in subschemas.items():
        if not isinstance(schema, dict):
            continue
        for name in (*_UNSUPPORTED, "$schema"):
            if name in schema:
                raise ValueError(f"schema: keyword '{name}' at {pointer} is not supported")
        _refuse_reference(schema.get("$ref"), subschemas)
        patterns += [schema["pattern"]] if "pattern" in schema else []
        patterns += schema.get("patternProperties", {})
    _refuse_patterns(patterns)


def _refuse_reference(reference: str | None, subschemas: Mapping[str, Any]) -> None:
    if reference is not None and unquote(reference) not in subschemas:
        raise ValueError(
            f"schema: $ref '{reference[:64]}' leads to no schema in it; only local ones ('#/...') are allowed"
        )


def _refuse_patterns(patterns: list[str]) -> None:
    if len(patterns) > MAX_SCHEMA_PATTERNS:
        raise ValueError(f"schema has {len(patterns)} patterns; at most {MAX_SCHEMA_PATTERNS} are allowed")
    for pattern in patterns:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            raise ValueError(f"schema: {error}") from None


def _refuse_unsendable(schema: Mapping[str, Any]) -> None:
    """What is too large, or would not be the same schema after a way through JSON."""
    nodes = 0
    stack: list[tuple[Any, int]] = [(schema, 1)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if depth > MAX_SCHEMA_DEPTH:
            raise ValueError(f"schema is nested deeper than the {MAX_SCHEMA_DEPTH} levels allowed")
        if nodes > MAX_SCHEMA_NODES:
            raise ValueError(f"schema has more than the {MAX_SCHEMA_NODES} nodes allowed")
        if isinstance(node, float) and not math.isfinite(node):
            raise ValueError(f"schema holds the number {node}; only finite numbers are allowed")
        if isinstance(node, dict):
            stack += [(child, depth + 1) for child in node.values()]
        elif isinstance(node, list):
            stack += [(child, depth + 1) for child in node]
    # a lone surrogate fails here, with a ValueError that names it
    size = len(json.dumps(schema, ensure_ascii=False).encode())
    if size > MAX_SCHEMA_BYTES:
        raise ValueError(f"schema has {size} bytes; at most {MAX_SCHEMA_BYTES} are allowed")
