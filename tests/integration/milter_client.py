# SPDX-License-Identifier: MIT
"""The mail server's side of the milter protocol (version 6), for tests."""
import socket
import struct

# what a mail server may offer; the filter answers with what it wants
ALL_ACTIONS = 0x1FF
ALL_STEPS = 0x1FFFFF
NR_CONN, NR_HDR, NR_BODY = 0x1000, 0x80, 0x80000
NO_HELO, NO_RCPT, NO_DATA = 0x2, 0x8, 0x200
LEADSPC = 0x100000


class MilterClient:
    """One connection to a milter at unix:/path or inet:host:port."""

    def __init__(self, where, timeout=10):
        kind, _, place = where.partition(':')
        if kind == 'unix':
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(place)
        else:
            host, _, port = place.rpartition(':')
            self.socket = socket.create_connection((host, int(port)), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.steps = self.actions = 0
        self.macro_lists = {}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, command, data=b''):
        self.raw(struct.pack('!I', len(data) + 1) + command + data)

    def _exactly(self, count):
        data = b''
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError('the milter closed the connection')
            data += more
        return data

    def receive(self):
        """One packet: (command, data)."""
        size, = struct.unpack('!I', self._exactly(4))
        packet = self._exactly(size)
        return packet[:1], packet[1:]

    def negotiate(self, actions=ALL_ACTIONS, steps=ALL_STEPS):
        self.send(b'O', struct.pack('!III', 6, actions, steps))
        command, data = self.receive()
        assert command == b'O', (command, data)
        _, self.actions, self.steps = struct.unpack('!III', data[:12])
        rest = data[12:]
        while len(rest) > 4:
            stage, = struct.unpack('!I', rest[:4])
            names, _, rest = rest[4:].partition(b'\0')
            self.macro_lists[stage] = names.decode()
        return self

    def macros(self, stage, **values):
        data = stage
        for name, value in values.items():
            name = name if len(name) == 1 else '{' + name + '}'
            data += name.encode() + b'\0' + value.encode() + b'\0'
        self.send(b'D', data)

    def _answer(self, no_reply):
        return (b'c', b'') if self.steps & no_reply else self.receive()

    def connect(self, address='127.0.0.1'):
        self.macros(b'C', daemon_name='smtpd', client_addr=address)
        family = b'6' if ':' in address else b'4'
        self.send(b'C', b'client.example\0' + family +
                  struct.pack('!H', 4321) + address.encode() + b'\0')
        return self._answer(NR_CONN)

    def mail(self, login=None, sender='<sender@example.org>'):
        if login:
            self.macros(b'M', auth_authen=login)
        self.send(b'M', sender.encode() + b'\0')
        return self.receive()

    def header(self, name, value):
        if not self.steps & LEADSPC and value.startswith(b' '):
            value = value[1:]
        self.send(b'L', name + b'\0' + value + b'\0')
        return self._answer(NR_HDR)

    def end_headers(self):
        self.macros(b'N', i='QUEUEID')
        self.send(b'N')
        return self.receive()

    def body(self, data, packet=65535):
        for start in range(0, len(data), packet):
            self.send(b'B', data[start:start + packet])
            answer = self._answer(NR_BODY)
            if answer[0] != b'c':
                return answer
        return b'c', b''

    def end(self):
        """The changes, and the final answer."""
        self.macros(b'E', i='QUEUEID')
        self.send(b'E')
        changes = []
        while True:
            command, data = self.receive()
            if command in (b'a', b'c', b'r', b't', b'y', b'd'):
                return changes, (command, data)
            changes.append((command, data))

    def message(self, headers, body, login=None, packet=65535):
        """Sends one message (connected before): headers as (name, value) with
        what follows the colon. Returns the answer that ended it, and the
        message as it would be sent on."""
        answer = self.mail(login)
        if answer[0] != b'c':
            return answer, None
        for name, value in headers:
            answer = self.header(name, value.replace(b'\r\n', b'\n'))
            if answer[0] != b'c':
                return answer, None
        answer = self.end_headers()
        if answer[0] != b'c':
            return answer, None
        answer = self.body(body, packet)
        if answer[0] != b'c':
            return answer, None
        changes, answer = self.end()
        return answer, self._apply(headers, body, changes)

    def _apply(self, headers, body, changes):
        # what stands in the index space is our Received header, index 0
        fields = [(b'Received', b' from client by us')] + list(headers)
        for command, data in changes:
            assert command == b'i', command
            index, = struct.unpack('!I', data[:4])
            name, value = data[4:].rstrip(b'\0').split(b'\0', 1)
            if not self.steps & LEADSPC:
                value = b' ' + value
            fields.insert(index, (name, value.replace(b'\n', b'\r\n')))
        return b''.join(n + b':' + v + b'\r\n' for n, v in fields) + \
            b'\r\n' + body
