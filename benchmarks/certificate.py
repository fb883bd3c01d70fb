"""A certificate for loopback, and who trusts it: what TLS to AWS costs a cold start is measured with it."""

import datetime
import ipaddress
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files in PEM: what the server shows (key included), and the system's authorities with this one among them."""

    server: Path
    authorities: Path


def make_certificate(folder: Path) -> Certificate:
    """A certificate of 127.0.0.1, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    signed = _builder(key.public_key()).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = Certificate(server=folder / "server.pem", authorities=folder / "authorities.pem")
    made.server.write_bytes(pem + signed)
    if system := ssl.get_default_verify_paths().cafile:
        shutil.copy(system, made.authorities)
    with made.authorities.open("ab") as authorities:
        authorities.write(signed)
    return made


def _builder(public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    return (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
