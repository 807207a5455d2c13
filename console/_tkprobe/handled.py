"""Exceptions that a test's own code handled before it failed, found where the failing frames still hold them.

A runner of commands or a pool keeps what it caught in the object that it hands back: a test that then compares an exit
status says nothing of it. Only plain attributes are looked at, no code of the tests is called to find them, and every
look has a limit. What was never raised, or belongs to the failure itself, is left out. Nobody else may ever have asked
these exceptions for their words: those that run code of the tests to say them are only waited for a moment.
"""

from __future__ import annotations

import copy
from types import FrameType, GetSetDescriptorType, MemberDescriptorType, TracebackType, WrapperDescriptorType
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from _tkprobe.facts import PLAIN as PLAIN_VALUES
from _tkprobe.facts import Frames, cut, locals_of, message_of, type_name
from _tkprobe.patience import Patience

FRAMES_LIMIT = 8
VALUES_LIMIT = 60
ATTRIBUTES_LIMIT = 60
CHAIN_LIMIT = 4
HANDLED_LIMIT = 8
MESSAGE_LIMIT = 1000
SILENT = "<message unavailable: str() did not end>"
#: What ends a loop or an interpreter says nothing by itself.
PLAIN = (StopIteration, StopAsyncIteration, GeneratorExit)
#: What the interpreter itself says of the attributes of an object that a `class` statement made.
INSTANCES = "dictionary for instance variables"
_LINKS: Any = vars(BaseException)
_MRO: Any = vars(type)["__mro__"]
_NAMES: Any = vars(type)["__dict__"]
_MODULE: Any = vars(type)["__module__"]


def handled(frames: Frames, error: BaseException) -> List[Dict[str, object]]:
    """A few of them, in the order in which they were raised; whatever an object does, the failure itself is told."""
    try:
        with frames.patience:
            return _found(frames, error) if frames.with_locals else []
    except KeyboardInterrupt:
        raise
    except BaseException:
        return []


def _found(frames: Frames, error: BaseException) -> List[Dict[str, object]]:
    told: List[Dict[str, object]] = []
    brief = copy.copy(frames)
    brief.with_locals = False
    seen = {id(link) for link in _chain(error, 100)}
    for name, found in _held(frames, _of(error, "__traceback__")):
        chain = [link for link in _chain(found, CHAIN_LIMIT) if id(link) not in seen]
        seen.update(map(id, chain))
        raised = [link for link in reversed(chain) if _of(link, "__traceback__") is not None]
        told += [
            _told(brief, link, name if link is found else "")
            for link in raised
            if not issubclass(type(link), PLAIN)
        ]
        if len(told) >= HANDLED_LIMIT:
            break
    return told[:HANDLED_LIMIT]


def _told(frames: Frames, error: BaseException, name: str) -> Dict[str, object]:
    places = frames.of(_of(error, "__traceback__"))
    place = next((one for one in reversed(places) if one["own"]), places[-1])
    return {
        "type": type_name(error),
        "module": _module(type(error)),
        "message": cut(_message(error, frames.patience), MESSAGE_LIMIT),
        "name": name,
        **place,
    }


def _module(kind: type) -> str:
    named = _MODULE.__get__(kind)
    return named if type(named) is str else ""


def _message(error: BaseException, patience: Patience) -> str:
    """Without a limit where the interpreter alone makes it out of plain values."""
    own = next((names["__str__"] for names in _bases(type(error)) if "__str__" in names), None)
    if type(own) is WrapperDescriptorType and all(
        type(value) in PLAIN_VALUES for value in _of(error, "args")
    ):
        return message_of(error)
    told = patience.ask(lambda: message_of(error))
    return SILENT if told is None else told


def _bases(kind: type) -> Iterator[Any]:
    """The names in a class and what it comes from, without code of its own."""
    return (_NAMES.__get__(base) for base in _MRO.__get__(kind))


def _chain(error: BaseException, limit: int) -> List[BaseException]:
    chain: List[BaseException] = []
    current: Optional[BaseException] = error
    while current is not None and len(chain) < limit and not any(link is current for link in chain):
        chain.append(current)
        cause = _of(current, "__cause__")
        if cause is None and not _of(current, "__suppress_context__"):
            cause = _of(current, "__context__")
        current = cause
    return chain


def _of(error: BaseException, name: str) -> Any:
    """What the interpreter keeps of an exception, whatever its class makes of the name."""
    return _LINKS[name].__get__(error)


def _held(frames: Frames, traceback: Optional[TracebackType]) -> Iterator[Tuple[str, BaseException]]:
    """What the project's own frames hold, the innermost first: locals, and what they keep as an attribute."""
    own: List[FrameType] = []
    while traceback is not None:
        if frames.own(traceback.tb_frame.f_code.co_filename):
            own.append(traceback.tb_frame)
        traceback = traceback.tb_next
    looked: Set[int] = set()
    for frame in reversed(own[-FRAMES_LIMIT:]):
        for name, value in list(locals_of(frame).items())[:VALUES_LIMIT]:
            if id(value) in looked:
                continue
            looked.add(id(value))
            # A part of an asserted expression has no name of its own.
            shown = "" if name.startswith("@") else name
            for attribute, found in _exceptions(value):
                yield (f"{shown}.{attribute}" if shown and attribute else shown or attribute), found


def _exceptions(value: Any) -> Iterator[Tuple[str, BaseException]]:
    # What an object says of its own class runs its code, too.
    if issubclass(type(value), BaseException):
        yield "", value
        return
    attributes = _attributes(value)
    for name, kept in list(attributes.items())[:ATTRIBUTES_LIMIT]:
        if type(kept) is tuple and len(kept) == 3:
            kept = kept[1]  # as `sys.exc_info` gives it
        if issubclass(type(kept), BaseException) and type(name) is str:
            yield name, kept


def _attributes(value: Any) -> Dict[Any, Any]:
    """What an object keeps under names; nothing where its class, or a proxy, would run code to say so."""
    kind = type(value)
    if issubclass(kind, type):
        return {}
    for names in _bases(kind):
        said = names.get("__dict__")
        if said is None:
            continue
        plain = type(said) is MemberDescriptorType
        if type(said) is GetSetDescriptorType:
            plain = str(said.__doc__).startswith(INSTANCES)
        found = said.__get__(value) if plain else None
        return found if type(found) is dict else {}
    return {}
