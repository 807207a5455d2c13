"""`tracekit-tui`: opens the console on a project, a recorded run, or the demonstration."""

from __future__ import annotations

import argparse
import contextlib
import os
from typing import TYPE_CHECKING, Any, cast

from tracekit.cli import edge, project
from tracekit.cli.project_arguments import project_arguments
from tracekit.engine.requests import Discover, Launch, Replay, Request
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from tracekit.engine.engine import Engine
    from tracekit.engine.places import Places
    from tracekit.engine.view import RunView
    from tracekit.ui.app import ConsoleApp
    from tracekit.ui.asking import Questions


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    project_arguments(parser, selectors=False)
    parser.add_argument("--replay", metavar="RUN|FILE", help="open a recorded run, or a bundle")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument("--glyphs", choices=("unicode", "ascii"), help="which signs to draw with")
    parser.add_argument(
        "--ascii", dest="glyphs", action="store_const", const="ascii", help="the same as --glyphs ascii"
    )
    parser.add_argument(
        "--theme", choices=("dark", "light", "high-contrast", "ansi"), help="which colours to draw with"
    )


def run(args: argparse.Namespace) -> int:
    """Open the console; without a terminal, name the command that does the same without one."""
    if args.replay is not None:
        _need_terminal(f"tracekit replay {args.replay} --headless")
        return _open(Replay(args.replay), root="", args=args)
    _need_terminal(f"tracekit run {args.path}")
    found = project.project(args, runs=True)
    return _open(Discover(found.root, found.profile, at_once=True), root=found.root, args=args)


def replay(target: str) -> int:
    """Open a recorded run."""
    _need_terminal(f"tracekit replay {target} --headless")
    return _open(Replay(target), root="")


def demo(root: str, profile: str) -> int:
    """Open the demonstration and start it."""
    _need_terminal("tracekit demo --headless")
    return _open(Launch(root, profile), root=root)


def _need_terminal(instead: str) -> None:
    what = "the console needs a terminal"
    if edge.on_terminal():
        kind = os.environ.get("TERM", "")
        if kind not in {"", "dumb"}:
            return
        what = f"the console needs a terminal that can be painted on, and TERM is {kind or 'empty'}"
    raise ProblemError(Problem("ui.no_terminal", what, "", f"`{instead}` does the same without one"))


def _open(request: Request, *, root: str, args: argparse.Namespace | None = None) -> int:
    from tracekit.cli.desk import DeskTrust
    from tracekit.config import loader
    from tracekit.engine.engine import Engine
    from tracekit.ui.asking import Questions

    places = project.places()
    # What is bundled with the program itself needs no question.
    bundled = root in loader.bundled_profiles().values()
    # What a login asks stands in a window of the screen that is about to come.
    questions = Questions()
    with Engine(places, asker=questions) as engine:
        ahead = None
        if isinstance(request, Discover) and (bundled or DeskTrust(places.state).known(root)):
            # What was found last time is read while everything that paints is loaded.
            ahead = engine.submit(request)
        given = vars(args) if args is not None else {}
        with _loading():
            app, mouse = _application(
                engine, request, ahead, root=root, questions=questions, given=given, bundled=bundled
            )
        from tracekit.ui.app import run as show

        return show(app, mouse=mouse)


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """Without the collector: what is loaded stays, and looking through it again and again is a tenth of the time."""
    import gc

    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _application(
    engine: Engine,
    request: Request,
    ahead: Future[RunView] | None,
    *,
    root: str,
    questions: Questions,
    given: dict[str, Any],
    bundled: bool,
) -> tuple[ConsoleApp, bool]:
    from tracekit.cli.desk import DeskDebugger, DeskEditor, DeskTrust
    from tracekit.cli.desk_boxes import DeskBoxes
    from tracekit.cli.desk_clipboard import DeskClipboard, masked
    from tracekit.cli.desk_notice import DeskNotice
    from tracekit.config import loader
    from tracekit.engine.boxes import Ways
    from tracekit.ui.action_list import CONTEXTS, DEFAULT_KEYS
    from tracekit.ui.app import ConsoleApp
    from tracekit.ui.ports import EngineFace, NoPicture, Ports, Trusting, ViewFace
    from tracekit.ui.spelling import has_signs

    flags = {"profile": getattr(request, "profile", None), "environment": given.get("environment")}
    flags["glyphs"], flags["theme"] = given.get("glyphs"), given.get("theme")
    config = loader.load(
        root or ".",
        flags=flags,
        environ=os.environ,
        actions=DEFAULT_KEYS,
        contexts=CONTEXTS,
        implicit=False,
    )
    picture = given.get("picture")
    if picture is not None:
        if isinstance(request, Discover):
            picture.made_of = _made_of(engine.places, request)
        picture.give_back()
    app = ConsoleApp(
        Ports(
            engine=cast("EngineFace", engine),
            trust=Trusting() if bundled else DeskTrust(engine.places.state),
            debugger=DeskDebugger(engine.once),
            editor=DeskEditor(template=config.settings.editor),
            notice=DeskNotice(config.settings.notify, config.settings.notify_after),
            clipboard=DeskClipboard(state=engine.places.state),
            mask=masked,
            boxes=DeskBoxes(Ways(engine.places, asker=questions, once=engine.once), engine.once),
            questions=questions,
            picture=picture or NoPicture(),
        ),
        request,
        root=root,
        profile=flags["profile"],
        environment=config.settings.environment,
        keys=config.keymap.bindings,
        ascii_only=config.settings.glyphs == "ascii" or not has_signs(),
        theme=config.settings.theme,
        ahead=cast("Future[ViewFace] | None", ahead),
        far=any(os.environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY")),
    )
    return app, config.settings.mouse and not given.get("no_mouse")


def _made_of(places: Places, request: Discover) -> tuple[str, ...]:
    """The files that the first frame of a project follows from."""
    from tracekit.config import paths, roots
    from tracekit.engine.discovery import inventory_key
    from tracekit.store.inventory import InventoryStore

    found = InventoryStore(places.cache).file(
        request.root, inventory_key(request.profile, request.environment)
    )
    names = (roots.OWN, roots.PYPROJECT, *([request.profile] if request.profile else ()))
    own = [os.path.join(request.root, name) for name in names]
    trusted = os.fspath(places.state / "trusted.json")
    return (found, trusted, *own, *paths.config_files(places.environ))
