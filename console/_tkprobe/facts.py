"""What an exception tells: its chain, groups, notes, frames with source lines and locals, all bounded.

Everything here reads objects of the tests, whose `__repr__`, `__str__` and attributes may raise, be endless or lie; so
every look is guarded and every size has a limit, and nothing is kept but text.
"""

from __future__ import annotations

import linecache
import os
import reprlib
import site
import sys
import time
from types import CodeType, FrameType, TracebackType
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from _tkprobe.patience import Patience, TooLong

TEXT_LIMIT = 64 * 1024
MESSAGE_LIMIT = 16 * 1024
REPR_LIMIT = 400
LOCALS_LIMIT = 30
FRAMES_HEAD = 8
FRAMES_TAIL = 32
CHAIN_LIMIT = 12
GROUP_LIMIT = 20
GROUP_DEPTH = 4
HIDES = "__tracebackhide__"
#: The flag of code whose variables are no dictionary, as those of a module and of a class are.
CO_OPTIMIZED = 1
#: How many know a frame's copy of its variables while only we look at it: the frame, our own name, and the question.
UNSHARED = 3
#: Locals are looked at for this long per failure; what is slower than that is left out.
LOCALS_SECONDS = 0.25
#: The name of a class as the interpreter has it, whatever a class of classes makes of that.
_QUALNAME: Any = vars(type)["__qualname__"]
#: What these say of themselves is the interpreter's own word.
PLAIN = (str, bytes, int, float, bool, complex, type(None))


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more)"


class BoundedRepr(reprlib.Repr):
    """A repr that looks at no more than it shows, and never raises."""

    def __init__(self, limit: int = REPR_LIMIT) -> None:
        super().__init__()
        self.limit = limit
        self.maxstring = self.maxother = limit
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = self.maxarray = 20
        self.maxdict = 20
        self.maxlevel = 4
        self.maxlong = 100

    def text(self, value: object) -> str:
        try:
            return cut(self.repr(value), self.limit)
        except (KeyboardInterrupt, MemoryError, TooLong):
            raise
        except BaseException as error:
            return f"<{type_name(value)} whose repr raised {type(error).__name__}>"

    def repr_instance(self, x: Any, level: int) -> str:
        try:
            text = repr(x)
        except (KeyboardInterrupt, MemoryError, TooLong):
            raise
        except BaseException as error:
            return f"<{type_name(x)} whose repr raised {type(error).__name__}>"
        return text


def type_name(value: object) -> str:
    return str(_QUALNAME.__get__(type(value)))


def message_of(error: BaseException) -> str:
    try:
        return cut(str(error), MESSAGE_LIMIT)
    except (KeyboardInterrupt, MemoryError, TooLong):
        raise
    except BaseException as inner:
        return f"<message unavailable: str() raised {type(inner).__name__}>"


def notes_of(error: BaseException) -> List[str]:
    notes = getattr(error, "__notes__", None)
    if not isinstance(notes, (list, tuple)):
        return []
    return [cut(note, MESSAGE_LIMIT) for note in list(notes)[:20] if isinstance(note, str)]


