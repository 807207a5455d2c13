"""What the first and last lines say of the run itself, and of its suites.

A run over several boxes has such lines from each; it has ended when every box that began has ended.
"""

from __future__ import annotations

from typing import Any

from tracekit.model import coerce
from tracekit.model.facts import BoxFacts, RunFacts, ServiceFacts, SuiteFacts, Unrun
from tracekit.model.quarantine import quarantined
from tracekit.wire.names import E

#: What is said of a run that was brought here, where another's command would stand.
ELSEWHERE = "recorded elsewhere: nothing of it is run again here"
Key = tuple[int, str, int]
Line = dict[str, Any]
_LONGEST = 1e9


class RunLines:
    """Keeps the lines that tell of the run: the first start, and each box's last end."""

    def __init__(self) -> None:
        self.started: dict[str, tuple[Key, Line]] = {}
        self.ended: dict[str, tuple[Key, Line]] = {}
        self.suites: dict[str, tuple[Key, Line]] = {}
        self.boxes: dict[str, tuple[Key, Line]] = {}
        self.services: dict[str, tuple[Key, Line]] = {}

    @property
    def kept(self) -> tuple[dict[str, tuple[Key, Line]], ...]:
        """All of them, as a checkpoint holds them."""
        return self.started, self.ended, self.suites, self.boxes, self.services

    def copy(self) -> RunLines:
        """Another one that knows the same."""
        other = RunLines()
        other.started, other.ended, other.suites = dict(self.started), dict(self.ended), dict(self.suites)
        other.boxes, other.services = dict(self.boxes), dict(self.services)
        return other

    def add(self, key: Key, line: Line) -> None:
        """Take a line; which of several stands does not depend on the order they came in."""
        box = key[1].partition("/")[0]
        event = line.get("e")
        if event == E.RUN_STARTED:
            _keep(self.started, box, key, line, latest=False)
        elif event == E.RUN_ENDED:
            _keep(self.ended, box, key, line, latest=True)
        elif event == E.BOX_FACTS:
            _keep(self.boxes, box, key, line, latest=True)
        elif event in (E.SERVICE_READY, E.SERVICE_UNHEALTHY):
            _keep(self.services, f"{box}/{coerce.text(line.get('service'))}", key, line, latest=True)
        elif event == E.PHASE_STARTED:
            _keep(self.services, f"{box}/{coerce.text(line.get('id'))}", key, line, latest=True)
        else:
            _keep(self.suites, coerce.text(line.get("suite")), key, line, latest=False)

    def facts(self) -> RunFacts:
        """The run as these lines tell it."""
        facts = RunFacts()
        first = min(self.started.values(), key=_key, default=None)
        if first is not None:
            _begin(facts, *first)
        facts.boxes = {box: _box(line) for box, (_, line) in sorted(self.boxes.items())}
        facts.services = [
            _service(line, key) for _, (key, line) in sorted(self.services.items(), key=lambda item: item[0])
        ]
        facts.suites = self._suites(coerce.rows(first[1].get("suites")) if first is not None else [])
        last = max(self.ended.values(), key=_key, default=None)
        if last is not None and self.started.keys() <= self.ended.keys():
            _finish(facts, *last)
            self._sum_up(facts)
        if not facts.run_id:
            any_line = min((*self.ended.values(), *self.suites.values()), key=_key, default=None)
            facts.run_id = coerce.text(any_line[1].get("run")) if any_line is not None else ""
        return facts

    def _sum_up(self, facts: RunFacts) -> None:
        for _, line in sorted(self.ended.values(), key=_key):
            ids = coerce.texts(line.get("not_run"))
            facts.not_run.extend(ids)
            count = max(coerce.natural(line.get("not_run_count")), len(ids))
            facts.not_run_count += count
            rows = coerce.rows(line.get("unrun"))
            facts.unrun += [_unrun(row) for row in rows]
            if count and not rows:
                facts.unrun.append(Unrun(coerce.text(line.get("why")), count, tuple(ids)))
            for word, count in coerce.naturals(line.get("verdicts")).items():
                facts.verdicts[word] = facts.verdicts.get(word, 0) + count

    def _suites(self, planned: list[Line]) -> list[SuiteFacts]:
        suites: dict[str, SuiteFacts] = {}
        for row in planned:
            name = coerce.text(row.get("name"))
            suites[name] = _suite(SuiteFacts(name), row)
        for name in sorted(self.suites):
            suites[name] = _suite(suites.get(name) or SuiteFacts(name), self.suites[name][1])
        return list(suites.values())


