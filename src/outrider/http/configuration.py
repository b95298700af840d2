"""The settings that the server runs with."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from outrider.http import answers
from outrider.http.answers import Answer
from outrider.http.calls import Call
from outrider.http.operations import Operation
from outrider.http.routes import Needs, Route
from outrider.wire.schema import list_of, one_of, text, thing


class ShownSetting(Struct, frozen=True):
    """A setting as people may see it.

    Attributes:
        value: as `outrider config show` prints it, a secret hidden.
        source: default, file, environment or flag.
        source_name: which of them: a file's path, a variable, a flag, a plan; empty for the default itself.
    """

    name: str
    value: str
    source: str
    source_name: str
    help: str


def settings_route(settings: Sequence[ShownSetting]) -> Route:
    """The row that shows them."""
    answer = answers.json({"settings": [_present(one) for one in settings]})

    async def show(_call: Call) -> Answer:
        return answer

    return Route("GET", "/v2/settings", show, Needs.READ, Operation("The settings in force.", SETTINGS))


def _present(one: ShownSetting) -> dict[str, str]:
    shown = {"name": one.name, "value": one.value, "source": one.source, "help": one.help}
    return shown | {"sourceName": one.source_name} if one.source_name else shown


SETTINGS = thing(
    "Settings",
    {
        "settings": list_of(
            thing(
                "Setting",
                {
                    "name": text("As in the settings file."),
                    "value": text("As a person would write it; secrets are hidden."),
                    "source": one_of(("default", "file", "environment", "flag"), "Where the value comes from."),
                    "help": text(),
                },
                {"sourceName": text("Which file, variable or flag; of a default, the plan that chose it.")},
            )
        )
    },
)
