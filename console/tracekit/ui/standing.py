"""What comes late finds its screen standing, or is let go: work on its way, timers, callbacks, messages, keys.

A screen that is left goes part by part, and goes on hearing until its last part has gone. Nothing of ours may look for
a part of it then. This is the one place where that is seen to; a screen or widget is made of it and need not ask.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from textual import events
from textual.message import Message
from textual.timer import Timer

if TYPE_CHECKING:
    from textual.widget import Widget
    from textual.worker import Worker

    _Base = Widget
else:
    _Base = object

Result = TypeVar("Result")
Work = Callable[[], Coroutine[Any, Any, Any]]
_OURS = __name__.partition(".")[0]
#: What is heard by a screen that goes.
_LAST = (events.Unmount, events.ScreenResume)


class Standing(_Base):
    """A part of a screen or a widget, before the library's own in its bases."""

    _left = False

    @property
    def stands(self) -> bool:
        """Whether its parts are there, or will be; not once it has begun to go."""
        return not (self._left or self._pruning or self._closing or self._closed)

    def if_standing(self, do: Callable[..., Any], *given: Any) -> Callable[[], Any]:
        """The same, to be called later: nothing where this does not stand any more."""

        def later() -> Any:
            return do(*given) if self.stands else None

        return later

    def run_worker(self, work: Work, **options: Any) -> Worker[Any]:  # type: ignore[override]
        """Work that waits for something: after each wait it goes on only while this stands.

        It is made when it begins: what never began is not missed by anybody.
        """

        async def carried() -> Any:
            return await WhileStanding(self, work()) if self.stands else None

        return super().run_worker(carried, **options)

    def set_interval(self, interval: float, callback: Any = None, **options: Any) -> Timer:
        """A timer that does nothing once this goes."""
        return super().set_interval(interval, callback and self.if_standing(callback), **options)

    def call_after_refresh(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """A callback that does nothing once this goes."""
        return super().call_after_refresh(self.if_standing(lambda: callback(*args, **kwargs)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that were typed ahead act on nothing that is still to come, or that goes."""
        # As below: of a screen that comes while the console ends no part ever will.
        here = self.stands and self.is_mounted and not self.app._exit  # noqa: SLF001 - as below
        return here and super().check_action(action, parameters)

    def _get_dispatch_methods(
        self, method_name: str, message: Message
    ) -> Iterable[tuple[type, Callable[[Message], Any]]]:
        """Of a screen that goes, only the library goes on hearing, and what is there for the end."""
        # The library mounts no parts any more once the console is to end, yet it still says that they were.
        hears = self.stands and not (isinstance(message, events.Mount) and self.app._exit)  # noqa: SLF001 - it has no other way to say
        for made_by, method in super()._get_dispatch_methods(method_name, message):
            ours = made_by.__module__.partition(".")[0] == _OURS
            if not ours or hears or isinstance(message, _LAST):
                yield made_by, method


class WhileStanding(Generic[Result]):
    """Carries a coroutine from one wait to the next, for as long as a widget stands; its own result, or None."""

    def __init__(self, widget: Standing, work: Coroutine[Any, Any, Result]) -> None:
        self._widget, self._work = widget, work

    def __await__(self) -> Generator[Any, Any, Result | None]:
        fault: BaseException | None = None
        while True:
            try:
                awaited = self._work.send(None) if fault is None else self._work.throw(fault)
            except StopIteration as over:
                result: Result = over.value
                return result
            fault = None
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001 - the work's own matter, a cancellation too
                fault = error
            if not self._widget.stands:
                self._work.close()
                if fault is not None and not isinstance(fault, Exception):
                    raise fault  # a cancellation; what a wait failed by, the work would have heard, and it is gone
                return None
