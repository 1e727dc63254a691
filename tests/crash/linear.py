"""linear.py - is a history of operations on one key what one after the other could have given?

A key is a register: its value is that of its last write, None when there is none. What is checked is linearisability, by just-in-time linearisation: going through calls and returns in the
order of time, the set of all states that the register may be in is kept, each with which of the operations that are under way have already taken effect in it. When none is left, nothing that
a register does explains what the clients saw.

An operation that got no answer, since the server was killed, took effect before its end or never: its end is that of the server.
"""
import dataclasses
import itertools


@dataclasses.dataclass(eq=False)
class Operation:
    kind: str           # put, create (if there is nothing), swap (if it is `old`), delete, get
    value: object       # what was written, or read
    begin: float
    end: float = 0.0
    old: object = None
    outcome: str = ""   # done, refused (412), missing (404), unknown

    def effect(self, state):
        """What the register holds after it; an empty tuple if it cannot have taken effect, with its outcome, on this state."""
        refused, missing = self.outcome == "refused", self.outcome == "missing"
        if self.kind == "get":
            return (state,) if state == self.value else ()
        if self.kind == "create" and (state is not None or refused):
            return (state,) if refused and state is not None else ()
        if self.kind == "swap" and (state != self.old or refused or missing):
            return (state,) if (missing and state is None) or (refused and state not in (None, self.old)) else ()
        return (None if self.kind == "delete" else self.value,)


def reachable(configurations, pending):
    """All that some of the pending operations, taking effect now, lead to."""
    seen, front = set(configurations), list(configurations)
    while front:
        state, done = front.pop()
        for operation in pending:
            if operation in done:
                continue
            for after in operation.effect(state):
                next_one = (after, done | {operation})
                if next_one not in seen:
                    seen.add(next_one)
                    front.append(next_one)
    return seen


def first_wrong(history, start=None):
    """The operation at whose return no explanation is left; None if there is one for all. history: operations of one key."""
    order = itertools.count()
    events = sorted([(o.begin, 0, next(order), o) for o in history] + [(o.end, 1, next(order), o) for o in history])
    configurations, pending = {(start, frozenset())}, set()
    for _, is_return, _, operation in events:
        if not is_return:
            pending.add(operation)
            continue
        configurations = {(state, done - {operation}) for state, done in reachable(configurations, pending)
                          if operation in done or operation.outcome == "unknown"}
        pending.discard(operation)
        if not configurations:
            return operation
    return None


def prove():
    """The checker can say no: a stale read, a lost update, two creators, an effect after an end; and it says yes where there is an order."""
    def of(*rows):
        return [Operation(kind, value, begin, end, old, outcome) for kind, value, old, begin, end, outcome in rows]
    put, read = ("put", 1, None, 0, 1, "done"), ("get", None, None, 2, 3, "done")
    assert first_wrong(of(put, read))
    assert first_wrong(of(put, ("get", 1, None, 2, 3, "done"))) is None
    assert first_wrong(of(put, ("get", None, None, 0.5, 3, "done"))) is None
    assert first_wrong(of(("create", 1, None, 0, 5, "done"), ("create", 2, None, 0, 5, "done")))
    assert first_wrong(of(put, ("swap", 2, 1, 2, 5, "done"), ("swap", 3, 1, 2, 5, "done")))
    assert first_wrong(of(put, ("swap", 2, 1, 2, 5, "done"), ("swap", 3, 1, 2, 5, "refused"))) is None
    assert first_wrong(of(put, ("put", 2, None, 2, 3, "unknown"), ("get", 2, None, 4, 5, "done"))) is None
    assert first_wrong(of(put, ("put", 2, None, 2, 3, "unknown"), ("get", 1, None, 4, 5, "done"), ("get", 2, None, 6, 7, "done")))
    assert first_wrong(of(put, ("delete", None, None, 2, 3, "done"), ("swap", 2, 1, 4, 5, "missing"), read)) is None
