"""hello and echo with asyncio, on its own loop or on uvloop's.

Run it:     python3 asyncio_server.py hello|echo [--uvloop]
"""

import argparse
import asyncio
import resource
import sys


class Connection(asyncio.BufferedProtocol):
    """Reads 4096 bytes at a time; otherwise asyncio maps 256 KiB for each read, and unmaps them."""

    buffer = memoryview(bytearray(4096))  # one for all: what is read is used before the next read

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, sizehint):
        return self.buffer


class Hello(Connection):
    def buffer_updated(self, count):
        self.transport.write(b'Hello world\n')


class Echo(Connection):
    def buffer_updated(self, count):
        self.transport.write(bytes(self.buffer[:count]))

    def pause_writing(self):  # the client does not take in what it is sent
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def serve(protocol):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, '127.0.0.1', 0, backlog=4096)
    print('Listening on {}:{}'.format(*server.sockets[0].getsockname()), flush=True)
    await server.serve_forever()


parser = argparse.ArgumentParser()
parser.add_argument('service', choices=['hello', 'echo'])
parser.add_argument('--uvloop', action='store_true')
arguments = parser.parse_args()
new_event_loop = asyncio.new_event_loop
if arguments.uvloop:
    try:
        from uvloop import new_event_loop
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
new_event_loop().run_until_complete(serve(Hello if arguments.service == 'hello' else Echo))
