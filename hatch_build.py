"""The part of packaging that is not Python: the console is built before it is packed, or installed to be edited."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleHook(BuildHookInterface[Any]):
    """Builds the console, and has it packed though Git ignores it."""

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling."""
        console = self._console()
        needs_node = not (console.is_left_out() or console.is_current() or console.node_will_do())
        return [console.NODE] if needs_node else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's
        console = self._console()
        if console.is_left_out():
            return
        try:
            console.build()
        except console.BuildFailed as failure:
            raise SystemExit(f"error: {failure}") from None
        build_data["artifacts"].append(f"/{console.BUILT.relative_to(self.root)}/")

    def _console(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location("build_console", Path(self.root) / "console" / "build.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
