"""An echo server whose registrations carry the function to call.

Run it:     python3 examples/echo_selectors.py 127.0.0.1:8008
Try this:   connect twice with `nc 127.0.0.1 8008` and type in both windows.
"""

import selectors
import socket
import sys
from functools import partial

sel = selectors.DefaultSelector()


def accept(sock, mask):
    conn, addr = sock.accept()  # ready to read, so it does not wait
    print('Accepted {}:{}'.format(*addr))
    conn.setblocking(False)
    sel.register(conn, selectors.EVENT_READ, read)


def read(conn, mask):
    data = conn.recv(1000)
    if data:
        print('Echoing', len(data), 'bytes')
        write(data, conn, mask)
    else:
        print('Closing')
        sel.unregister(conn)
        conn.close()


def write(data, conn, mask):
    """Sends what fits; the rest waits until there is room."""
    try:
        rest = data[conn.send(data):]
    except BlockingIOError:
        rest = data
    if rest:
        sel.modify(conn, selectors.EVENT_WRITE, partial(write, rest))
    else:
        sel.modify(conn, selectors.EVENT_READ, read)


host, _, port = (sys.argv[1:] or ['127.0.0.1:8008'])[0].rpartition(':')
sys.stdout.reconfigure(line_buffering=True)
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    sock.bind((host, int(port)))
except OSError as error:
    sys.exit('Failed: {}'.format(error))
sock.listen()
sock.setblocking(False)
sel.register(sock, selectors.EVENT_READ, accept)
print('Listening on {}:{}'.format(*sock.getsockname()))

while True:
    events = sel.select()
    for key, mask in events:
        callback = key.data
        try:
            callback(key.fileobj, mask)
        except OSError as error:  # this connection's trouble, not the loop's
            print('Failed:', error, file=sys.stderr)
            if key.fileobj is not sock:
                sel.unregister(key.fileobj)
                key.fileobj.close()