class Frames:
    """Turns tracebacks into frames; knows which files are the project's own."""

    def __init__(self, root: str, base: str, with_locals: bool) -> None:
        self.root = root.rstrip(os.sep) + os.sep
        self.base = base.rstrip(os.sep) + os.sep
        self.with_locals = with_locals
        self.repr = BoundedRepr()
        self.foreign = _foreign_directories()
        self.seen: Dict[str, bool] = {}
        self.deadline = 0.0
        self.patience = Patience(LOCALS_SECONDS)
        self._clock = time.perf_counter

    def own(self, file: str) -> bool:
        known = self.seen.get(file)
        if known is None:
            inside = file.startswith(self.root)
            foreign = any(file.startswith(directory) for directory in self.foreign)
            known = inside and not foreign and f"{os.sep}site-packages{os.sep}" not in file
            self.seen[file] = known
        return known

    def place(self, file: str) -> str:
        """A file of the suite as scenarios name theirs: the same words on every machine."""
        return file[len(self.base) :] if file.startswith(self.base) else file

    def of(self, traceback: Optional[TracebackType]) -> List[Dict[str, object]]:
        entries = list(_walk(traceback))
        shown = [entry for entry in _without_machinery(entries) if not _hidden(entry[0])]
        entries = shown or entries[-1:]
        if len(entries) > FRAMES_HEAD + FRAMES_TAIL:
            entries = entries[:FRAMES_HEAD] + entries[-FRAMES_TAIL:]
        last = len(entries) - 1
        return [self._frame(frame, line, index == last) for index, (frame, line) in enumerate(entries)]

    def _frame(self, frame: FrameType, line: int, last: bool) -> Dict[str, object]:
        code = frame.f_code
        own = self.own(code.co_filename)
        told: Dict[str, object] = {
            "file": self.place(code.co_filename) if own else code.co_filename,
            "line": line,
            "function": function_name(code),
            "own": own,
            "code": cut(linecache.getline(code.co_filename, line, frame.f_globals).strip(), REPR_LIMIT),
        }
        if self.with_locals and (own or last):
            told["locals"] = self._locals(frame)
        return told

    def _locals(self, frame: FrameType) -> Dict[str, str]:
        told: Dict[str, str] = {}
        if frame.f_code.co_name == "<module>":
            return told
        for name, value in locals_of(frame).items():
            # Names with "@" are the assertion rewriter's own.
            if name.startswith(("@", "__")):
                continue
            if len(told) >= LOCALS_LIMIT or self._clock() > self.deadline:
                break
            told[name] = self._text(value)
        return told

    def _text(self, value: object) -> str:
        if type(value) in PLAIN:
            return self.repr.text(value)
        told = self.patience.ask(lambda: self.repr.text(value), anyway=True)
        return f"<{type_name(value)} whose repr did not end>" if told is None else told

    def chain(self, error: BaseException) -> List[Dict[str, object]]:
        """The exception that was raised, then its causes and contexts."""
        self.deadline = self._clock() + LOCALS_SECONDS
        with self.patience:
            return self._chain(error, 0)

    def _chain(self, error: BaseException, depth: int) -> List[Dict[str, object]]:
        chain: List[Dict[str, object]] = []
        seen: Set[int] = set()
        relation: Optional[str] = None
        current: Optional[BaseException] = error
        while current is not None and id(current) not in seen and len(chain) < CHAIN_LIMIT:
            seen.add(id(current))
            chain.append(self._facts(current, relation, depth))
            if current.__cause__ is not None:
                current, relation = current.__cause__, "cause"
            elif current.__context__ is not None and not current.__suppress_context__:
                current, relation = current.__context__, "context"
            else:
                current = None
        return chain

    def _facts(self, error: BaseException, relation: Optional[str], depth: int) -> Dict[str, object]:
        facts: Dict[str, object] = {
            "type": type_name(error),
            "message": message_of(error),
            "module": str(getattr(type(error), "__module__", "")),
            "notes": notes_of(error),
            "relation": relation,
            "frames": self.of(error.__traceback__),
        }
        members = getattr(error, "exceptions", None)
        if isinstance(members, (list, tuple)) and depth < GROUP_DEPTH:
            errors = [member for member in members if isinstance(member, BaseException)]
            group = []
            for member in errors[:GROUP_LIMIT]:
                first, *rest = self._chain(member, depth + 1)
                if rest:
                    first["chain"] = rest
                group.append(first)
            if group:
                facts["group"] = group
                facts["group_count"] = len(errors)
        return facts


def function_name(code: CodeType) -> str:
    return str(getattr(code, "co_qualname", code.co_name))


def _walk(traceback: Optional[TracebackType]) -> Iterator[Tuple[FrameType, int]]:
    count = 0
    while traceback is not None and count < 5000:
        yield traceback.tb_frame, traceback.tb_lineno or 0
        traceback = traceback.tb_next
        count += 1


MACHINERY = tuple(f"{os.sep}{name}{os.sep}" for name in ("_pytest", "pluggy", "_tkprobe", "unittest"))


def _without_machinery(entries: List[Tuple[FrameType, int]]) -> List[Tuple[FrameType, int]]:
    """Leave out the runner's frames before the first one that is not its own."""
    for index, (frame, _) in enumerate(entries):
        if not any(part in frame.f_code.co_filename for part in MACHINERY):
            return entries[index:]
    return entries[-1:]


def locals_of(frame: FrameType) -> Dict[str, Any]:
    """The variables of a frame. Nothing stays behind that keeps them alive: it may be a frame that still runs."""
    held = frame.f_locals
    code = frame.f_code
    if type(held) is not dict:
        if code.co_flags & CO_OPTIMIZED:
            return dict(held.items())  # since 3.13 a view of the frame
        # A class chose what its body fills; what that says of itself is code of the tests.
        return dict(dict.items(held)) if issubclass(type(held), dict) else {}
    found = dict(held)
    # Until 3.13 a frame keeps this copy of its variables. Where nobody else has it, they are taken out again: they
    # are put in anew for whoever asks. What `exec` put beside them is only there.
    if code.co_flags & CO_OPTIMIZED and sys.getrefcount(held) <= UNSHARED:
        for names in (code.co_varnames, code.co_cellvars, code.co_freevars):
            for name in names:
                held.pop(name, None)
    return found


def _hidden(frame: FrameType) -> bool:
    code = frame.f_code
    # A function's variables are only asked for where it has this one.
    asked = not code.co_flags & CO_OPTIMIZED or HIDES in code.co_varnames
    for names in (locals_of(frame) if asked else {}, frame.f_globals):
        hidden = names.get(HIDES, False)
        if hidden:
            return hidden is True
    return False


def _foreign_directories() -> Tuple[str, ...]:
    """Where installed packages and the standard library live: nothing there is the project's own."""
    # Asking `sysconfig` for the same takes longer than a dozen tests.
    found: Set[Optional[str]] = {os.path.dirname(os.path.abspath(os.__file__))}
    getters: Tuple[Any, ...] = (
        getattr(site, "getsitepackages", list),
        getattr(site, "getusersitepackages", str),
    )
    for getter in getters:
        try:
            value = getter()
        except Exception:
            continue
        found.update([value] if isinstance(value, str) else value)
    found.update(
        (os.path.dirname(os.path.abspath(__file__)), sys.prefix if sys.prefix != sys.base_prefix else None)
    )
    return tuple(directory.rstrip(os.sep) + os.sep for directory in found if directory)
