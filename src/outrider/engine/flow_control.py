"""Flow-control keys as people see and steer them."""

from __future__ import annotations

from collections.abc import Callable

from outrider.domain import flow_control
from outrider.domain.errors import Malformed, NotFound
from outrider.domain.flow_control import KeyState
from outrider.engine.dispatcher import Dispatcher
from outrider.ports import Clock, FlowControlStore
from outrider.wire.names import quoted
from outrider.wire.option_values import LONGEST_PERIOD_MS, MOST_A_PERIOD

MOST_LISTED = 1000
"""Keys in one list; who has more finds them by a search."""


class FlowControlKeys:
    """A tenant's flow-control keys. Each is made by the first message that names it."""

    def __init__(self, store: FlowControlStore, clock: Clock, dispatcher: Dispatcher) -> None:
        self._store = store
        self._clock = clock
        self._dispatcher = dispatcher

    async def get(self, tenant: str, key: str) -> KeyState:
        """Raises NotFound."""
        return _there(key, await self._store.get_flow_key(tenant, key))

    async def list(self, tenant: str, search: str = "") -> list[tuple[str, KeyState]]:
        """The keys that contain `search`, by name; at most MOST_LISTED."""
        return await self._store.list_flow_keys(tenant, search, MOST_LISTED)

    async def pause(self, tenant: str, key: str) -> KeyState:
        """Nothing starts until a resume. Raises NotFound."""
        return await self._change(tenant, key, flow_control.pause)

    async def resume(self, tenant: str, key: str) -> KeyState:
        """What waits may start again. Raises NotFound."""
        return await self._change(tenant, key, flow_control.resume)

    async def pin(
        self, tenant: str, key: str, *, parallelism: int | None, rate: int | None, period_ms: int | None
    ) -> KeyState:
        """Fix the limits that are given against those that messages bring. Raises Malformed and NotFound."""
        if parallelism is None and rate is None and period_ms is None:
            raise Malformed(
                f"pinning flow-control key {quoted(key)} names no limit; give parallelism, rate or period",
                code="nothing_to_pin",
            )
        _check("parallelism", parallelism, MOST_A_PERIOD)
        _check("rate", rate, MOST_A_PERIOD)
        _check("period (ms)", period_ms, LONGEST_PERIOD_MS)
        return await self._change(
            tenant,
            key,
            lambda state: flow_control.pin(state, parallelism=parallelism, rate=rate, period_ms=period_ms),
        )

    async def unpin(self, tenant: str, key: str, *, parallelism: bool, rate: bool) -> KeyState:
        """Let messages change the named limits again. Raises NotFound."""
        return await self._change(
            tenant, key, lambda state: flow_control.unpin(state, parallelism=parallelism, rate=rate)
        )

    async def reset(self, tenant: str, key: str) -> KeyState:
        """Undo what was done to the key by hand. Raises NotFound."""
        return await self._change(tenant, key, flow_control.reset)

    async def reset_rate(self, tenant: str, key: str) -> KeyState:
        """Begin a fresh window now. Raises NotFound."""
        now = self._clock.now()
        return await self._change(tenant, key, lambda state: flow_control.reset_rate(state, now))

    def global_parallelism(self) -> tuple[int, int]:
        """How many messages this process may hold for delivery at once, and how many it holds now."""
        return self._dispatcher.max_in_flight, self._dispatcher.in_flight

    async def _change(self, tenant: str, key: str, change: Callable[[KeyState], KeyState]) -> KeyState:
        changed = await self._store.change_flow_key(tenant, key, change, self._clock.now())
        self._dispatcher.keys_changed()
        return _there(key, changed)


def _check(name: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise Malformed(f"{name} {value} is not between 1 and {most}; write a whole number in that range")


def _there(key: str, state: KeyState | None) -> KeyState:
    if state is None:
        raise NotFound(
            f"flow-control key {quoted(key)} does not exist",
            code="flow_control_key_not_found",
            hint="a key is made by the first message that names it; GET /v2/flowControl lists those there are",
        )
    return state
