"""Encrypted archives: trusted with the right CA file, refused in words without it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pynetdicom import AE

from brainseg_desktop.core.errors import UserError
from brainseg_desktop.services.messages import words
from brainseg_desktop.services.pacs.client import check_node
from brainseg_desktop.services.pacs.dimse import VERIFICATION
from brainseg_desktop.services.pacs.nodes import PacsNode
from brainseg_desktop.services.pacs.quiet import quiet

from .orthanc import HERE
from .servers import node, web_server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HERE))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


@pytest.fixture
def archive(context: ssl.SSLContext) -> Iterator[PacsNode]:
    quiet()
    entity = AE(ae_title="ARCHIVE")
    entity.acse_timeout = 1
    entity.add_supported_context(VERIFICATION)
    server = entity.start_server((HERE, 0), block=False, ssl_context=context)
    yield node(server.server_address[1], tls=True)
    entity.shutdown()


def test_an_archive_whose_authority_is_known(archive: PacsNode, certificate: Path) -> None:
    assert check_node(msgspec.structs.replace(archive, ca_file=str(certificate))) > 0


def test_an_archive_that_nobody_vouches_for(archive: PacsNode) -> None:
    with pytest.raises(UserError) as caught:
        check_node(archive)
    assert caught.value.code == "pacs_tls"
    assert "self-signed certificate" in words(caught.value)


def test_a_file_without_certificates(archive: PacsNode, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    with pytest.raises(UserError) as caught:
        check_node(msgspec.structs.replace(archive, ca_file=str(path)))
    assert caught.value.code == "pacs_ca_file"


def test_dicomweb_under_tls(context: ssl.SSLContext, certificate: Path) -> None:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()

    with web_server(reply, context) as archive:
        assert archive.url.startswith("https://")
        with pytest.raises(UserError, match="pacs_tls"):
            check_node(archive)
        # An empty answer is an archive without studies.
        assert check_node(msgspec.structs.replace(archive, ca_file=str(certificate))) > 0
