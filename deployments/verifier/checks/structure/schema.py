"""A client's JSON Schema: held within bounds, compiled, and what applying it can cost.

The validator is jsonschema-rs. It is asked only whether a value is valid: that takes time in proportion to schema times
value, also through recursive references, while a list of errors can grow without bound.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DRAFT_7 = "http://json-schema.org/draft-07/schema"
MAX_SCHEMA_BYTES = 32 * 1024
MAX_SCHEMA_DEPTH = 32
MAX_SCHEMA_NODES = 1_000
MAX_SCHEMA_PATTERNS = 32
MAX_PATTERN_CHARS = 1024
MAX_PATTERN_BYTES = 256 << 10  # of one pattern when compiled
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_SINGLES = frozenset({"additionalProperties", "items", "contains", "propertyNames", "not", "if", "then", "else"})
# of other drafts, or able to change what a reference means; ignored, they would make a check pass that should not
_UNSUPPORTED = frozenset(
    "$schema $id $anchor $dynamicRef $dynamicAnchor $recursiveRef $recursiveAnchor $vocabulary "
    "unevaluatedItems unevaluatedProperties additionalItems dependencies".split()
)
# draft 7 ignores these, and whatever stands beside a reference
_NEWER = frozenset({"prefixItems", "minContains", "maxContains", "dependentRequired", "dependentSchemas"})
_SAYS_NOTHING = frozenset({"$ref", "title", "description", "default", "examples", "$comment", "definitions", "$defs"})
# its patterns are those of another engine, so that a value that it allows might be called wrong
_UNSUPPORTED_FORMATS = frozenset({"regex"})
_STEPS_PER_PATTERN_CHAR = 4
# compiled in less than 1 ms, as measured for properties, references and patterns
QUICK_STEPS = 400
# a counted repetition or a class of Unicode's, each of which can hide any number of states
_HIDES_STATES = re.compile(r"\{|\\[pP]")
_PATTERN_HINT = f"; no look-around or back-references, and at most {MAX_PATTERN_BYTES} bytes compiled"


class Schema:
    """A schema that was found fit for use; raises ValueError with the reason if it is not.

    `steps` bounds how many keywords are applied to one value, references followed: infinite where they recurse.
    What takes long to compile is compiled when it is first applied; only then a fault that the compiler alone finds is
    a ValueError.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._json = json.dumps(schema)
        self.steps = _steps_of(self._json)

    @property
    def is_quick(self) -> bool:
        """Whether it is compiled in about a millisecond."""
        return self.steps <= QUICK_STEPS

    def prepare(self) -> None:
        """Compile it; raises ValueError with the reason if that cannot be done."""
        _compile(self._json)

    def __reduce__(self) -> "tuple[type[Schema], tuple[dict[str, Any]]]":
        """A validator does not go through pickle."""
        return Schema, (json.loads(self._json),)

    def allows(self, value: Any) -> bool:
        """Whether a value, with Decimal for its fractions, meets the schema; raises ValueError for a lone surrogate."""
        return _compile(self._json).is_valid(value)


@lru_cache(maxsize=256)
def _steps_of(schema_json: str) -> float:
    """The steps of a schema that is within bounds and asks for nothing that is not supported."""
    dialect, schemas = _read(schema_json)
    if dialect not in (DIALECT, DRAFT_7):
        raise ValueError(f"schema: $schema is '{dialect[:80]}'; only '{DIALECT}' and '{DRAFT_7}#' are allowed")
    _refuse_unusable(schemas)
    if dialect == DRAFT_7:
        _refuse_another_meaning(schemas)
    return _steps(schemas)


def _read(schema_json: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """The dialect, and every schema in it by its pointer."""
    if len(schema_json) > MAX_SCHEMA_BYTES:
        raise ValueError(f"schema has {len(schema_json)} bytes; at most {MAX_SCHEMA_BYTES} are allowed")
    # fractions as they are written: 0.01 has no binary float
    schema = json.loads(schema_json, parse_float=Decimal, parse_constant=_refuse_constant)
    _refuse_large(schema)
    dialect = str(schema.pop("$schema", DIALECT)).removesuffix("#")
    return dialect, dict(_subschemas(schema))


@lru_cache(maxsize=256)
def _compile(schema_json: str) -> "Draft202012Validator":
    """A validator within bounds; kept, since compiling takes longer than applying."""
    import jsonschema_rs

    _, schemas = _read(schema_json)
    try:
        return jsonschema_rs.Draft202012Validator(
            schemas["#"],
            validate_formats=True,
            ignore_unknown_formats=False,
            offline=True,
            # linear in the text; the other engine of the library backtracks
            pattern_options=jsonschema_rs.RegexOptions(size_limit=MAX_PATTERN_BYTES, dfa_size_limit=2 << 20),
        )
    except jsonschema_rs.ValidationError as error:
        path = "/".join(map(str, error.instance_path)) or "its root"
        hint = _PATTERN_HINT if error.message.endswith('is not a "regex"') else ""
        raise ValueError(f"schema: not of draft 2020-12 at {path[:200]}: {error.message[:200]}{hint}") from None
    except UnicodeEncodeError:
        raise ValueError("schema holds a lone surrogate; only valid Unicode is allowed") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"schema holds the number {name}; only finite numbers are allowed")


