import sys
from importlib.util import find_spec

import pytest

from scripts import cli
from tests.unit.test_house import added_by, import_name


def test_commands_ask_for_what_their_extra_installs() -> None:
    assert set(cli.CLI) == set(map(import_name, added_by("cli")))


def test_what_the_commands_lack_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name in ("rich", "psutil") else find_spec(name))
    with pytest.raises(SystemExit, match=r"^laar: its commands need rich, psutil; help: pip install 'laar\[cli\]'$"):
        cli.main()


def test_command_that_draws_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["laar", "profile", "show", "paper"])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "scripts.profile.show", raising=False)
    with pytest.raises(SystemExit, match=r"needs matplotlib; help: pip install 'laar\[plots\]'$"):
        cli.main()
