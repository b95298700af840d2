import msgspec
import pytest

from outrider.domain.queue import MOST_PARALLELISM, Queue, check_parallelism, free


def queue(**facts):
    return Queue(name="emails", created_at=1, updated_at=1, **facts)


def test_new_queue_keeps_strict_order():
    assert queue().parallelism == 1
    assert free(queue()) == 1


def test_slots_in_use_are_not_free():
    assert free(queue(parallelism=3, in_use=2)) == 1
    assert free(queue(parallelism=3, in_use=3)) == 0


def test_paused_queue_has_no_free_slots():
    assert free(queue(parallelism=3, paused=True)) == 0


def test_narrowed_queue_waits_until_enough_slots_are_given_back():
    assert free(queue(parallelism=1, in_use=5)) == 0


@pytest.mark.parametrize("n", [1, 2, MOST_PARALLELISM])
def test_parallelism_within_bounds_is_taken(n):
    assert check_parallelism(n) == n


@pytest.mark.parametrize("n", [0, -1, MOST_PARALLELISM + 1])
def test_parallelism_out_of_bounds_is_refused_with_the_remedy(n):
    with pytest.raises(ValueError, match=f"parallelism {n} is not between 1 and .*pause the queue"):
        check_parallelism(n)


def test_queue_survives_a_round_trip():
    kept = queue(parallelism=7, paused=True, in_use=2, waiting=9)
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Queue) == kept
