import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.domain.expression import LONGEST_TEXT, compile_expression
from outrider.domain.instant import DAY_MS


@pytest.mark.parametrize(
    ("text", "retried", "ms"),
    [
        ("1000", 7, 1000),
        ("1000 * (1 + retried)", 0, 1000),
        ("1000 * (1 + retried)", 2, 3000),
        ("pow(2, retried)", 10, 1024),
        ("max(10, pow(2, retried))", 1, 10),
        ("max(10, pow(2, retried))", 5, 32),
        ("min(100, 50, 75)", 0, 50),
        ("sqrt(16) + abs(-3)", 0, 7),
        ("exp(0) * 5", 0, 5),
        ("floor(1.9) + ceil(1.1)", 0, 3),
        ("round(2.5) * 10", 0, 30),
        ("round(3.5) * 10", 0, 40),
        ("round(2.4) * 10", 0, 20),
        ("0 - round(-2.5)", 0, 3),
        ("7 % 4", 0, 3),
        ("10 + -7 % 4", 0, 7),
        ("-retried + 10", 3, 7),
        ("+5", 0, 5),
        ("2 + 3 * 4", 0, 14),
        ("20 / 8", 0, 2),
        ("1.5e3", 0, 1500),
        (".5 * 10", 0, 5),
        ("10 - 3 - 2", 0, 5),
    ],
)
def test_expression_gives_milliseconds(text, retried, ms):
    assert compile_expression(text).delay_ms(retried) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("-1", 0),
        ("1 - 1000", 0),
        ("86400000", DAY_MS),
        ("86400001", DAY_MS),
        ("1e999", DAY_MS),
        ("9" * 400, DAY_MS),
        ("pow(10, 999999)", DAY_MS),
        ("pow(-10, 999999)", 0),
        ("pow(-10, 999998)", DAY_MS),
        ("pow(0, -1)", DAY_MS),
        ("0 - pow(0, -1)", 0),
        ("1 / (0 * -1)", 0),
        ("exp(1000)", DAY_MS),
        ("exp(-1000)", 0),
        ("1 / 0", DAY_MS),
        ("-1 / 0", 0),
        ("floor(1e999)", DAY_MS),
        ("ceil(-1e999)", 0),
        ("round(1e999)", DAY_MS),
        ("0 / 0", DAY_MS),
        ("sqrt(-1)", DAY_MS),
        ("pow(-1, 0.5)", DAY_MS),
        ("5 % 0", DAY_MS),
        ("1e999 - 1e999", DAY_MS),
        ("max(1, 0 / 0)", DAY_MS),
        ("min(0 / 0, 1)", DAY_MS),
    ],
)
def test_result_is_clamped_to_a_day_and_never_raises(text, ms):
    assert compile_expression(text).delay_ms(0) == ms


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("1 +", "not an expression"),
        ("retries", "'retries'"),
        ("Retried", "'Retried'"),
        ("sin(1)", "'sin'"),
        ("__import__(1)", "'__import__'"),
        ("pow(2)", "it takes 2"),
        ("sqrt(1, 2)", "it takes 1"),
        ("min()", "at least 1"),
        ("2 ** 8", r"pow\(a, b\)"),
        ("9**9**9", r"pow\(a, b\)"),
        ("7 // 2", r"pow\(a, b\)"),
        ("retried.real", "may stand"),
        ("retried[0]", "may stand"),
        ("'a' * 9", "may stand"),
        ("1 if retried else 2", "no number"),
        ("1 < 2", "may stand"),
        ("1 or 2", "no number"),
        ("not 1", "no number"),
        ("lambda", "not an expression"),
        ("True", "no number"),
        ("None", "no number"),
        ("1, 2", "no number"),
        ("()", "no number"),
        ("pow(*retried)", "no number"),
        ("pow(a=1)", "may stand"),
        ("1if 2else 3", "may stand"),
        ("0x10", "may stand"),
        ("1_000", "may stand"),
        ("1j", "may stand"),
        ("007", "not an expression"),
        ("1\n+1", "may stand"),
        ("1\x00", "may stand"),
        ("retried\u0301", "may stand"),
        ("(" * 250 + "1" + ")" * 249, "not an expression"),
        ("1" * (LONGEST_TEXT + 1), f"longer than {LONGEST_TEXT}"),
        ("-" * 80 + "1", "nested"),
        ("+".join("1" * 60), "nested"),
        ("max(" + ",".join("1" * 120) + ")", "parts"),
    ],
)
def test_bad_expression_is_refused_by_name(text, wrong):
    with pytest.raises(ValueError, match=wrong):
        compile_expression(text)


def test_compiled_expression_is_kept():
    assert compile_expression("1 + retried") is compile_expression("1 + retried")


_numbers = st.integers(0, 10_000).map(str)


def _combine(inner):
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"abs({text})"),
    )


@given(st.recursive(_numbers | st.just("retried"), _combine, max_leaves=8), st.integers(0, 100))
def test_plain_arithmetic_agrees_with_whole_numbers(text, retried):
    exact = eval(text, {"retried": retried, "min": min, "max": max, "abs": abs})  # the oracle: exact integers
    assert compile_expression(text).delay_ms(retried) == min(max(exact, 0), DAY_MS)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 100))
def test_rounding_goes_half_away_from_zero(number, retried):
    want = math.copysign(math.floor(abs(number) + 0.5), number) if abs(number) < 2**50 else number
    if abs(number) % 1 != 0.49999999999999994:  # where adding a half itself rounds up
        assert compile_expression(f"round({number!r})").delay_ms(retried) == min(max(want, 0), DAY_MS)


_anything = st.recursive(
    st.sampled_from(["0", "1", "1e308", "1e999", "0.5", "retried"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(["sqrt", "abs", "exp", "floor", "ceil", "round"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
        st.tuples(st.sampled_from(["pow", "min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        inner.map(lambda text: f"-{text}"),
    ),
    max_leaves=10,
)


@given(_anything, st.integers(0, 1000))
def test_no_arithmetic_leaves_the_bounds(text, retried):
    assert 0 <= compile_expression(text).delay_ms(retried) <= DAY_MS


@given(st.text(st.sampled_from("0123456789.eE+-*/%(), retriedpowminx"), max_size=40) | st.text(max_size=20))
def test_any_text_compiles_or_is_refused(text):
    with contextlib.suppress(ValueError):
        assert 0 <= compile_expression(text).delay_ms(3) <= DAY_MS
