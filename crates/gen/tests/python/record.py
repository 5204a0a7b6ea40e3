#!/usr/bin/env python3
"""Records what CPython's generators do on random programs, for the test beside this file.

    python3 crates/gen/tests/python/record.py > crates/gen/tests/python/table.txt

Each line of the table is `body | calls | outcomes`. The words of a body, run by a generator with a sum `acc`:

    y3       yield acc + 3; what is sent is added to acc
    c3       the same, and a thrown error is caught: a thousand times its number is added
    ( ... )  yield from a child with this body; its return value is added
    [ ... ]  the same, and an error that the child raises is caught
    s        one is added if the generator sees itself running
    r        return acc
    x3       raise error 3

The calls: `n` next, `+3` send, `!3` throw, `k` close, `?` state. The outcomes, one for each call:

    y3   yielded         r3 or r-   returned 3 or None       e3   raised error 3
    ok   closed          type       TypeError                or a state

`/1/0` behind an outcome says that the `finally` of the child at depth 1 ran, then that of the outer body.
"""

import inspect
import platform
import random

PROGRAMS = 400
SEED = 342  # PEP 342


class Thrown(Exception):
    def __init__(self, number):
        self.number = number


def start(body, depth, log):
    own = []
    own.append(run(body, depth, log, own))
    return own[0]


def run(body, depth, log, own):
    acc = 0
    try:
        for word, argument in body:
            try:
                if word in "yc":
                    acc += (yield acc + argument) or 0
                elif word in "([":
                    acc += (yield from start(argument, depth + 1, log)) or 0
                elif word == "s":
                    acc += inspect.getgeneratorstate(own[0]) == inspect.GEN_RUNNING
                elif word == "r":
                    return acc
                elif word == "x":
                    raise Thrown(argument)
            except Thrown as thrown:
                if word not in "c[":
                    raise
                acc += 1000 * thrown.number
    finally:
        log.append(depth)


def call(generator, what, argument):
    try:
        if what == "n":
            return f"y{next(generator)}"
        if what == "+":
            return f"y{generator.send(argument)}"
        if what == "!":
            return f"y{generator.throw(Thrown(argument))}"
        if what == "k":
            generator.close()
            return "ok"
        return inspect.getgeneratorstate(generator).removeprefix("GEN_").lower()
    except StopIteration as stop:
        return "r-" if stop.value is None else f"r{stop.value}"
    except Thrown as thrown:
        return f"e{thrown.number}"
    except TypeError as error:
        assert "just-started generator" in str(error)
        return "type"


def random_body(depth):
    words = []
    for _ in range(random.randint(1, 5)):
        word = random.choice("yyyycccc((([[[srx") if depth < 2 else random.choice("yyycccsrx")
        if word in "ycx":
            words.append((word, random.randint(1, 9)))
        elif word in "([":
            words.append((word, random_body(depth + 1)))
        else:
            words.append((word, None))
    return words


def random_calls():
    calls = []
    for _ in range(random.randint(3, 9)):
        what = random.choice("nnnn++++!!!k??")
        calls.append((what, random.randint(1, 9) if what in "+!" else None))
    if random.random() < 0.8:  # else most programs would fail at the start
        calls.insert(0, ("n", None))
    return calls


def spell(body):
    words = []
    for word, argument in body:
        if word in "([":
            words.append(f"{word} {spell(argument)} {')' if word == '(' else ']'}")
        else:
            words.append(word if argument is None else f"{word}{argument}")
    return " ".join(words)


def record():
    body, calls, log, outcomes = random_body(0), random_calls(), [], []
    generator = start(body, 0, log)
    for what, argument in calls:
        log.clear()
        outcome = call(generator, what, argument)
        outcomes.append("".join([outcome] + [f"/{depth}" for depth in log]))
    return f"{spell(body)} | {spell(calls)} | {' '.join(outcomes)}"


random.seed(SEED)
print(f"# {platform.python_implementation()} {platform.python_version()}")
for _ in range(PROGRAMS):
    print(record())
