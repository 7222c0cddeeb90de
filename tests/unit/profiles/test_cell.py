"""Length buckets and their labels."""

import numpy as np
import pytest

from profiles.cell import Buckets

BUCKETS = Buckets((128, 512, 2048, 8192))


@pytest.mark.parametrize(
    ("num_tokens", "bucket", "label"),
    [
        pytest.param(1, 0, "<=128", id="smallest"),
        pytest.param(128, 0, "<=128", id="edge-is-inclusive"),
        pytest.param(129, 1, "129-512", id="above-an-edge"),
        pytest.param(8192, 3, "2049-8192", id="last-edge"),
        pytest.param(8193, 4, ">8192", id="above-the-last-edge"),
    ],
)
def test_edges_are_inclusive_upper_ends(num_tokens: int, bucket: int, label: str) -> None:
    assert BUCKETS.of(num_tokens) == bucket
    assert BUCKETS.of_all(np.array([float(num_tokens)])).tolist() == [bucket]
    assert BUCKETS.label(bucket) == label


def test_label_finds_its_bucket_whatever_the_tokens_say() -> None:
    assert [BUCKETS.labelled(label, num_tokens=1) for label in BUCKETS.labels] == [0, 1, 2, 3, 4]


def test_label_of_other_edges_leaves_it_to_the_tokens() -> None:
    assert BUCKETS.labelled("129-256", num_tokens=600) == 2
