"""Plans: what the agent is asked to run, with everything it needs and no secret on the disk.

The plan goes into `run.json` and its hash names it; the environment and the values of secrets travel beside it
and stay in the memory of the agent's processes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tracekit import __version__
from tracekit.agent import at_once as at_once_of
from tracekit.agent import isolation
from tracekit.agent.digests import blake2b
from tracekit.config import loader, quarantine
from tracekit.config.plan import secrets, to_plan
from tracekit.config.profile import Environment, Profile
from tracekit.engine.places import Places
from tracekit.engine.relocate import relocated
from tracekit.engine.revision import revision
from tracekit.engine.services import expected
from tracekit.engine.spots import box_name, noted
from tracekit.wire.ids import id_prefix, split_scenario_id
from tracekit.wire.lines import to_json
from tracekit.wire.names import PLAN_SCHEMA
from tracekit.wire.problems import Problem, ProblemError
from tracekit.wire.secrets import secrets_in

if TYPE_CHECKING:
    from tracekit.engine.requests import Launch

_MAX_SEED = 1 << 31
_ONE_RUN = frozenset(
    {
        "until_failure",
        "uncollected",
        "watch",
        "retries",
        "isolate",
        "git",
        "fingerprint",
        "versions",
        "quarantine",
        "tree",
        "preparing",
        "artefacts",
        "services",
    }
)
NOTHING: Mapping[str, Any] = MappingProxyType({})
_MARK = re.compile(r"\\u00abredacted:([^\\]+)\\u00bb")


@dataclass(frozen=True)
class Planned:
    """A plan and what travels beside it."""

    plan: dict[str, Any]
    chosen: str | None
    root: str
    nonce: str
    started_ns: int
    environ: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    environment: Environment | None = None
    #: The secrets of the profile, which are meant for wherever it runs.
    given: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def travelling(self) -> Mapping[str, str]:
        """What is told to whoever runs it, so that it is kept out of recordings.

        Another machine has secrets of its own: of this one's it learns those that the profile gives it, and those that
        stand in the plan all the same, where somebody wrote one among the arguments.
        """
        if not self.remote:
            return self.secrets
        text = json.dumps(self.plan, ensure_ascii=False)
        return {name: value for name, value in self.secrets.items() if name in self.given or value in text}

    @property
    def remote(self) -> bool:
        """Whether it runs on another machine."""
        return self.environment is not None and self.environment.remote

    @property
    def run_id(self) -> str:
        """The run's name."""
        return str(self.plan["run"])

    @property
    def plan_hash(self) -> str:
        """What tells the same start from another under the same name."""
        return blake2b(to_json(self.plan).encode("ascii"), digest_size=16).hexdigest()

    def facts(self, console: str) -> dict[str, Any]:
        """What is written to `run.json`."""
        return {
            "run": self.run_id,
            "parent": self.plan.get("parent"),
            "root": self.root,
            "profile": self.chosen,
            "console": console,
            "nonce": self.nonce,
            "created": self.started_ns,
            "plan_hash": self.plan_hash,
            "boxes": [box_name(self.environment)],
            "box": noted(self.environment),
            "plan": _without(self.plan, self.secrets),
        }

    def message(self, base: Path, console: str) -> dict[str, Any]:
        """What the agent is sent to start it."""
        return {
            "plan": self.plan,
            "nonce": self.nonce,
            "plan_hash": self.plan_hash,
            # A box has an environment of its own; only what the profile says goes there.
            "environ": {} if self.remote else dict(self.environ),
            "secrets": dict(self.travelling),
            "dir": None if self.remote else str(base),
            "console": console,
            "box": box_name(self.environment),
        }


def plan_for(
    root: str,
    profile: str | None,
    places: Places,
    *,
    mode: str = "run",
    environment: str = "local",
    only: Sequence[str] | None = None,
    args: Sequence[str] = (),
    seed: int | None = None,
    parent: str | None = None,
    run_lease: float | None = None,
    extra: Mapping[str, Any] = NOTHING,
    isolate: Sequence[str] = (),
    trace: str | None = None,
    at_once: int = 0,
) -> Planned:
    """Plan a project; raises ProblemError for every fault of its configuration."""
    flags = {"profile": profile, "environment": environment}
    config = loader.load(root, flags=flags, environ=places.environ)
    profile_there = config.profile.exporting(environment)
    plan = to_plan(
        profile_there,
        config.settings,
        run=places.new_id(),
        seed=seed if seed is not None else int.from_bytes(places.randomness(4), "big") % _MAX_SEED,
        mode=mode,
        parent=parent,
        only=None if only is None else _by_suite(config.profile, only),
        args=args,
    )
    if run_lease is not None:
        plan["run_lease"] = run_lease
    plan.update(_quarantine(config.quarantine, places))
    plan.update(extra)
    _isolate(plan, isolate)
    _trace(plan, trace)
    _bound(plan, at_once)
    where = config.profile.environment(environment)
    plan.update(_services(where, mode))
    planned = _planned(plan, profile_there, profile, root, places)
    if where is None or not where.remote:
        # What stands on a box is not for us to name: its sources are there already.
        if mode == "run":
            plan.update(_provenance(config.profile.root, places))
        return planned
    if where.artefacts and mode == "run":
        plan["artefacts"] = list(where.artefacts)
    if where.how == "connect":
        return replace(planned, plan=relocated(planned.plan, where), environment=where)
    # Its files are brought from here: what they are is known, and where they will stand is not.
    if mode == "run":
        plan.update(_provenance(config.profile.root, places))
    return replace(planned, environment=where)


