import pytest

from scripts.uv_options import uv_options


@pytest.mark.parametrize(
    ("config", "options"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(
            ":env:.find-links='/opt/wheels'\nglobal.extra-index-url='file:///a/simple file:///b/simple'\n"
            "global.find-links='/opt/wheels'\nglobal.cert='/etc/ca.crt'\n",
            [
                "--find-links=/opt/wheels",
                "--extra-index-url=file:///a/simple",
                "--extra-index-url=file:///b/simple",
            ],
            id="several, each once",
        ),
        pytest.param(
            ":env:.index-url='https://first/simple'\nuser.index-url='https://second/simple'\n",
            ["--index-url=https://first/simple"],
            id="the environment first",
        ),
        pytest.param("global.trusted-host='mirror'\n", ["--allow-insecure-host=mirror"], id="host"),
        pytest.param("global.proxy='http://proxy'\n", None, id="what uv has no option for"),
    ],
)
def test_pips_configuration_becomes_options_of_uv(config: str, options: list[str] | None) -> None:
    found = uv_options(config.splitlines())
    assert found == (None if options is None else ["--index-strategy=unsafe-best-match", *options])
