"""A running average: a generator that takes a number at every yield and gives the mean so far.

Run it:     python3 examples/average.py
Try this:   send a number after the generator was stopped, and see what Python says.
"""

from inspect import getgeneratorstate


def average():  # arithmetic mean
    count, total, mean = 0, 0, None
    while True:
        try:
            x = yield mean  # gives out the mean, takes in x
        except StopIteration:  # arrives through gener.throw()
            print('Done')
            return mean
        count += 1
        total += x
        mean = round(total / count, 2)


gener = average()  # nothing has run yet
print(getgeneratorstate(gener))
next(gener)  # the first run, up to the first yield (gener.send(None) does the same)
print(getgeneratorstate(gener))
print(gener.send(4))  # (0 + 4) / 1 = 4
print(gener.send(5))  # (4 + 5) / 2 = 4.5
print(gener.send(2))  # (4 + 5 + 2) / 3 = 3.67
try:
    gener.throw(StopIteration)
except StopIteration as stop:
    print('returned', stop.value)
print(getgeneratorstate(gener))
