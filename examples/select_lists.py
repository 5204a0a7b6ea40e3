"""The three lists of select: ready to read, ready to write, and the exceptional condition.

Run it:     python3 examples/select_lists.py
Try this:   leave the urgent byte unread, and see the third list come back.
"""

import socket
from select import select


def show(what, ends):
    """Asks about both ends in all three lists and names those that are ready."""
    ready = select(ends, ends, ends, 0)
    rlist, wlist, xlist = (', '.join(ends[sock] for sock in some) for some in ready)
    print(f'{what}: read [{rlist}], write [{wlist}], except [{xlist}]')


listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
ends = {client: 'client', server: 'server'}

show('connected', ends)  # both have room to write, nobody has anything to read

client.sendall(b'data')
select([server], [], [])  # rlist: something is to be read
show('data sent', ends)
print('the server reads', server.recv(16).decode())

client.send(b'!', socket.MSG_OOB)
select([], [], [server])  # xlist: what it means is up to the system; for TCP, an urgent byte
show('urgent byte sent', ends)
print('the server reads', server.recv(1, socket.MSG_OOB).decode(), 'out of band')

client.close()
select([server], [], [])  # the end of the stream is something to read
show('client closed', {server: 'server'})
print('the server reads', len(server.recv(16)), 'bytes')
