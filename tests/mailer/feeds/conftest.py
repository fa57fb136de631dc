"""Peers on loopback: a web server that does as a test says, a forward proxy, a certificate authority."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[[str, dict[str, str], asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """A listener; `heads` are the request heads it got, `connections` how many called at all."""

    port: int = 0
    connections: int = 0
    heads: list[str] = field(default_factory=list)


def _head(status: str = "200 OK", **fields: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *lines, "", ""]).encode()


@asynccontextmanager
async def _web_server(answer: Answer, tls: ssl.SSLContext | None = None) -> Any:
    peer = Peer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            peer.heads.append("\n".join(lines))
            fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            await answer(lines[0].split()[1], fields, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def _forward_proxy(target: int) -> Any:
    """Speaks CONNECT and absolute-form GET (RFC 9112 section 3.2.2); whatever is asked for is at `target`."""
    peer = Peer()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        asked = await reader.readuntil(b"\r\n\r\n")
        peer.heads.append(asked.decode().replace("\r\n", "\n"))
        there, onward = await asyncio.open_connection("127.0.0.1", target)
        if asked.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            onward.write(asked)
        await asyncio.gather(pump(reader, onward), pump(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        await asyncio.sleep(0)


# tests cannot import this file (no packages here), so what they call comes as fixtures
@pytest.fixture
def head() -> Callable[..., bytes]:
    return _head


@pytest.fixture
def web_server() -> Callable[..., Any]:
    return _web_server


@pytest.fixture
def forward_proxy() -> Callable[..., Any]:
    return _forward_proxy


@dataclass(frozen=True)
class Authority:
    bundle: Path  # its certificate
    server: ssl.SSLContext  # for www.musterstadt.example


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Musterstadt CA")])
    now = datetime.now(UTC)

    def builder(subject: x509.Name, public: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    root = builder(issuer, key.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName("www.musterstadt.example")])
    leaf = builder(x509.Name([]), server_key.public_key()).add_extension(names, critical=True)
    (folder / "ca.pem").write_bytes(root.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    chain = leaf.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(chain + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return Authority(folder / "ca.pem", context)