def num_nodes(values: Any, most: int) -> int:
    """How many values there are in nested ones; once there are more than `most`, the rest is not counted."""
    nodes, stack = 0, [values]
    while stack and nodes <= most:
        node = stack.pop()
        nodes += 1
        stack += node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return nodes


def _refuse_large(schema: Any) -> None:
    nodes = 0
    stack: list[tuple[Any, int]] = [(schema, 1)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        if depth > MAX_SCHEMA_DEPTH:
            raise ValueError(f"schema is nested deeper than the {MAX_SCHEMA_DEPTH} levels allowed")
        if nodes > MAX_SCHEMA_NODES:
            raise ValueError(f"schema has more than the {MAX_SCHEMA_NODES} nodes allowed")
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        stack += [(child, depth + 1) for child in children]


def _refuse_another_meaning(schemas: Mapping[str, dict[str, Any]]) -> None:
    """Of a schema of draft 7, what it means differently in draft 2020-12, by which values are checked."""
    for pointer, node in schemas.items():
        newer = sorted(_NEWER & node.keys() or ("$ref" in node and node.keys() - _SAYS_NOTHING) or ())
        if newer:
            raise ValueError(f"schema: draft 7 ignores '{newer[0]}' at {pointer}; leave it or $schema out")


def _refuse_unusable(schemas: Mapping[str, dict[str, Any]]) -> None:
    patterns: list[str] = []
    for pointer, node in schemas.items():
        unsupported = [key for key in node if key in _UNSUPPORTED]
        if unsupported:
            raise ValueError(f"schema: keyword '{unsupported[0]}' at {pointer} is not supported")
        if node.get("format") in _UNSUPPORTED_FORMATS:
            raise ValueError(f"schema: format '{node['format']}' at {pointer} is not supported")
        reference = node.get("$ref")
        if isinstance(reference, str) and unquote(reference) not in schemas:
            raise ValueError(
                f"schema: $ref '{reference[:64]}' leads to no schema in it; only local ones ('#/...') are allowed"
            )
        patterns += _patterns(node)
    if len(patterns) > MAX_SCHEMA_PATTERNS:
        raise ValueError(f"schema has {len(patterns)} patterns; at most {MAX_SCHEMA_PATTERNS} are allowed")
    longest = max(map(len, patterns), default=0)
    if longest > MAX_PATTERN_CHARS:
        raise ValueError(f"schema has a pattern of {longest} characters; at most {MAX_PATTERN_CHARS} are allowed")


def _subschemas(root: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in a schema, with its JSON pointer; data and maps of names are none, nor are true and false."""
    stack: list[tuple[str, Any]] = [("#", root)]
    while stack:
        pointer, node = stack.pop()
        if isinstance(node, dict):
            yield pointer, node
            stack += [(pointer + path, child) for path, child in _children(node)]


def _children(node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The schemas right below a schema, each with the way to it."""
    for key, value in node.items():
        if key in _MAPS and isinstance(value, dict):
            yield from ((f"/{key}/{_escaped(name)}", child) for name, child in value.items())
        elif key in _LISTS and isinstance(value, list):
            yield from ((f"/{key}/{index}", child) for index, child in enumerate(value))
        elif key in _SINGLES:
            yield f"/{key}", value


def map_schemas(node: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """A schema with each one right below it changed; true and false stay."""

    def of(child: Any) -> Any:
        return change(child) if isinstance(child, dict) else child

    found = dict(node)
    for key, value in node.items():
        if key in _MAPS and isinstance(value, dict):
            found[key] = {name: of(child) for name, child in value.items()}
        elif key in _LISTS and isinstance(value, list):
            found[key] = list(map(of, value))
        elif key in _SINGLES:
            found[key] = of(value)
    return found


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _patterns(node: dict[str, Any]) -> list[str]:
    own = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
    named = node.get("patternProperties")
    return own + (list(named) if isinstance(named, dict) else [])


def _steps(schemas: Mapping[str, dict[str, Any]]) -> float:
    """How many keywords one value meets at most, each reference counted as what it leads to."""
    known: dict[int, float] = {}

    def count(node: Any) -> float:
        if not isinstance(node, dict):
            return 1
        if id(node) not in known:
            known[id(node)] = math.inf  # for a reference back to here
            below = [child for _, child in _children(node)]
            if isinstance(node.get("$ref"), str):
                below.append(schemas[unquote(node["$ref"])])
            known[id(node)] = _own_steps(node) + sum(map(count, below))
        return known[id(node)]

    try:
        return count(schemas["#"])
    except RecursionError:
        return math.inf


def _own_steps(node: dict[str, Any]) -> float:
    """For its keywords and what they list, and for its patterns."""
    patterns = _patterns(node)
    if any(map(_HIDES_STATES.search, patterns)):
        return math.inf
    listed = sum(len(value) for value in node.values() if isinstance(value, list | dict))
    return len(node) + listed + _STEPS_PER_PATTERN_CHAR * sum(map(len, patterns))