def plan_of(
    request: Launch,
    places: Places,
    only: Sequence[str] | None,
    missing: Sequence[Mapping[str, Any]] = (),
) -> Planned:
    """Plan what a request asks for; `missing` is what could not be collected of it. Raises as `plan_for` does."""
    extra = wishes(retries=request.retries, until_failure=request.until_failure, shuffle=request.shuffle)
    return plan_for(
        request.root,
        request.profile,
        places,
        environment=request.environment,
        at_once=request.at_once,
        only=only,
        args=request.args,
        seed=request.seed,
        parent=request.parent,
        run_lease=request.run_lease,
        extra={**extra, **({"uncollected": list(missing)} if missing else {})},
        isolate=request.isolate,
        trace=request.trace,
    )


def wishes(**asked: int | bool) -> dict[str, Any]:
    """What a plan says only when somebody asked for it."""
    return {name: wish for name, wish in asked.items() if wish}


def plan_again(
    facts: Mapping[str, Any],
    places: Places,
    *,
    parent: str,
    only: Sequence[str] | None,
    extra: Mapping[str, Any] = NOTHING,
    in_order: bool = False,
    isolate: Sequence[str] = (),
    trace: str | None = None,
) -> Planned:
    """The plan of an earlier run, narrowed to some scenarios; flags, seed and order stay."""
    plan: dict[str, Any] = facts["plan"]
    if plan.get("schema") != PLAN_SCHEMA:
        raise ProblemError(
            Problem(
                "rerun.other_plan",
                f"the plan is {plan.get('schema')}, this program runs {PLAN_SCHEMA}",
                parent,
                "start a new run of the project",
            )
        )
    suites = [dict(suite) for suite in plan["suites"]]
    if only is not None:
        suites = list(_narrowed(suites, only))
    if not suites:
        raise ProblemError(
            Problem(
                "rerun.nothing",
                "none of these scenarios belongs to a suite of that run",
                parent,
                "start a new run",
            )
        )
    root, chosen = str(facts.get("root", "")), facts.get("profile")
    config = loader.load(root, flags={"profile": chosen}, environ=places.environ, implicit=False)
    if in_order:
        # An order has a meaning in one process only.
        suites = [{**isolation.without(suite), "order": "given"} for suite in suites]
    # What was wished for one run alone is not wished for the next, and who is in quarantine is so today.
    kept = {key: value for key, value in plan.items() if key not in _ONE_RUN}
    kept.update(_quarantine(config.quarantine, places))
    if in_order:
        kept.pop("shuffle", None)
    again = {**kept, "run": places.new_id(), "parent": parent, "suites": suites, **extra}
    _isolate(again, isolate)
    _trace(again, trace)
    there = str(plan.get("environment", ""))
    where = config.profile.environment(there)
    again.update(_services(where, str(plan.get("mode", "run"))))
    planned = _planned(again, config.profile.exporting(there), chosen, root, places)
    if where is not None and where.remote:
        planned = replace(planned, environment=where)
        if where.artefacts:
            planned.plan["artefacts"] = list(where.artefacts)
        if where.how != "connect":
            planned.plan.update(_provenance(root, places))
    else:
        planned.plan.update(_provenance(str(plan.get("root", root)), places))
    # A box's own words may ask for a secret by its name: it gets no other than the profile's.
    planned.plan.update(_with(again, planned.given if planned.remote else planned.secrets))
    left = _MARK.search(to_json(planned.plan))
    if left is not None:
        raise ProblemError(
            Problem(
                "rerun.secret_missing",
                f"the run was given the secret {left.group(1)}, which is not set now",
                parent,
                f"export {left.group(1)} and run the same command again",
            )
        )
    return planned


def _services(where: Environment | None, mode: str) -> dict[str, Any]:
    """What is waited for before the suites; whoever only asks what there is needs none of it."""
    found = expected(where.services) if where is not None and mode == "run" else []
    return {"services": found} if found else {}


