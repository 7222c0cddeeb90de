import pytest

from deployments.router.http.answers import model_header


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param("org/big-1.5_b:q4@main", "org/big-1.5_b:q4@main", id="ascii-stays"),
        pytest.param("模型", "%E6%A8%A1%E5%9E%8B", id="chinese"),
        pytest.param("modèle", "mod%C3%A8le", id="latin-1"),
        pytest.param("a\r\nset-cookie: b", "a%0D%0Aset-cookie:%20b", id="line-end"),
        pytest.param("50%25", "50%2525", id="percent"),
    ],
)
def test_name_of_a_model_fits_into_a_header(model: str, expected: str) -> None:
    assert model_header(model) == {"x-laar-model": expected}
    expected.encode("ascii")
