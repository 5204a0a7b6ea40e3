"""Counts with a generator and prints the sum and the nanoseconds of a resume."""

import sys
import time


def numbers(end):
    for number in range(end):
        yield number


def strides(end):
    number = 0
    while number < end:
        number += yield number


def count(end):
    total = 0
    for number in numbers(end):
        total += number
    return total


def send(end):
    machine = strides(end)
    total = next(machine)
    step = machine.send
    try:
        while True:
            total += step(1)
    except StopIteration:
        return total


way = {"count": count, "send": send}[sys.argv[1]]
end = int(sys.argv[2])
start = time.thread_time_ns()
total = way(end)
print(total, (time.thread_time_ns() - start) / end)
