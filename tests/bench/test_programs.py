from __future__ import annotations

import os

import pytest
from bench.programs import CannotBuildError, build, compiler


def test_programs_are_built_once(programs):
    built_at = [program.stat().st_mtime_ns for program in programs]
    assert build(programs.load.parent) == programs
    assert [program.stat().st_mtime_ns for program in programs] == built_at
    assert {path.name for path in programs.load.parent.iterdir()} == {"load", "receiver"}


def test_program_older_than_its_sources_is_built_again(programs):
    os.utime(programs.load, (1, 1))
    build(programs.load.parent)
    assert programs.load.stat().st_mtime > 1


def test_missing_compiler_is_named_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(CannotBuildError, match=r"no C compiler: cc nor gcc nor clang is on PATH.*apt install gcc"):
        compiler()
    monkeypatch.setenv("CC", "tcc")
    with pytest.raises(CannotBuildError, match="no C compiler: tcc is on PATH"):
        build(tmp_path / "build")


def test_compiler_that_refuses_is_quoted(programs, monkeypatch, tmp_path):
    refusing = tmp_path / "refusing"
    refusing.write_text("#!/bin/sh\necho 'no such thing' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("CC", str(refusing))
    with pytest.raises(CannotBuildError, match=r"refused load\.c.*\nno such thing"):
        build(tmp_path / "build")
    assert not list((tmp_path / "build").iterdir())
