"""What relays ask for: one plain function for each of their scripts in the Redis store."""

from collections.abc import Sequence

from penstock.engine.memory_store.outbox_state import SinkState
from penstock.engine.memory_store.state import QueueState
from penstock.engine.outbox import Backlog, SinkBacklog, Taken

MOST_LEFT = 1000


def enlist(queue: QueueState, now: int, sink: str, most: int) -> bool:
    """A new sink begins with what ends from now on."""
    outbox = queue.outbox
    outbox.most = most
    if sink in outbox.sinks:
        return False
    outbox.sinks[sink] = SinkState(outbox.last)
    return True


def withdraw(queue: QueueState, now: int, sink: str) -> int | None:
    """With the last sink all that is kept goes."""
    outbox = queue.outbox
    state = outbox.sinks.pop(sink, None)
    if state is None:
        return None
    left = len(_unread(queue, state))
    if not outbox.sinks:
        outbox.aside.clear()
    _trim(queue)
    return left


def take(queue: QueueState, now: int, sink: str, relay: str, count: int, silence: int) -> Taken | None:
    """What the relay has; else what a dead one has; else what is new."""
    outbox = queue.outbox
    state = outbox.sinks.get(sink)
    if state is None:
        return None
    unread, given = _unread(queue, state), state.given
    state.relays[relay] = now
    numbers = _delivering(state, relay)[:count]
    if not numbers:
        numbers = _of_the_dead(state, relay, now - silence, count)
    if not numbers:
        numbers = [number for number in outbox.entries if number > given][:count]
        state.given = max([given, *numbers])
    state.pending.update(dict.fromkeys(numbers, relay))
    since = outbox.entries[unread[0]].at if unread else None
    entries = [outbox.entries[number] for number in numbers]
    return Taken(now, len(unread), since, f"0-{given}", entries)


def _of_the_dead(state: SinkState, relay: str, before: int, count: int) -> list[int]:
    silent = sorted((seen, other) for other, seen in state.relays.items() if seen <= before)
    for _, other in silent:
        if other != relay:
            numbers = _delivering(state, other)
            state.pending.update(dict.fromkeys(numbers[:count], relay))
            if len(numbers) <= count:
                del state.relays[other]
            if numbers:
                return numbers[:count]
    return []


def acknowledge(queue: QueueState, now: int, sink: str, ids: Sequence[str]) -> int:
    """What every sink has is kept no longer."""
    state = queue.outbox.sinks.get(sink)
    if state is None:
        return 0
    done = [state.pending.pop(number_of(one), None) for one in ids]
    _trim(queue)
    return len(done) - done.count(None)


def set_aside(queue: QueueState, now: int, sink: str, ids: Sequence[str]) -> int:
    """Acknowledge, and keep the last ones."""
    state = queue.outbox.sinks.get(sink)
    if state is None:
        return 0
    known = [number for number in map(number_of, ids) if number in state.pending]
    queue.outbox.aside.extend(queue.outbox.entries[number] for number in known)
    return acknowledge(queue, now, sink, ids)


def retire(queue: QueueState, now: int, sink: str, relay: str) -> int:
    """What the relay leaves is free at once."""
    state = queue.outbox.sinks.get(sink)
    if state is None:
        return 0
    left = len(_delivering(state, relay))
    if left:
        state.relays[relay] = 0
    else:
        state.relays.pop(relay, None)
    return min(left, MOST_LEFT)


def backlog(queue: QueueState, now: int) -> Backlog:
    """How far every sink is behind."""
    outbox = queue.outbox
    sinks: list[SinkBacklog] = []
    for name, state in sorted(outbox.sinks.items()):
        unread = _unread(queue, state)
        since = outbox.entries[unread[0]].at if unread else None
        sinks.append(SinkBacklog(name, len(unread), since, len(state.relays)))
    return Backlog(now, outbox.most if outbox.sinks else 0, len(outbox.aside), sinks)


def number_of(entry: str) -> int:
    """The place among all of the entry with this id."""
    return int(entry.partition("-")[2])


def _delivering(state: SinkState, relay: str) -> list[int]:
    return sorted(number for number, other in state.pending.items() if other == relay)


def _unread(queue: QueueState, state: SinkState) -> list[int]:
    """What the sink has not acknowledged, oldest first."""
    return [number for number in queue.outbox.entries if number > state.given or number in state.pending]


def _trim(queue: QueueState) -> None:
    """Remove what every sink has acknowledged."""
    wanted = {number for state in queue.outbox.sinks.values() for number in _unread(queue, state)}
    first = min(wanted, default=queue.outbox.last + 1)
    for number in [number for number in queue.outbox.entries if number < first]:
        del queue.outbox.entries[number]
