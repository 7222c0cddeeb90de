"""Reference pages that are made from the code: `python -m scripts.docs.reference` writes them.

Keys come from the JSON Schema of the config's models, commands from the options that the program parses, routes from
the OpenAPI document.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from deployments.router.openapi.document import OPERATIONS, REASONS, document
from deployments.router.tenants.keys import KeyFile
from scripts.commands import app
from serve_app.config import AppConfig

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
MADE = "<!-- made from the code by python -m scripts.docs.reference; a test compares -->"
BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
# every kind of check has keys of its own, told by `type`
UNION = "a [check](../verification.md)"

Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """The text of each page, by its file's name."""
    return {"config.md": config_page(), "cli.md": cli_page(), "api.md": api_page()}


def config_page() -> str:
    return "\n".join(
        [
            MADE,
            "# Keys of the configuration",
            "",
            "These are all keys, as the program reads them. [Configuration](../configuration.md) says how they work.",
            "A key without a default is required. `laar check FILE` checks a config.",
            "",
            "## The application",
            "",
            "The `args` of `serve_app.app:build_app`.",
            *_model_tables(AppConfig),
            "",
            "## The file of keys",
            "",
            "`auth.keys_file` names it; see [keys](../configuration.md#keys).",
            *_model_tables(KeyFile),
            "",
        ]
    )


def cli_page() -> str:
    lines = [
        MADE,
        "# Commands and options",
        "",
        "These are all commands, as the program parses them. [The command laar](../cli.md) says what they are for.",
    ]
    for name, command in commands():
        lines += ["", f"## {name}", "", *_command_lines(command)]
    return "\n".join([*lines, ""])


def api_page() -> str:
    """Every route, and what the bodies hold."""
    schemas = document()["components"]["schemas"]
    lines = [
        MADE,
        "# Routes of the HTTP API",
        "",
        "These are all routes, as `GET /openapi.json` describes them. [HTTP API](../api.md) says how they work.",
        "",
        "| route | what it does | role of the key | body | statuses |",
        "|---|---|---|---|---|",
    ]
    for (method, path), operation in OPERATIONS.items():
        statuses = ", ".join(map(str, operation.all_statuses))
        role = f"`{operation.role}`" if operation.role is not None else "none"
        body = "" if operation.body is None else f"[{operation.body}](#{_anchor(operation.body)})"
        lines.append(f"| `{method.upper()} {path}` | {operation.does} | {role} | {body} | {statuses} |")
    lines += ["", "| status | when |", "|---|---|"]
    lines += [f"| {status} | {when} |" for status, when in REASONS.items()]
    lines += ["", "A key whose value is `any` is checked by the engine."]
    for name in ("Chat", "Completion", "ResponsesRequest", "MessagesRequest", "Feedback", "LaarOptions"):
        lines += ["", f"## {name}", *_tables(schemas[name], {"$defs": schemas})]
    lines += ["", "## Explain", "", "The body of a chat or of a completion.", ""]
    return "\n".join(lines)


def commands(group: Any = None, name: str = "laar") -> Iterator[tuple[str, Any]]:
    """Every command that is no group, with its full name, in the order of the program's help."""
    found: Any = group or typer.main.get_command(app)
    for part, command in found.commands.items():
        full = f"{name} {part}"
        if hasattr(command, "commands"):
            yield from commands(command, full)
        else:
            yield full, command


def _model_tables(model: type[BaseModel]) -> Iterator[str]:
    whole = model.model_json_schema(mode="validation")
    yield from _tables(whole, whole)


def _tables(schema: Schema, whole: Schema) -> Iterator[str]:
    """A table of the schema's own keys, then one of each section below it; `whole` has what it refers to."""
    sections = [("", schema)]
    while sections:
        path, section = sections.pop(0)
        if path:
            yield from ("", f"### {path}")
        yield from ("", "| key | value | default | meaning |", "|---|---|---|---|")
        for key, given in section["properties"].items():
            schema = _resolved(given, whole)
            full = f"{path}.{key}" if path else key
            inner, is_list = _section(schema, whole)
            if inner is not None:
                place = f"{full}[]" if is_list else full
                sections.append((place, inner))
                value = f"{'list of ' if is_list else ''}[below](#{_anchor(place)})"
            else:
                value = _value(schema, whole)
            default = "required" if key in section.get("required", ()) else _default(given, inner is not None)
            meaning = schema.get("description", "") if inner is None else given.get("description", "")
            yield f"| `{key}` | {value} | {default} | {_cell(meaning)} |"


def _resolved(schema: Schema, whole: Schema) -> Schema:
    """The schema with what its reference leads to, its own words first."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return {**whole["$defs"][reference.rpartition("/")[2]], **schema}


def _section(schema: Schema, whole: Schema) -> tuple[Schema | None, bool]:
    """The model that a key holds, if it holds exactly one kind, and whether it holds a list of them."""
    if schema.get("type") == "array" and "items" in schema:
        inner, _ = _section(_resolved(schema["items"], whole), whole)
        return inner, inner is not None
    options = [_resolved(option, whole) for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        return _section(options[0], whole)
    return (schema, False) if "properties" in schema else (None, False)


def _value(schema: Schema, whole: Schema) -> str:
    if "enum" in schema:
        return _cell(" or ".join(f"`{option}`" for option in schema["enum"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "oneOf" in schema:
        return UNION
    if "anyOf" in schema:
        kinds = [_value(_resolved(option, whole), whole) for option in schema["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if schema.get("type") == "array":
        items = schema.get("items")
        return f"list of {_value(_resolved(items, whole), whole)}" if items else "list"
    bounds = ", ".join(f"{sign} {schema[name]:,}" for name, sign in BOUNDS.items() if name in schema)
    kind = {"object": "mapping", "boolean": "true or false"}.get(schema.get("type", "any"), schema.get("type", "any"))
    return f"{kind} {bounds}".strip()


def _default(given: Schema, is_section: bool) -> str:
    default = given.get("default")
    if default is None or is_section:
        return "none" if "default" in given and default is None else ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return _cell(f"`{default}`")


def _command_lines(command: Any) -> Iterator[str]:
    yield _plain(command.help or "")
    yield from ("", "| option | default | meaning |", "|---|---|---|")
    for parameter in command.params:
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        if parameter.param_type_name == "argument":
            names = f"`{(parameter.metavar or parameter.name).upper()}`"
        default = parameter.default
        is_told = default is not None and default is not False and default != ""
        told = "required" if parameter.required else f"`{default}`" if is_told else ""
        yield f"| {names} | {_cell(told)} | {_cell(_plain(parameter.help or ''))} |"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    """The text so that it stays in its cell of a table."""
    return _plain(text).replace("|", "\\|")


def _anchor(heading: str) -> str:
    """The id that Python-Markdown gives this heading."""
    return "".join(character for character in heading.lower() if character.isalnum() or character in "_-")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
