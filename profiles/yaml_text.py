"""The reader of YAML that people write: what PyYAML would take in silence or cannot bear is refused with its line."""

import re
from typing import Any

import yaml

# a reader of YAML goes one call deeper for each
MAX_YAML_DEPTH = 100
_PLAIN_NAME = re.compile(r"[a-z_]{1,24}$")


def read_yaml(content: str | bytes, *, is_secret: bool = False, takes_aliases: bool = True) -> Any:
    """The document in a text of YAML or JSON; ValueError says in one line what is wrong with it, and where.

    Of a document that `is_secret` the message shows nothing but plain names of keys. An alias can stand for billions of
    values, so a document that is written out as JSON takes none.
    """
    try:
        text = content if isinstance(content, str) else content.decode()
        refusal = _refusal_of_events(text, takes_aliases=takes_aliases)
        if not refusal:
            loader = yaml.CSafeLoader(text)
            try:
                root = loader.get_single_node()
                refusal = _refusal_of_keys(root, is_secret=is_secret) if root is not None else ""
                if not refusal:
                    return loader.construct_document(root) if root is not None else None
            finally:
                loader.dispose()
    except yaml.YAMLError as error:
        raise ValueError(_told(error, is_secret=is_secret)) from None
    except (ValueError, OverflowError, RecursionError) as error:
        why = "" if is_secret else f": {error}"
        raise ValueError(f"holds a value that YAML cannot read{why}") from None
    raise ValueError(refusal)


def _refusal_of_events(text: str, *, takes_aliases: bool) -> str:
    """Why a document is not taken whose values may be without end, or end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) and not takes_aliases:
            return "holds an alias (*); write out what it stands for"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_YAML_DEPTH:
            return f"holds values within values, more than {MAX_YAML_DEPTH} deep"
    return ""


def _refusal_of_keys(root: yaml.Node, *, is_secret: bool) -> str:
    """Why a document is not taken that has a key twice in one mapping: the second would replace the first."""
    nodes, seen = [root], {id(root)}
    for node in nodes:
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            first: dict[tuple[str, str], yaml.Node] = {}
            for key, value in node.value:
                inner += (key, value)
                if isinstance(key, yaml.ScalarNode) and (known := first.setdefault((key.tag, key.value), key)) != key:
                    shown = "a key" if is_secret and not _PLAIN_NAME.match(key.value) else f"key '{key.value}'"
                    return f"line {_line(key)}: {shown} stands in line {_line(known)} already; remove one of the two"
        elif isinstance(node, yaml.SequenceNode):
            inner += node.value
        for one in inner:
            if id(one) not in seen:
                seen.add(id(one))
                nodes.append(one)
    return ""


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _told(error: yaml.YAMLError, *, is_secret: bool) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if is_secret:
        return f"no YAML{f', line {mark.line + 1}' if mark is not None else ''}"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return f"no YAML: {where}{problem or ' '.join(str(error).split())}"
