from scripts.bench.estimates import drift


def test_recovery_begins_with_the_first_window_that_is_right_often_enough() -> None:
    choices = [(100 + index, index >= 20) for index in range(100)]
    # 45 of the 50 requests from the fifteenth on are right
    assert drift._recovered(choices, 100, 0.9) == 15.0
    assert drift._recovered(choices[:60], 100, 0.9) == drift.NEVER
