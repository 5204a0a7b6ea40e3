"""The note's event loop: tasks are generators that yield what they wait for.

Run it:     python3 examples/hello_select.py 127.0.0.1:5001
Try this:   connect twice with `nc 127.0.0.1 5001` and type in both windows.
"""

import socket
import sys
from select import select

tasks = []  # the queue

to_read, to_write = {}, {}  # socket -> the task that waits for it


def server(address):
    server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server_socket.bind(address)
    server_socket.listen()
    print('Listening on {}:{}'.format(*server_socket.getsockname()))

    while True:
        yield ('read', server_socket)
        client_socket, addr = server_socket.accept()  # ready, so it does not wait
        print('Connection from {}:{}'.format(*addr))
        tasks.append(client(client_socket))


def client(client_socket):
    while True:
        yield ('read', client_socket)
        request = client_socket.recv(4096)

        if not request:
            break

        response = 'Hello world\n'.encode()
        yield ('write', client_socket)
        client_socket.sendall(response)

    client_socket.close()


def event_loop():
    while any([tasks, to_read, to_write]):  # while anything is left to run or to wait for
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
        except StopIteration:
            print('Done')
        except OSError as error:  # this client's trouble, not the loop's
            print('Failed:', error, file=sys.stderr)


host, _, port = (sys.argv[1:] or ['127.0.0.1:5001'])[0].rpartition(':')
sys.stdout.reconfigure(line_buffering=True)
tasks.append(server((host, int(port))))
event_loop()
sys.exit(1)  # a server ends only by failing
