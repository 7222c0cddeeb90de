import re

import pytest

from deployments.contract.secret import Secrets, read_secrets

ONE, OTHER = b"1" * 32, b"2" * 32


def test_each_purpose_has_a_key_of_its_own_and_none_is_the_secret() -> None:
    secrets = Secrets(ONE)
    (prompt,), (salt,) = secrets.keys("prompt"), secrets.keys("cache salt")
    assert len({prompt, salt, ONE}) == 3
    # printf prompt | openssl dgst -sha256 -hmac 1111..., and that as the key of printf Hi
    assert prompt.hex() == "367b9d181808ab85fb5797e4f9a4e0105e034fc78eeb31a6454db57623d4332b"
    assert secrets.digest("prompt", "Hi") == "b1236264e14c17698ba2d6962586160f72db8a15fe1705239e20b019126c5f23"


def test_first_secret_marks_and_all_are_known() -> None:
    assert Secrets(OTHER, ONE).digests("prompt", "Hi") == (
        Secrets(OTHER).digest("prompt", "Hi"),
        Secrets(ONE).digest("prompt", "Hi"),
    )


def test_loaded_secrets_take_the_place_of_those_before() -> None:
    secrets = Secrets(ONE)
    before = secrets.digest("prompt", "Hi")
    secrets.load(OTHER + b"\n" + ONE + b"\n")
    assert secrets.digests("prompt", "Hi")[1] == before
    with pytest.raises(ValueError, match="holds 0 secrets"):
        secrets.load(b"")
    assert secrets.digests("prompt", "Hi")[1] == before


@pytest.mark.parametrize(
    "content", [pytest.param(ONE + mark + OTHER + mark, id=repr(mark)) for mark in (b",", b"\n", b", ")]
)
def test_secrets_are_apart_by_commas_or_white_space(content: bytes) -> None:
    assert read_secrets(content) == (ONE, OTHER)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b" \n", "holds 0 secrets; allowed: 1 to 8", id="none"),
        pytest.param(b"\n".join([ONE] * 9), "holds 9 secrets; allowed: 1 to 8", id="too-many"),
        pytest.param(ONE + b",hunter2", "holds a secret of 7 bytes; each has at least 32", id="too-short"),
    ],
)
def test_secrets_that_will_not_do_are_refused_unseen(content: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        read_secrets(content)
