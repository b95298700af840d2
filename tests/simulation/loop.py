"""Time that is computed: an event loop that never waits, and jumps to the next timer when nothing is ready."""

from __future__ import annotations

import asyncio
import itertools
from asyncio.events import TimerHandle
from contextvars import Context
from heapq import heappop, heappush
from typing import Any

MOST_TURNS = 200_000
"""So many turns without any time passing are a circle."""


class Stuck(Exception):
    """Nothing is ready and nobody waits for time, or time stands still."""


class NumberedTask(asyncio.Task):
    """A task whose hash is its number, so that a set of tasks has the same order in every run."""

    def __init__(self, coroutine, number: int, **more: Any) -> None:
        self.number = number
        super().__init__(coroutine, **more)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without files, sockets and threads: everything in it happens in the same order every time.

    Attributes:
        tasks: all there ever were. Those of a killed process are kept, or the garbage collector would run
            what stands in their `finally`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._seconds = 0.0
        self._turns = 0
        self._numbers = itertools.count()
        self.tasks: list[NumberedTask] = []
        self.set_task_factory(self._new_task)

    def time(self) -> float:
        return self._seconds

    @property
    def ms(self) -> int:
        """Milliseconds since the loop began."""
        return round(self._seconds * 1000)

    def call_at(self, when: float, callback, *args: object, context: Context | None = None) -> TimerHandle:
        timer = TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def after(self, ms: int, do, *arguments: object) -> asyncio.TimerHandle:
        """Call it so many milliseconds from now."""
        return self.call_at((self.ms + ms) / 1000, do, *arguments)

    async def pause(self, ms: int) -> None:
        """Return so many milliseconds from now."""
        await asyncio.sleep(ms / 1000)

    def end(self) -> None:
        """Close the loop. Nothing that waits is run any more."""
        for task in self.tasks:
            if not task.done():
                task._log_destroy_pending = False
                try:
                    task.get_coro().close()
                except RuntimeError:  # it has gone on waiting, or is held by another
                    continue
        self.tasks.clear()
        self._timers.clear()
        self.close()

    def _new_task(self, _, coroutine, **more: Any) -> NumberedTask:
        task = NumberedTask(coroutine, next(self._numbers), loop=self, **more)
        self.tasks.append(task)
        return task

    # What BaseEventLoop asks of its subclass. Its own turn looks for files, and compares timers in Python.

    def _run_once(self) -> None:
        timers, ready = self._timers, self._ready
        if not ready:
            self._jump()
        self._turns += 1
        if self._turns > MOST_TURNS:
            raise Stuck(f"time stands still at {self.ms} ms:\n{self._describe()}")
        while timers and timers[0][0] <= self._seconds:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _jump(self) -> None:
        """To the next timer that is not cancelled."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heappop(timers)
        if not timers:
            raise Stuck(f"nothing is ready, and nobody waits for time:\n{self._describe()}")
        if timers[0][0] > self._seconds:
            self._seconds = timers[0][0]
            self._turns = 0

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _describe(self) -> str:
        waiting = [task for task in self.tasks if not task.done()]
        return "\n".join(f"  {task.get_name()} at {_place_of(task)}" for task in waiting[-30:])


def _place_of(task: asyncio.Task) -> str:
    frames = task.get_stack(limit=1)
    return " < ".join(
        f"{frame.f_code.co_qualname if hasattr(frame.f_code, 'co_qualname') else frame.f_code.co_name}:{frame.f_lineno}"
        for frame in frames
    )
