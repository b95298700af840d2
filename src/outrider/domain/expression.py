"""Retry-delay expressions: arithmetic over `retried`, in milliseconds.

Python's own parser reads the text, and the walker below admits what protocol section 3 names
and nothing else. Length, size and depth are bounded, and every number is a float, so that no
expression costs more than its few nodes: `pow(10, 999999)` is infinity, not a million digits.

Where arithmetic has more than one meaning, this is the one: `%` takes the sign of its left
side and `round` goes half away from zero, as in C, Go and JavaScript's `%`; overflow and
division by zero are infinite; what has no value at all (`0/0`, `sqrt(-1)`) is no number.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from functools import lru_cache

from outrider.domain.instant import DAY_MS

LONGEST_DELAY_MS = DAY_MS
LONGEST_TEXT = 500
MOST_NODES = 100
DEEPEST = 50

_Evaluate = Callable[[float], float]


class Expression:
    """A compiled expression. Two are the same value if their texts are."""

    __slots__ = ("_evaluate", "text")

    def __init__(self, text: str, evaluate: _Evaluate) -> None:
        self.text = text
        self._evaluate = evaluate

    def delay_ms(self, retried: int) -> int:
        """The delay before the retry after `retried` earlier ones; 0 … 1 day, whatever the arithmetic says.

        Never raises. What is no number counts as a day: an expression without an answer must not
        hammer its destination.
        """
        value = self._evaluate(float(retried))
        if value <= 0:
            return 0
        return int(value) if value < LONGEST_DELAY_MS else LONGEST_DELAY_MS


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """The expression, checked. Raises ValueError naming what is wrong."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"is longer than {LONGEST_TEXT} characters")
    if not text.strip():
        raise ValueError("is empty; write milliseconds, such as 1000 * (1 + retried)")
    _check_characters(text)
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError("is not an expression; write something like 1000 * (1 + retried)") from None
    return Expression(text, _Compiler().compile(tree.body))


_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.])"
_TOKEN = re.compile(rf"(?:[ \t]+|{_NUMBER}|[A-Za-z_][A-Za-z0-9_]*|[-+*/%(),])")


def _check_characters(text: str) -> None:
    """Let only plain numbers, names and operators reach the parser, which knows and warns of much more."""
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(
                f"has {text[position : position + 12]!r} where a number, a name or + - * / % ( ) may stand"
            )
        position = token.end()


class _Compiler:
    """Turns a syntax tree into nested functions of `retried`."""

    def __init__(self) -> None:
        self._nodes = 0

    def compile(self, node: ast.expr, depth: int = 1) -> _Evaluate:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise ValueError(f"has more than {MOST_NODES} parts")
        if depth > DEEPEST:
            raise ValueError(f"is nested more than {DEEPEST} levels deep")
        return self._compile_node(node, depth)

    def _compile_node(self, node: ast.expr, depth: int) -> _Evaluate:
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return _constant(number)
            case ast.Name(id="retried"):
                return _retried
            case ast.Name(id=name):
                raise ValueError(f"names {name!r}; the only variable is retried")
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.compile(operand, depth + 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _apply_one(_negate, self.compile(operand, depth + 1))
            case ast.BinOp(left=left, op=op, right=right):
                operation = _OPERATIONS.get(type(op))
                if operation is None:
                    raise ValueError("uses an operator that is none of + - * / %; powers are written pow(a, b)")
                return _apply_two(operation, self.compile(left, depth + 1), self.compile(right, depth + 1))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._compile_call(name, args, depth)
            case _:
                raise ValueError("has a part that is no number, no call and none of + - * / % ( )")

    def _compile_call(self, name: str, args: list[ast.expr], depth: int) -> _Evaluate:
        if name not in FUNCTIONS:
            raise ValueError(f"calls {name!r}; the functions are {', '.join(FUNCTIONS)}")
        given = [self.compile(argument, depth + 1) for argument in args]
        match given:
            case [one] if name in _OF_ONE:
                return _apply_one(_OF_ONE[name], one)
            case [left, right] if name in _OF_TWO:
                return _apply_two(_OF_TWO[name], left, right)
            case [_, *_] if name in _OF_MANY:
                return _apply_many(_OF_MANY[name], given)
            case _:
                takes = "1" if name in _OF_ONE else "2" if name in _OF_TWO else "at least 1"
                raise ValueError(f"gives {name} {len(given)} values; it takes {takes}")


def _constant(number: float) -> _Evaluate:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    return lambda _: value


def _retried(retried: float) -> float:
    return retried


def _apply_one(function: Callable[[float], float], operand: _Evaluate) -> _Evaluate:
    return lambda retried: function(operand(retried))


def _apply_two(function: Callable[[float, float], float], left: _Evaluate, right: _Evaluate) -> _Evaluate:
    return lambda retried: function(left(retried), right(retried))


def _apply_many(function: Callable[[list[float]], float], operands: list[_Evaluate]) -> _Evaluate:
    return lambda retried: function([operand(retried) for operand in operands])


def _negate(value: float) -> float:
    return -value


def _add(left: float, right: float) -> float:
    return left + right


def _subtract(left: float, right: float) -> float:
    return left - right


def _multiply(left: float, right: float) -> float:
    return left * right


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    if not left or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _modulo(left: float, right: float) -> float:
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and math.fmod(exponent, 2) else math.inf
    except ValueError:
        # Zero to a negative power is infinite; a negative base to a fraction has no value.
        return math.nan if base else math.inf


def _exponential(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _square_root(value: float) -> float:
    return math.nan if value < 0 else math.sqrt(value)


def _floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return float(math.ceil(value)) if math.isfinite(value) else value


def _round(value: float) -> float:
    whole = math.modf(value)[1]
    return whole + math.copysign(1, value) if abs(value - whole) >= 0.5 else whole


def _smallest(values: list[float]) -> float:
    return math.nan if any(map(math.isnan, values)) else min(values)


def _largest(values: list[float]) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)


_OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.Mod: _modulo,
}

_OF_ONE: dict[str, Callable[[float], float]] = {
    "sqrt": _square_root,
    "abs": abs,
    "exp": _exponential,
    "floor": _floor,
    "ceil": _ceil,
    "round": _round,
}
_OF_TWO: dict[str, Callable[[float, float], float]] = {"pow": _power}
_OF_MANY: dict[str, Callable[[list[float]], float]] = {"min": _smallest, "max": _largest}

FUNCTIONS = (*_OF_TWO, *_OF_ONE, *_OF_MANY)
"""What an expression may call."""
