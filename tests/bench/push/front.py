"""A front-end that follows signals over graphql-transport-ws: as much of RFC 6455 as one client needs, and no library."""
import base64
import json
import os
import socket
import struct
import time


class Follower:
    """Has said who it is, and hears of signals from now on."""

    def __init__(self, host, token, patience=120):
        address, port = host.split(":")
        self.stream = socket.create_connection((address, int(port)), timeout=patience)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall(
            f"GET /graphql/ws HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n"
            f"sec-websocket-protocol: graphql-transport-ws\r\n\r\n".encode()
        )
        self.file = self.stream.makefile("rb")
        status = self.file.readline()
        if b" 101 " not in status:
            raise RuntimeError(status)
        while self.file.readline() not in (b"\r\n", b""):
            pass
        self.say({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        assert self.hear()["type"] == "connection_ack"
        query = "subscription { signals { cursor change { kind } } }"
        self.say({"id": "1", "type": "subscribe", "payload": {"query": query}})

    def say(self, message):
        self.send(1, json.dumps(message).encode())

    def send(self, kind, payload):
        mask = os.urandom(4)
        length = len(payload)
        head = struct.pack("!BB", 0x80 | kind, 0x80 | length) if length < 126 else struct.pack("!BBH", 0x80 | kind, 0xFE, length)
        self.stream.sendall(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)))

    def frame(self):
        """The next frame: what kind, and what it holds."""
        first, second = self.file.read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.file.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.file.read(8))
        return first & 0x0F, self.file.read(length)

    def hear(self):
        """The next message of the protocol."""
        while True:
            kind, payload = self.frame()
            if kind == 9:
                self.send(10, payload)
            elif kind == 8:
                raise RuntimeError(f"closed: {payload!r}")
            elif kind == 1:
                message = json.loads(payload)
                if message["type"] == "ping":
                    self.say({"type": "pong"})
                else:
                    return message

    def follow(self, events):
        """Notes when each event of a signal arrives; where the stream stands comes first, as none."""
        while True:
            message = self.hear()
            arrived = time.monotonic()
            change = message["payload"]["data"]["signals"]["change"]
            events.put((arrived, change and change["kind"]))
