"""What an application loads that starts no engine of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = ("vllm", "torch", "transformers", "ray.llm")
PROGRAM = f"""
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    loaded = sorted(found for found in {HEAVY} if found in sys.modules)
    if loaded:
        sys.exit(f"{{name}} loads {{loaded}}")
"""
# what only measured profiles and models that think need
ROUTER = """
from deployments.router.choice.chances import Chances
from deployments.router.settings import Learning
from profiles.profile import NO_PROFILE
Chances(NO_PROFILE, ("m",), Learning())
if loaded := sorted({"scipy.optimize", "scipy.stats"} & sys.modules.keys()):
    sys.exit(f"a router loads {loaded}")
"""
BUILD = """
import logging, os, yaml
logging.disable(logging.WARNING)
os.environ['QWEN_KEY'] = 'k'
os.environ['SECRETS'] = 's' * 32
config = yaml.safe_load(open("serve_app/remote.yaml"))["applications"][0]["args"]
config["auth"] = {"secrets_env": "SECRETS"}
sys.modules["serve_app.app"].build_app(config)
sys.exit(", ".join(sorted(found for found in HEAVY if found in sys.modules)) or 0)
""".replace("HEAVY", repr(HEAVY))


def run(program: str, *args: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *args],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


def test_an_application_of_remote_models_is_built_and_served_without_engines_and_what_fits_profiles() -> None:
    replicas = ("deployments.router.http.ingress", "deployments.verifier.deployment")
    assert run(PROGRAM + ROUTER + BUILD, *replicas, "serve_app.app") == (0, "")


def test_an_engine_that_is_loaded_is_seen(tmp_path: Path) -> None:
    (tmp_path / "torch.py").touch()
    assert run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})" + PROGRAM, "torch") == (
        1,
        "torch loads ['torch']\n",
    )
