"""A server on loopback whose connections follow a script, byte for byte; and what TLS needs."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Script = Callable[[socket.socket], None]
"""What a server does with one connection; afterwards the connection is closed."""
BODY = b"<the end>"
"""The body of every request, by which a script knows that the request is complete."""


@contextmanager
def scripted(*scripts: Script) -> Iterator[str]:
    """The address of a server that gives each connection to the next script; there is none after the last."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, scripts), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with suppress(OSError):  # the scripts may be over
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _serve(listener: socket.socket, scripts: Sequence[Script]) -> None:
    for script in scripts:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):  # the client may be gone
            connection.settimeout(5)
            script(connection)
    listener.close()


def answers(*pieces: bytes, pause: float = 0.0) -> Script:
    """Answer one request after the other with one piece each, and close `pause` seconds after the last."""

    def script(connection: socket.socket) -> None:
        for piece in pieces:
            _read_request(connection)
            connection.sendall(piece)
        time.sleep(pause)

    return script


def drips(begin: bytes, drop: bytes, pause: float, count: int) -> Script:
    """Answer one request with `begin`, and then with `drop`, `count` times, every `pause` seconds."""

    def script(connection: socket.socket) -> None:
        _read_request(connection)
        connection.sendall(begin)
        for _ in range(count):
            time.sleep(pause)
            connection.sendall(drop)

    return script


def then_resets(script: Script) -> Script:
    """Do as that script does; but the connection is reset, not closed."""

    def resetting(connection: socket.socket) -> None:
        script(connection)
        time.sleep(0.05)  # what was sent arrives first
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return resetting


def _read_request(connection: socket.socket) -> None:
    received = b""
    while not received.endswith(BODY):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("the client hung up")
        received += piece


def make_certificate(directory: Path) -> Path:
    """A file with the certificate of 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    signed = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = directory / "certificate.pem"
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
    return file


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
