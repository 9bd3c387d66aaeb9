"""The same without `await`: a loop in a thread of its own does the work, and calls wait for it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Portal:
    """A running loop that other threads hand their work to."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="paddock", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, R]) -> R:
        """What `work` comes to. Ctrl-C in the waiting thread cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncIterator[R]) -> Generator[R]:
        """Each of `items` as it comes. Leaving the iteration closes them."""

        async def following() -> tuple[bool, Any]:
            try:
                return True, await anext(items)
            except StopAsyncIteration:
                return False, None

        async def close() -> None:
            aclose = getattr(items, "aclose", None)
            if aclose is not None:
                await aclose()

        try:
            while True:
                there, item = self.call(following())
                if not there:
                    return
                yield item
        finally:
            self.call(close())

    @contextmanager
    def entered(self, manager: AbstractAsyncContextManager[T]) -> Generator[T]:
        """Within the block, what `manager` gives."""
        value = self.call(_entering(manager))
        try:
            yield value
        finally:
            self.call(_leaving(manager))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())


async def _entering(manager: AbstractAsyncContextManager[T]) -> T:
    return await manager.__aenter__()


async def _leaving(manager: AbstractAsyncContextManager[Any]) -> None:
    await manager.__aexit__(None, None, None)


class Behind(Generic[T]):
    """A twin: something asynchronous, and the portal to it."""

    def __init__(self, portal: Portal, inner: T) -> None:
        self.portal = portal
        self.inner = inner


class Calls(Generic[T, P, R]):
    """A method of the twin that waits for the same method of what is behind it."""

    def __init__(self, method: Callable[Concatenate[T, P], Coroutine[Any, Any, R]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, twin: None, owner: type) -> "Calls[T, P, R]": ...

    @overload
    def __get__(self, twin: Behind[T], owner: type) -> Callable[P, R]: ...

    def __get__(self, twin: Behind[T] | None, owner: type) -> "Calls[T, P, R] | Callable[P, R]":
        if twin is None:
            return self

        def call(*arguments: P.args, **named: P.kwargs) -> R:
            return twin.portal.call(self._method(twin.inner, *arguments, **named))

        call.__doc__ = self.__doc__
        return call


class Iterates(Generic[T, P, R]):
    """A method of the twin that gives piece after piece."""

    def __init__(self, method: Callable[Concatenate[T, P], AsyncIterator[R]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, twin: None, owner: type) -> "Iterates[T, P, R]": ...

    @overload
    def __get__(self, twin: Behind[T], owner: type) -> Callable[P, Iterator[R]]: ...

    def __get__(self, twin: Behind[T] | None, owner: type) -> "Iterates[T, P, R] | Callable[P, Iterator[R]]":
        if twin is None:
            return self

        def call(*arguments: P.args, **named: P.kwargs) -> Iterator[R]:
            return twin.portal.iterate(self._method(twin.inner, *arguments, **named))

        call.__doc__ = self.__doc__
        return call


def calls(method: Callable[Concatenate[T, P], Coroutine[Any, Any, R]]) -> Calls[T, P, R]:
    """The twin of a coroutine method."""
    return Calls(method)


def iterates(method: Callable[Concatenate[T, P], AsyncIterator[R]]) -> Iterates[T, P, R]:
    """The twin of an asynchronous generator method."""
    return Iterates(method)
