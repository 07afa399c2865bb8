"""A reverse proxy for tests, on a thread: it ends TLS by a certificate of its own, and says to the server who a visitor is.

It is a model of what `docs/sign-in.md` asks of a proxy: what visitors send under the names of its own headers is dropped. A connection
carries one request, or a websocket, which is passed on byte by byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

WHO = "who"
"""The visitor's cookie that this proxy believes: it stands for a sign-in at the proxy."""


def write_certificate(folder: Path) -> Path:
    """A key and a certificate for localhost that it signs itself, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
    made = made.not_valid_after(now + datetime.timedelta(days=1)).add_extension(hosts, critical=False)
    plain = serialization.NoEncryption()
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextlib.contextmanager
def tls_proxy(folder: Path, server: int, adds: Mapping[str, str], person: str = "") -> Iterator[tuple[int, ssl.SSLContext]]:
    """Its port, and a context that trusts its certificate. server: the port behind it. adds: headers that it sends.

    person: the header in which it sends the value of the visitor's cookie WHO, where they have one.
    """
    certificate = write_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    own = {name.lower() for name in (*adds, person, "connection", "x-forwarded-for")}

    def rewrite(head: bytes) -> bytes:
        first, *lines = head.decode("latin-1").split("\r\n")
        names = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
        cookies = dict(part.strip().partition("=")[::2] for part in names.get("cookie", "").split(";"))
        is_socket = names.get("upgrade", "").lower() == "websocket"
        kept = [line for line in lines if line.partition(":")[0].lower() not in own]
        kept += [f"{name}: {value}" for name, value in adds.items()]
        kept += [f"{person}: {cookies[WHO]}"] if person and WHO in cookies else []
        kept += ["X-Forwarded-For: 203.0.113.9", f"Connection: {'Upgrade' if is_socket else 'close'}"]
        return "\r\n".join([first, *kept, "", ""]).encode("latin-1")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                sink.write(data)
                await sink.drain()

    async def answer(visitor: asyncio.StreamReader, to_visitor: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await visitor.readuntil(b"\r\n\r\n")
            behind, to_behind = await asyncio.open_connection("127.0.0.1", server)
            to_behind.write(rewrite(head.removesuffix(b"\r\n\r\n")))
            up = asyncio.create_task(pump(visitor, to_behind))
            try:
                await pump(behind, to_visitor)
            finally:
                up.cancel()
                to_behind.close()
        to_visitor.close()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    listener = asyncio.run_coroutine_threadsafe(listening, loop).result(10)

    async def stop() -> None:
        listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield int(listener.sockets[0].getsockname()[1]), ssl.create_default_context(cafile=str(certificate))
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
