import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.errors import Malformed
from outrider.wire.names import (
    as_header_value,
    as_latin_1,
    by_name,
    canonical_name,
    check_name,
    has_control_characters,
    quoted,
    readable,
)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("x-my-header", "X-My-Header"),
        ("X-MY-HEADER", "X-My-Header"),
        ("content-type", "Content-Type"),
        ("x-", "X-"),
        ("x_y-z2a", "X_y-Z2a"),
        ("etag", "Etag"),
    ],
)
def test_header_names_have_one_spelling(name, canonical):
    assert canonical_name(name) == canonical


@given(st.text())
def test_any_text_becomes_a_value_that_can_be_sent_and_read_back(text):
    wire = as_header_value(text)
    wire.encode("latin-1")
    assert readable(wire) == text


def test_text_that_no_encoding_knows_is_sent_as_a_question_mark():
    assert as_header_value("a\ud800") == "a?"


@given(st.binary())
def test_bytes_of_a_value_are_kept(raw):
    wire = raw.decode("latin-1")
    assert as_latin_1(wire) == wire
    msgspec.json.encode(readable(wire))


@given(st.text(st.characters()))
def test_anything_readable_can_be_shown_as_json(text):
    msgspec.json.encode(readable(text))
    as_latin_1(text).encode("latin-1")


def test_latin_1_that_is_no_utf_8_is_read_as_latin_1():
    assert readable("caf\xe9") == "café"
    assert readable("caf\xc3\xa9") == "café"


@pytest.mark.parametrize("bad", ["\r", "\n", "\x00", "\x1b", "\x7f", "\x0b"])
def test_control_characters_are_seen(bad):
    assert has_control_characters(f"a{bad}b")


@pytest.mark.parametrize("good", ["", "a b", "a\tb", "\xa0", "\x85", "é"])
def test_tabs_and_bytes_beyond_ascii_are_no_control_characters(good):
    assert not has_control_characters(good)


@pytest.mark.parametrize("name", ["a", "my-queue_1.x", "A" * 256])
def test_names_are_letters_digits_and_three_marks(name):
    assert check_name("queue", name) == name


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "a\n", "A" * 257, "a:b"])
def test_other_names_are_refused(name):
    with pytest.raises(Malformed, match=r"^queue .* is not a name"):
        check_name("queue", name)


def test_long_values_are_cut_in_errors():
    assert len(quoted("x" * 10_000)) < 100
    assert quoted("a\r\nb") == r"'a\r\nb'"


def test_headers_are_grouped_by_name_in_order():
    assert by_name((("x-a", "1"), ("B", "2"), ("X-A", "3"))) == {"X-A": ["1", "3"], "B": ["2"]}
