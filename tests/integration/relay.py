"""A relay between agents and a collector that breaks connections on demand, and can watch what passes."""

import contextlib
import socket
import threading

RESET_ON_CLOSE = b"\1\0\0\0\0\0\0\0"


class Connection:
    """One agent's connection: `near` is the agent's end, `far` the collector's."""

    def __init__(self, near, far, watcher):
        self.near = near
        self.far = far
        self.watcher = watcher
        self.lock = threading.Lock()
        self.ends = {near, far}
        self.flowing = threading.Event()
        self.flowing.set()
        self.half_open = False

    def close(self, *ends):
        with self.lock:
            closing = self.ends & set(ends)
            self.ends -= closing
        for end in closing:
            with contextlib.suppress(OSError):
                # A reset, not an orderly end: what is on its way is lost.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        return len(closing)

    def closed(self):
        with self.lock:
            return not self.ends


class Relay:
    """Passes connections on to `target_port`. `watch()` gives each connection a watcher with from_agent(data) and
    from_collector(data), called before the bytes are passed on."""

    def __init__(self, target_port, watch=None):
        self.target_port = target_port
        self.watch = watch
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.connections = set()
        self.passed = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            connection = Connection(near, far, self.watch() if self.watch else None)
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self.upwards, args=(connection,), daemon=True).start()
            threading.Thread(target=self.downwards, args=(connection,), daemon=True).start()

    def upwards(self, connection):
        def seen(data):
            self.passed += len(data)
            if connection.watcher:
                connection.watcher.from_agent(data)

        self.copy(connection, connection.near, connection.far, seen)

    def downwards(self, connection):
        def seen(data):
            if connection.watcher:
                connection.watcher.from_collector(data)

        self.copy(connection, connection.far, connection.near, seen)

    def copy(self, connection, source, sink, seen):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                seen(data)
                connection.flowing.wait()
                if connection.half_open:
                    continue  # swallowed
                sink.sendall(data)
        if connection.half_open:
            connection.close(source)
        else:
            connection.close(source, sink)
        if connection.closed():
            with self.lock:
                self.connections.discard(connection)

    def open(self):
        with self.lock:
            return list(self.connections)

    def cut(self, connections=None):
        """Resets them (or all) in the middle of whatever passes; how many sockets that were."""
        ended = 0
        for connection in self.open() if connections is None else connections:
            ended += connection.close(connection.near, connection.far)
            connection.flowing.set()
            with self.lock:
                self.connections.discard(connection)
        return ended

    def stall(self, connections):
        """Nothing passes until let_go()."""
        for connection in connections:
            connection.flowing.clear()

    def let_go(self, connections):
        for connection in connections:
            connection.flowing.set()

    def half_open(self, connection):
        """The collector's end is gone, the agent's stays and hears nothing more."""
        connection.half_open = True
        connection.close(connection.far)

    def close(self):
        self.listener.close()
        self.cut()
