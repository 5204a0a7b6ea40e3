"""Two generators take turns: the whole of fair scheduling in one loop.

Run it:     python3 examples/round_robin.py
Try this:   add a third generator, and see where its values appear.
"""


def gen_of_str(s):
    for i in s:
        yield i


def gen_of_num(n):
    for i in range(n):
        yield i


g_s = gen_of_str('any string')
g_n = gen_of_num(11)

tasks = [g_s, g_n]

while tasks:  # while a generator is left
    task = tasks.pop(0)  # the first in the queue has its turn
    try:
        i = next(task)
        print(i)  # a useful job could stand here
        tasks.append(task)  # not used up: back to the end of the queue
    except StopIteration:
        pass  # used up: it does not come back
