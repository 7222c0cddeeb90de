from pathlib import Path

import pytest
from typer.testing import CliRunner

from profiles.profile import load_profile
from scripts import commands


def test_times_of_each_model_are_wrong_by_a_factor_of_its_own_and_the_profile_says_so(tmp_path: Path) -> None:
    out = tmp_path / "wrong.json"
    done = CliRunner().invoke(commands.app, ["profile", "scale", "embedded_thinking", "--out", str(out), "--seed", "4"])
    assert (done.exit_code, done.exception) == (0, None)
    before, after = load_profile("embedded_thinking"), load_profile(str(out))
    factors = {
        name: model.latency.decode_s_per_token / before.models[name].latency.decode_s_per_token
        for name, model in after.models.items()
    }
    assert all(0.5 <= factor <= 2 for factor in factors.values())
    assert len(set(factors.values())) == len(factors)
    for name, model in after.models.items():
        known = before.models[name]
        assert model.latency.prefill_s_per_token == pytest.approx(factors[name] * known.latency.prefill_s_per_token)
        assert model.latency.decode_growth == known.latency.decode_growth
        assert model.cells == known.cells
        assert [curve.base_s for curve in model.thinking] == pytest.approx(
            [factors[name] * curve.base_s for curve in known.thinking]
        )
    assert after.measured.assumed
    assert all(f"{name} by {factor:.3f}" in after.measured.note for name, factor in factors.items())
