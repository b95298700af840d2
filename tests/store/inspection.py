"""A store whose invariants are looked up after everything that is done with it."""


async def check_gates(store) -> None:
    """Counts are what the rows say, nobody stands in two places, and whatever may pass will be found."""
    assert await store.inspect() == []


class Inspected:
    """A store whose gates are inspected after everything that is done with it."""

    def __init__(self, store) -> None:
        self._store = store

    def __getattr__(self, name):
        method = getattr(self._store, name)

        async def inspected(*args, **options):
            try:
                return await method(*args, **options)
            finally:
                await check_gates(self._store)

        return inspected
