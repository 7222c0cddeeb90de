"""Whether chances are as large as they say."""

import numpy as np

from profiles.arrays import Floats

NUM_BINS = 10


def calibration_error(predicted: Floats, correct: Floats) -> float:
    """Mean distance of chance and share of correct, over ten bins of equally many records (ECE)."""
    bins = np.array_split(np.argsort(predicted, kind="stable"), NUM_BINS)
    distances = [abs(predicted[rows].mean() - correct[rows].mean()) * len(rows) for rows in bins if len(rows)]
    return float(sum(distances) / len(predicted))
