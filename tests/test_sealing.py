"""Sealed values open for their key and place alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.sealing import KEY_BYTES, NONCE_BYTES, SealBroken, SealedBox, SecretKey

KEY = SecretKey(bytes(range(KEY_BYTES)))
BOX = SealedBox(KEY)
PLACES = st.lists(st.text(max_size=8), max_size=3).map(tuple)


@given(st.binary(max_size=100), PLACES)
def test_sealed_value_opens_in_its_place(plain, place):
    assert BOX.open(BOX.seal(plain, *place), *place) == plain


@given(PLACES, PLACES)
def test_sealed_value_opens_in_no_other_place(place, other):
    sealed = BOX.seal(b"secret", *place)
    if place != other:
        with pytest.raises(SealBroken):
            BOX.open(sealed, *other)


def test_words_of_a_place_do_not_run_into_one_another():
    with pytest.raises(SealBroken):
        BOX.open(BOX.seal(b"secret", "ab", "c"), "a", "bc")


def test_another_key_does_not_open_it():
    with pytest.raises(SealBroken):
        SealedBox(SecretKey.fresh()).open(BOX.seal(b"secret", "t"), "t")


@given(st.data())
def test_changed_value_does_not_open(data):
    sealed = bytearray(BOX.seal(b"secret", "t"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        BOX.open(bytes(sealed), "t")


@given(st.binary(max_size=40))
def test_what_was_never_sealed_does_not_open(given_bytes):
    with pytest.raises(SealBroken):
        BOX.open(given_bytes, "t")


def test_sealed_value_shows_nothing_and_is_never_the_same_twice():
    sealed = [BOX.seal(b"secret", "t") for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert not any(b"secret" in one for one in sealed)


def test_sealing_is_a_function_of_key_nonce_value_and_place():
    boxes = [SealedBox(KEY, lambda: bytes(NONCE_BYTES)) for _ in range(2)]
    assert boxes[0].seal(b"secret", "t", "h") == boxes[1].seal(b"secret", "t", "h")


def test_key_of_another_length_is_none():
    with pytest.raises(ValueError, match="32 bytes, not 16"):
        SecretKey(bytes(16))


def test_key_is_compared_by_value_and_does_not_show_itself():
    assert SecretKey(KEY.raw) == KEY != SecretKey.fresh()
    assert hash(SecretKey(KEY.raw)) == hash(KEY)
    assert repr(KEY) == str(KEY) == "SecretKey([hidden])"
