"""An explicit-state model of publish, withdraw, reap and sweep: every interleaving within small bounds, breadth first.

The model holds what the database and the store hold and lets every actor take one step at a time: publishers (who may
be killed at any step and whose PUT may land at any later moment), the consent process (facts in any order, some twice),
the reaper and the sweeper. What each step does is decided by the functions of tasks/protocol.py and tasks/decide.py,
the same that the ledger calls; `Rules` lets a test replace one of them by a broken variant.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from schemas.consent import Withdrawn
from schemas.grant import ConsentView
from tasks import decide, protocol
from tasks.ports import ConsentFact
from tests.protocol.made import GRANT, NOW, TALENT, use


@dataclass(frozen=True)
class Rules:
    """The protocol, or a variant of it that is broken in one place."""

    record: Callable[..., protocol.Recorded] = protocol.record
    begin: Callable[..., protocol.Begin] = protocol.begin_publish
    finish: Callable[..., Any] = protocol.finish_publish
    plan: Callable[..., protocol.Plan] = protocol.plan
    may_serve: Callable[..., Any] = decide.may_serve
    locked: bool = True
    """tx1 decides and inserts in one step that no withdrawal can come between."""
    create_only: bool = True
    tombstones: bool = True
    read_back: bool = True
    second_look: bool = True


@dataclass(frozen=True)
class Bounds:
    """`facts[0]` is recorded at the start; `deliveries` is how often each fact arrives."""

    facts: tuple[ConsentFact, ...]
    deliveries: tuple[int, ...]
    publishers: int = 2
    crashes: int = 1
    objects: int = 3
    atomic: bool = True


class Publisher(NamedTuple):
    at: str = "idle"
    object: int = -1
    fence: int = 0
    version: int = 0


class Object(NamedTuple):
    version: int
    fence: int
    state: str = "INTENT"
    stored: str = "nothing"
    tombstoned: bool = False
    look: bool = False


class Sweeping(NamedTuple):
    """A withdrawal on its way: fact, fence that it raised, open targets (None: not planned), complete."""

    fact: int
    fence: int
    open: tuple[int, ...] | None = None
    complete: bool = False


class World(NamedTuple):
    recorded: tuple[int, ...]
    deliveries: tuple[int, ...]
    publishers: tuple[Publisher, ...]
    objects: tuple[Object, ...] = ()
    puts: tuple[tuple[int, bool], ...] = ()
    """PUTs under way: (object, whether a store without atomic create has looked and found the key free)."""
    withdrawals: tuple[Sweeping, ...] = ()
    crashes: int = 0


@dataclass
class Found:
    states: int = 0
    steps: int = 0
    violations: dict[str, list[str]] = field(default_factory=dict)
    """Per broken promise the shortest story that breaks it."""


def explore(bounds: Bounds, rules: Rules | None = None, *, stop_at_first: bool = False) -> Found:
    """Visit every reachable world."""
    model = Model(bounds, rules or Rules())
    start = World((0,), bounds.deliveries, (Publisher(),) * bounds.publishers, crashes=bounds.crashes)
    came_from: dict[World, tuple[World, str] | None] = {start: None}
    queue = deque([start])
    found = Found()
    while queue:
        world = queue.popleft()
        found.states += 1
        after = list(model.steps(world))
        found.steps += len(after)
        for promise in model.broken(world, any(name != "crash" for name, _ in after)):
            if promise not in found.violations:
                found.violations[promise] = _story(came_from, world)
        if stop_at_first and found.violations:
            break
        for name, then in after:
            if then not in came_from:
                came_from[then] = (world, name)
                queue.append(then)
    return found


def _story(came_from: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    told: list[str] = []
    while (step := came_from[world]) is not None:
        world, name = step
        told.append(name)
    return told[::-1]


def put(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    return (*items[:index], item, *items[index + 1 :])


class Model:
    def __init__(self, bounds: Bounds, rules: Rules) -> None:
        self.bounds = bounds
        self.rules = rules
        self.standing = cache(self._standing)
        self.view = cache(self._view)
        self.may_make = cache(self._may_make)
        self.served = cache(self._served)
        self.covered = cache(self._covered)

    # ---------------------------------------------------------------- consent
    def _standing(self, recorded: tuple[int, ...]) -> protocol.Standing:
        if not recorded:
            return protocol.Standing(TALENT)
        return self.rules.record(self.standing(recorded[:-1]), self.bounds.facts[recorded[-1]]).standing

    def _view(self, recorded: tuple[int, ...]) -> ConsentView:
        return protocol.view(self.standing(recorded))

    def _may_make(self, recorded: tuple[int, ...], version: int | None) -> Any:
        return decide.may_make(use(), self.view(recorded), NOW, grant_id=GRANT, grant_version=version)

    def _served(self, recorded: tuple[int, ...], version: int) -> bool:
        asset = SimpleNamespace(state="PUBLISHED", grant_id=GRANT, grant_version=version, talent_id=TALENT, use=use())
        return bool(self.rules.may_serve(asset, self.view(recorded), NOW).permitted)

    def arrived(self, world: World) -> tuple[int, ...]:
        """Facts that were delivered at least once, whatever the protocol made of them."""
        pairs = enumerate(zip(world.deliveries, self.bounds.deliveries, strict=True))
        return (0, *(number for number, (left, all_of_them) in pairs if left < all_of_them))

    def _covered(self, arrived: tuple[int, ...], version: int) -> bool:
        """Said again in the plainest words, so that the protocol is not its own judge."""
        signed = next(f.signed_at for f in self.bounds.facts if not isinstance(f, Withdrawn) and f.version == version)
        said = [self.bounds.facts[each] for each in arrived]
        return any(
            isinstance(fact, Withdrawn)
            and (fact.effective_at >= signed if fact.version is None else fact.version >= version)
            for fact in said
        )

    # ---------------------------------------------------------------- steps
    def steps(self, world: World) -> Iterator[tuple[str, World]]:
        for index in range(len(world.publishers)):
            yield from self._publisher(world, index)
        yield from self._store(world)
        yield from self._consent(world)
        yield from self._sweeper(world)

    def _publisher(self, world: World, index: int) -> Iterator[tuple[str, World]]:
        me = world.publishers[index]
        fence = self.standing(world.recorded).fence

        def go(then: Publisher, **changes: Any) -> World:
            return world._replace(publishers=put(world.publishers, index, then), **changes)

        if me.at == "idle":
            decision = self.may_make(world.recorded, None)
            if decision.permitted and len(world.objects) < self.bounds.objects:
                yield (
                    f"p{index} plans v{decision.grant_version}",
                    go(Publisher("begin", -1, fence, decision.grant_version)),
                )
            return
        if me.at == "begin":
            yield from self._begin(world, index, me, fence, go)
        elif me.at == "insert":  # only without the lock: what was decided before is inserted now
            yield f"p{index} inserts", self._insert(world, me, go)
        elif me.at == "put":
            puts = tuple(sorted((*world.puts, (me.object, False))))
            yield f"p{index} sends PUT {me.object}", go(me._replace(at="wait"), puts=puts)
        elif me.at == "finish":
            thing = world.objects[me.object]
            decision = self.may_make(world.recorded, me.version)
            state = self.rules.finish(thing.state, decision, fence, me.fence)
            objects = put(world.objects, me.object, thing._replace(state=state))
            yield f"p{index} finishes {me.object}: {state}", go(Publisher("done"), objects=objects)
        if me.at != "done" and world.crashes:
            yield "crash", go(Publisher(), crashes=world.crashes - 1)

    def _begin(
        self, world: World, index: int, me: Publisher, fence: int, go: Callable[..., World]
    ) -> Iterator[tuple[str, World]]:
        latest = next((each for each in reversed(world.objects) if each.version == me.version), None)
        decision = self.may_make(world.recorded, me.version)
        step = self.rules.begin(None if latest is None else latest.state, decision, fence, me.fence)
        if step in ("refuse", "already") or len(world.objects) >= self.bounds.objects:
            yield f"p{index} begins: {step}", go(Publisher("done"))
        elif self.rules.locked:
            yield f"p{index} begins: {step}", self._insert(world, me, go)
        else:
            yield f"p{index} decides: {step}", go(me._replace(at="insert"))

    def _insert(self, world: World, me: Publisher, go: Callable[..., World]) -> World:
        taken_over = tuple(
            each._replace(state="REVOKING") if each.version == me.version and each.state == "INTENT" else each
            for each in world.objects
        )
        objects = (*taken_over, Object(me.version, me.fence))
        return go(me._replace(at="put", object=len(objects) - 1), objects=objects)

    def _store(self, world: World) -> Iterator[tuple[str, World]]:
        for index, (number, looked) in enumerate(world.puts):
            rest = (*world.puts[:index], *world.puts[index + 1 :])
            thing = world.objects[number]
            free = thing.stored == "nothing" or not self.rules.create_only
            if not self.bounds.atomic and not looked and free:
                puts = tuple(sorted((*rest, (number, True))))
                yield f"store finds {number} free", world._replace(puts=puts)
                continue
            lands = looked or free
            stored = "image" if lands else thing.stored
            objects = put(world.objects, number, thing._replace(stored=stored))
            publishers = tuple(
                each._replace(at="finish" if stored == "image" else "done")
                if each.at == "wait" and each.object == number
                else each
                for each in world.publishers
            )
            name = f"PUT {number} lands" if lands else f"PUT {number} is refused"
            yield name, world._replace(puts=rest, objects=objects, publishers=publishers)
            if not any(each.at == "wait" and each.object == number for each in world.publishers):
                yield f"PUT {number} is lost", world._replace(puts=rest)

    def _consent(self, world: World) -> Iterator[tuple[str, World]]:
        for number, left in enumerate(world.deliveries):
            if not left:
                continue
            rest = put(world.deliveries, number, left - 1)
            fact = self.bounds.facts[number]
            name = f"{type(fact).__name__.lower()} v{fact.version} arrives"
            told = self.rules.record(self.standing(world.recorded), fact)
            if told.effect == "duplicate":
                yield name + " again", world._replace(deliveries=rest)
                continue
            withdrawals = world.withdrawals
            if told.withdraws:
                withdrawals = (*withdrawals, Sweeping(number, told.standing.fence))
            yield name, world._replace(deliveries=rest, recorded=(*world.recorded, number), withdrawals=withdrawals)

    # ---------------------------------------------------------------- sweep
    def _sweeper(self, world: World) -> Iterator[tuple[str, World]]:
        for number, thing in enumerate(world.objects):
            if thing.state == "INTENT":
                state = protocol.reap("INTENT", NOW, NOW)
                yield f"reap {number}", self._with(world, number, thing._replace(state=state))
            if thing.state == "REVOKING":
                yield from self._revoke(world, number, thing)
            if thing.look and not any(each == number for each, _ in world.puts):
                yield from self._look_again(world, number, thing)
        for index, each in enumerate(world.withdrawals):
            if each.open is None:
                yield f"plan w{each.fact}", self._planned(world, index, each)
            elif protocol.may_complete(True, len(each.open)) and not each.complete:
                done = put(world.withdrawals, index, each._replace(complete=True))
                yield f"complete w{each.fact}", world._replace(withdrawals=done)

    def _revoke(self, world: World, number: int, thing: Object) -> Iterator[tuple[str, World]]:
        if not thing.tombstoned:
            stored = "tombstone" if self.rules.tombstones else "nothing"
            yield f"tombstone {number}", self._with(world, number, thing._replace(stored=stored, tombstoned=True))
            return
        seen = thing.stored == "tombstone" or not self.rules.tombstones or not self.rules.read_back
        state = protocol.sweep("REVOKING", seen)
        if state != "REVOKED":
            yield f"{number} is not gone", self._with(world, number, thing._replace(tombstoned=False))
            return
        look = not self.bounds.atomic and self.rules.second_look
        revoked = self._with(world, number, thing._replace(state=state, look=look))
        yield f"revoked {number}", revoked if look else _closed(revoked, number)

    def _look_again(self, world: World, number: int, thing: Object) -> Iterator[tuple[str, World]]:
        if thing.stored == "tombstone":
            yield f"{number} held", _closed(self._with(world, number, thing._replace(look=False)), number)
        else:
            yield f"{number} had returned", self._with(world, number, thing._replace(stored="tombstone"))

    def _planned(self, world: World, index: int, withdrawal: Sweeping) -> World:
        grant = self.bounds.facts[withdrawal.fact].grant_id
        view = self.view(world.recorded)
        objects, targets = list(world.objects), []
        for number, thing in enumerate(world.objects):
            stored = protocol.Stored("asset", thing.state, thing.fence, GRANT, thing.version, thing.look)  # type: ignore[arg-type]
            if self.rules.plan(stored, grant, withdrawal.fence, view, NOW).fate == "go":
                targets.append(number)
                if thing.state in ("INTENT", "PUBLISHED"):
                    objects[number] = thing._replace(state="REVOKING")
        planned = put(world.withdrawals, index, withdrawal._replace(open=tuple(targets)))
        return world._replace(objects=tuple(objects), withdrawals=planned)

    def _with(self, world: World, number: int, thing: Object) -> World:
        return world._replace(objects=put(world.objects, number, thing))

    # ---------------------------------------------------------------- promises
    def broken(self, world: World, moving: bool) -> Iterator[str]:
        arrived = self.arrived(world)
        for thing in world.objects:
            gone = self.covered(arrived, thing.version)
            if gone and thing.state == "PUBLISHED" and self.served(world.recorded, thing.version):
                yield "the gate serves what was withdrawn"
            if thing.state == "REVOKED" and not thing.look and thing.stored == "image":
                yield "an image lies where a tombstone was proved"
            if not moving and thing.state not in ("PUBLISHED", "REVOKED"):
                yield "an object never came to rest"
            if not moving and gone and thing.stored == "image":
                yield "a withdrawn image stays in the store"
        for each in world.withdrawals:
            if each.complete and any(self._remains(world, each, thing) for thing in world.objects):
                yield "a withdrawal is complete while its image lies in the store"
            if not moving and not each.complete:
                yield "a withdrawal never completes"

    def _remains(self, world: World, withdrawal: Sweeping, thing: Object) -> bool:
        fact = self.bounds.facts[withdrawal.fact]
        alone = (0, withdrawal.fact) if withdrawal.fact else (0,)
        return thing.stored == "image" and isinstance(fact, Withdrawn) and self.covered(alone, thing.version)


def _closed(world: World, number: int) -> World:
    withdrawals = tuple(
        each if each.open is None else each._replace(open=tuple(other for other in each.open if other != number))
        for each in world.withdrawals
    )
    return world._replace(withdrawals=withdrawals)


def variant(**broken: Any) -> Rules:
    return replace(Rules(), **broken)
