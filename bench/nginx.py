"""nginx, started with servers of one's own; a certificate for it that nobody else knows."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from pathlib import Path

from bench.baselines.setup import find_program
from bench.harness import Process
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct
from tests.free_port import free_port

PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

CONFIGURATION = """
{user}daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
    {paths}
    {directives}
}}
"""

ADDRESS = "127.0.0.1"


class Certificate(Struct, frozen=True):
    """Files of a self-signed certificate for 127.0.0.1, and its key."""

    certificate: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ADDRESS)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = Certificate(folder / "certificate.pem", folder / "key.pem")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


class Nginx(Process):
    """One worker process. `directives` are of the http block; they listen on `ports`."""

    def __init__(self, folder: Path, directives: str, ports: list[int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        paths = " ".join(f"{name}_temp_path {folder}/{name};" for name in PATHS)
        user = "user root; " if os.geteuid() == 0 else ""
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(user=user, folder=folder, paths=paths, directives=directives))
        super().__init__((find_program("nginx") or "nginx", "-c", str(configuration)), folder / "nginx")
        self._ports = ports

    def _wait_until_ready(self) -> None:
        for port in self._ports:
            self.wait_for_port(port)


def answering(folder: Path) -> tuple[Nginx, str]:
    """An nginx that answers 200 by itself, and its URL."""
    port = free_port()
    return Nginx(folder, f'server {{ listen {ADDRESS}:{port}; location / {{ return 200 "ok"; }} }}', [port]), url(port)


def before(upstream: str, certificate: Certificate, folder: Path) -> tuple[Nginx, str, str]:
    """An nginx before a destination; the URL by which it is reached in the clear, and that over TLS."""
    plain, tls = free_port(), free_port()
    address = upstream.removeprefix("http://")
    directives = f"""
    upstream destination {{ server {address}; keepalive 512; keepalive_requests 100000000; }}
    server {{
        listen {ADDRESS}:{plain};
        listen {ADDRESS}:{tls} ssl;
        ssl_certificate {certificate.certificate}; ssl_certificate_key {certificate.key};
        location / {{
            proxy_pass http://destination; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
    }}"""
    return Nginx(folder, directives, [plain, tls]), url(plain), f"https://{ADDRESS}:{tls}"


def url(port: int) -> str:
    return f"http://{ADDRESS}:{port}"
