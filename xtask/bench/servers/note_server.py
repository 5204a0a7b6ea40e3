"""hello and echo on the event loop of the note: generators that yield what they wait for.

select() knows descriptors below 1,024 only, so more than about a thousand connections end it.

Run it:     python3 note_server.py hello|echo
"""

import socket
import sys
from select import select

tasks = []  # the queue

to_read, to_write = {}, {}  # socket -> the task that waits for it


def server(client):
    server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server_socket.bind(('127.0.0.1', 0))
    server_socket.listen()
    print('Listening on {}:{}'.format(*server_socket.getsockname()), flush=True)

    while True:
        yield ('read', server_socket)
        client_socket, _ = server_socket.accept()
        tasks.append(client(client_socket))


def hello(client_socket):
    while True:
        yield ('read', client_socket)
        request = client_socket.recv(4096)

        if not request:
            break

        response = 'Hello world\n'.encode()
        yield ('write', client_socket)
        client_socket.send(response)

    client_socket.close()


def echo(client_socket):
    while True:
        yield ('read', client_socket)
        response = client_socket.recv(4096)

        if not response:
            break

        while response:
            yield ('write', client_socket)
            response = response[client_socket.send(response) :]

    client_socket.close()


def event_loop():
    while any([tasks, to_read, to_write]):
        while not tasks:
            ready_to_read, ready_to_write, _ = select(to_read, to_write, [])

            for sock in ready_to_read:
                tasks.append(to_read.pop(sock))

            for sock in ready_to_write:
                tasks.append(to_write.pop(sock))

        try:
            task = tasks.pop(0)
            reason, sock = next(task)
            if reason == 'read':
                to_read[sock] = task
            if reason == 'write':
                to_write[sock] = task
        except (StopIteration, ConnectionError):
            pass  # this connection is over


tasks.append(server({'hello': hello, 'echo': echo}[sys.argv[1]]))
event_loop()
