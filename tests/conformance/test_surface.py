"""A public method of an official SDK without a test fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.coverage import covered_methods
from tests.conformance.surface import EXCEPTIONS, javascript_methods, python_methods

TESTS = Path(__file__).parent.parent
SDK_TESTS = {*TESTS.glob("conformance/test_*.py"), TESTS / "e2e/test_signatures.py"}


def test_every_public_method_has_a_test_or_a_reason(request):
    items = request.session.items
    if request.config.option.keyword or not {item.path for item in items} >= SDK_TESTS:
        pytest.skip("only a run of all tests of the SDKs can tell")
    offered = {*python_methods(), *javascript_methods()}
    covered = covered_methods(items)
    assert sorted(offered - covered - EXCEPTIONS.keys()) == [], "methods without a test"
    assert sorted((covered | EXCEPTIONS.keys()) - offered) == [], "methods that the SDKs do not have"
    assert sorted(covered & EXCEPTIONS.keys()) == [], "methods with both a test and a reason to have none"
