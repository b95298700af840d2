from __future__ import annotations

import pytest

from outrider.domain.limits import Limits
from outrider.wire.option_table import OPTIONS
from outrider.wire.options import parse_options


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_example_of_an_option_is_a_value_that_it_takes(option):
    assert option.read(option.example, Limits()) is not None


def test_all_examples_together_are_a_request():
    patch = parse_options([(option.name, option.example) for option in OPTIONS], (), Limits())
    assert (patch.method, patch.queue, patch.schedule_id) == ("PUT", "orders", "weekday-report")
