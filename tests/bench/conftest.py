from __future__ import annotations

import pytest
from bench.harness import Receiver
from bench.programs import CannotBuildError, build


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    try:
        return build(tmp_path_factory.mktemp("programs"))
    except CannotBuildError as failure:
        pytest.skip(str(failure))


@pytest.fixture
def receiver(programs, tmp_path):
    with Receiver(tmp_path, programs=programs) as receiver:
        yield receiver