def _keep(lines: dict[str, tuple[Key, Line]], name: str, key: Key, line: Line, *, latest: bool) -> None:
    have = lines.get(name)
    if have is None or (have[0] < key) == latest:
        lines[name] = (key, line)


def _key(item: tuple[Key, Line]) -> Key:
    return item[0]


def _begin(facts: RunFacts, key: Key, line: Line) -> None:
    get = line.get
    facts.run_id = coerce.text(get("run"))
    facts.parent = coerce.text_or_none(get("parent"))
    facts.root = coerce.text(get("root"))
    facts.profile = coerce.text_or_none(get("profile"))
    facts.environment = coerce.text(get("environment"))
    facts.seed = coerce.integer_or_none(get("seed"))
    facts.trace = coerce.text(get("trace"))
    facts.mode = coerce.text(get("mode")) or "run"
    facts.started_t = key[0]
    facts.versions = coerce.table(get("versions"))
    facts.git = coerce.table(get("git"))
    facts.fingerprint = coerce.text(get("fingerprint"))
    facts.quarantine = quarantined(coerce.rows(get("quarantine")))
    facts.plan_hash = coerce.text(get("plan_hash"))


def _finish(facts: RunFacts, key: Key, line: Line) -> None:
    facts.ended = True
    facts.ended_t = key[0]
    facts.reason = coerce.text(line.get("reason"))
    facts.why = coerce.text(line.get("why"))


def _unrun(row: Line) -> Unrun:
    ids = tuple(coerce.texts(row.get("not_run")))
    return Unrun(coerce.text(row.get("why")), max(coerce.natural(row.get("count")), len(ids)), ids)


def _box(line: Line) -> BoxFacts:
    get, disk = line.get, coerce.table(line.get("disk"))
    missing = (
        (coerce.text(row.get("what")), coerce.text(row.get("why"))) for row in coerce.rows(get("unavailable"))
    )
    return BoxFacts(
        machine=coerce.text(get("machine")),
        system=coerce.text(get("system")),
        arch=coerce.text(get("arch")),
        libc=coerce.text(get("libc")),
        python=coerce.text(get("python")),
        cpus=coerce.natural(get("cpus")),
        memory=coerce.natural(get("memory")),
        disk_free=coerce.natural(disk.get("free")),
        unavailable=tuple(missing),
    )


def _service(line: Line, key: Key) -> ServiceFacts:
    unwell, awaited = line.get("e") != E.SERVICE_READY, line.get("e") == E.PHASE_STARTED
    return ServiceFacts(
        box=key[1].partition("/")[0],
        name=coerce.text(line.get("id" if awaited else "service")),
        after=coerce.seconds(line.get("after")),
        why=(coerce.text(line.get("why")) or "it does not say why") if unwell else "",
        awaited=awaited,
    )


def _suite(suite: SuiteFacts, row: Line) -> SuiteFacts:
    for name in ("runner", "root", "cwd", "python", "python_version", "framework"):
        told = coerce.text(row.get(name))
        if told:
            setattr(suite, name, told)
    slow = row.get("slow")
    if isinstance(slow, (int, float)) and type(slow) is not bool and 0 < slow < _LONGEST:
        suite.slow_ns = int(slow * 1e9)
    suite.count = coerce.integer_or_none(row.get("count")) if "count" in row else suite.count
    return suite
