from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.catalog.payments.vendor import Vendor, running_vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with running_vendor() as running:
        yield running


class KeyPair:
    """An RSA key with both of its parts as PEM."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.private = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        self.public = (
            self.key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )


@pytest.fixture(scope="session")
def our_keys() -> KeyPair:
    return KeyPair()


@pytest.fixture(scope="session")
def vendor_keys() -> KeyPair:
    return KeyPair()


@pytest.fixture(scope="session")
def forger_keys() -> KeyPair:
    return KeyPair()
