"""A certificate authority of the lab's own, made with the openssl command: the controller's certificate and one for
each NCP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.lab.commands import run


@dataclass(frozen=True, slots=True)
class Certificate:
    certificate: Path
    key: Path


class Authority:
    """Elliptic-curve keys: making an RSA key would be the slowest step of a small lab."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        _openssl(
            "req",
            "-x509",
            *_new_key(self._key),
            "-out",
            str(self.certificate),
            "-days",
            "30",
            "-subj",
            "/CN=lab authority",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        )

    def issue(self, name: str, *alternatives: str, days: int = 30) -> Certificate:
        """For ``name`` (common name and DNS name) and further ``DNS:`` or ``IP:`` alternatives; for both ends of a
        connection. It has been expired for a while where ``days`` is negative. Issued again it replaces the files."""
        made = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        extensions.write_text(
            "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n"
            f"subjectAltName={','.join((f'DNS:{name}', *alternatives))}\n"
        )
        _openssl("req", *_new_key(made.key), "-out", str(request), "-subj", f"/CN={name}")
        _openssl(
            "x509",
            "-req",
            "-in",
            str(request),
            "-CA",
            str(self.certificate),
            "-CAkey",
            str(self._key),
            "-CAcreateserial",
            "-out",
            str(made.certificate),
            "-days",
            str(days),
            "-extfile",
            str(extensions),
        )
        return made


def _new_key(path: Path) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]


def _openssl(*words: str) -> None:
    run(["openssl", *words])
