"""Nothing that an option says can break a delivery, or slip a header into one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from outrider.domain.errors import Malformed
from outrider.domain.limits import Limits
from outrider.wire.option_table import OPTIONS
from outrider.wire.options import parse_options

LIMITS = Limits()


def parse(*headers, query=()):
    return parse_options(headers, query, LIMITS)


_names = st.one_of(
    st.sampled_from([option.name for option in OPTIONS]),
    st.builds(
        "{}{}".format,
        st.sampled_from(
            ["Upstash-Forward-", "Upstash-Callback-", "Upstash-Failure-Callback-", "Upstash-Callback-Forward-"]
        ),
        st.sampled_from(["X-A", "Retries", "Label", "Delay", "Redact-Fields", "b"]),
    ),
    st.just("Content-Type"),
)


@pytest.mark.parametrize("bad", ["\r", "\n", "\x00", "\x1b"])
@pytest.mark.parametrize(
    "name",
    [
        *(option.name for option in OPTIONS),
        "Upstash-Forward-X",
        "Upstash-Callback-X",
        "Upstash-Callback-Label",
        "Upstash-Failure-Callback-Forward-X",
    ],
)
def test_control_characters_are_refused_wherever_they_stand(name, bad):
    for value in (f"a{bad}b", f"{bad}a", f"a{bad}", f"é{bad}"):
        with pytest.raises(Malformed, match="control character"):
            parse((name, value))
        with pytest.raises(Malformed, match="control character"):
            parse(query=[(name.lower(), value)])


@given(_names, st.text(max_size=10), st.sampled_from("\r\n\x00"), st.text(max_size=10))
def test_no_line_break_or_nul_survives(name, before, bad, after):
    # A name of ours never ignores its value, so there is always somebody to refuse it.
    for headers, query in (([(name, before + bad + after)], []), ([], [(name.lower(), before + bad + after)])):
        if query and name == "Content-Type":
            continue
        with pytest.raises(Malformed):
            parse_options(headers, query, LIMITS)


@given(st.lists(st.tuples(_names | st.text(max_size=20), st.text(max_size=20)), max_size=6))
def test_whatever_is_accepted_can_be_sent(pairs):
    try:
        patch = parse_options(pairs, [(name.lower(), value) for name, value in pairs[::2]], LIMITS)
    except Malformed:
        return
    patches = [patch, *(one.options for one in (patch.callback, patch.failure_callback) if one is not UNSET)]
    forwarded = [one.headers for one in patches if one is not UNSET and one.headers is not UNSET]
    for name, value in (pair for headers in forwarded for pair in headers):
        raw = f"{name}: {value}".encode("latin-1")
        assert not set(raw) & {0, 10, 13}
        assert name
        assert name.isascii()


@given(st.text(st.characters(codec="ascii")), st.text(st.characters(codec="ascii")))
def test_control_characters_in_names_never_get_through(name, value):
    try:
        headers = parse((f"Upstash-Forward-{name}", value)).headers
    except Malformed:
        return
    assert headers is UNSET or headers[0][0].isprintable()