def _provenance(root: str, places: Places) -> dict[str, Any]:
    return {**revision(root, places), "versions": {"tracekit": __version__}}


def _isolate(plan: dict[str, Any], wished: Sequence[str]) -> None:
    """Every suite isolates what was asked for beside what its table says; which of them holds it, its box finds."""
    if wished:
        plan["isolate"] = list(wished)
        for suite in plan["suites"]:
            suite["isolate"] = [*isolation.patterns(suite), *wished]


def _trace(plan: dict[str, Any], wished: str | None) -> None:
    """What was asked for stands above every suite's own table."""
    if wished is not None:
        plan["trace"] = wished
        plan["suites"] = [{**suite, "trace": None} for suite in plan["suites"]]


def _bound(plan: dict[str, Any], size: int) -> None:
    """Every suite runs so many at once; raises ProblemError for those that cannot hold it."""
    if not size:
        return
    problems = []
    for suite in plan["suites"]:
        if reason := at_once_of.refused(suite, size):
            problems.append(
                Problem(
                    "cli.at_once", f"-j {size} cannot be held: {reason[0]}", str(suite["name"]), reason[1]
                )
            )
        suite["at_once"] = size
    if problems:
        raise ProblemError(problems)


def _quarantine(entries: Sequence[quarantine.Entry], places: Places) -> dict[str, Any]:
    return {"quarantine": quarantine.rows(entries, places.today())} if entries else {}


def _planned(
    plan: dict[str, Any], profile: Profile, chosen: str | None, root: str, places: Places
) -> Planned:
    given = secrets(profile, places.environ)
    return Planned(
        plan=plan,
        chosen=chosen,
        root=root,
        nonce=places.nonce(),
        started_ns=places.now_ns(),
        environ=dict(places.environ),
        # What the profile marks stands before what only looks like a secret.
        secrets={**secrets_in(places.environ), **given},
        given=given,
    )


def _without(value: Any, secrets: Mapping[str, str]) -> Any:
    """The same plan with the values of secrets replaced by their names: it is written to the disk."""
    return _replaced(value, [(secret, f"«redacted:{name}»") for name, secret in secrets.items()])


def _with(value: Any, secrets: Mapping[str, str]) -> Any:
    return _replaced(value, [(f"«redacted:{name}»", secret) for name, secret in secrets.items()])


def _replaced(value: Any, pairs: Sequence[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for old, new in pairs:
            value = value.replace(old, new)
        return value
    if isinstance(value, dict):
        return {key: _replaced(each, pairs) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, pairs) for each in value]
    return value


def variables_again(
    suite: Mapping[str, Any],
    facts: Mapping[str, Any],
    environ: Mapping[str, str] | None,
    *,
    remote: bool = False,
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables of a recorded suite, and the names of those that are left out, because they held a secret.

    Secrets are had again where there is an `environ` to take them from; for another machine those of the profile
    alone, as when it ran there. Raises ProblemError where one cannot be.
    """
    had = {name: str(value) for name, value in dict(suite.get("env") or {}).items()}
    hidden = [str(name) for name in suite.get("secret_env") or ()]
    if environ is not None and (hidden or _MARK.search(to_json(had))):
        root, chosen = str(facts.get("root", "")), facts.get("profile")
        profile = loader.load(root, flags={"profile": chosen}, environ=environ, implicit=False).profile
        there = str(dict(facts.get("plan") or {}).get("environment", ""))
        own = {} if remote else secrets_in(environ)
        known = {**own, **secrets(profile.exporting(there), environ)}
        had = {**_with(had, known), **{name: known[name] for name in hidden if name in known}}
    whole = {name: value for name, value in had.items() if not _MARK.search(to_json(value))}
    return whole, tuple(sorted({*had, *hidden} - whole.keys()))


def _by_suite(profile: Profile, ids: Iterable[str]) -> dict[str, list[str]]:
    known = {(suite.runner, suite.name) for suite in profile.suites}
    found: dict[str, list[str]] = {}
    for scenario in ids:
        runner, suite, _ = split_scenario_id(scenario)
        if (runner, suite) not in known:
            raise ProblemError(
                Problem(
                    "select.nothing",
                    "no suite holds this scenario",
                    scenario,
                    "`tracekit list` shows what there is",
                )
            )
        found.setdefault(suite, []).append(scenario)
    return found


def _narrowed(suites: Iterable[dict[str, Any]], ids: Sequence[str]) -> Iterable[dict[str, Any]]:
    for suite in suites:
        prefix = id_prefix(suite["runner"], suite["name"])
        own = [scenario for scenario in ids if scenario.startswith(prefix)]
        if own:
            yield {**suite, "only": own}
