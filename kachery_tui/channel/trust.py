"""Whose certificates are believed: one answer for the bucket and for pub-sub."""

import os
import ssl
from typing import Final

from kachery_tui.errors import UsageError

CA_VARIABLES: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that may name a file with the certificates of one's own authority. OpenSSL itself reads the last."""

_kept: dict[tuple[str, ...], ssl.SSLContext] = {}


def tls_context() -> ssl.SSLContext:
    """What to check a server's certificate with: the system's authorities, and those that the environment names.

    They are added, not put in the place of the others: the bucket may be the lab's own, and pub-sub the world's.
    Reads files, once for each state of the environment. Raises UsageError for a file that is of no use.
    """
    named = tuple(os.environ.get(variable, "") for variable in (*CA_VARIABLES, "SSL_CERT_DIR"))
    context = _kept.get(named)
    if context is None:
        context = ssl.create_default_context()
        # OpenSSL takes the variable's file in the place of the system's own.
        system = ssl.get_default_verify_paths().openssl_cafile
        if os.path.isfile(system):  # noqa: PTH113 -- as below
            context.load_verify_locations(cafile=system)
        for variable, path in zip(CA_VARIABLES, named, strict=False):
            if path:
                _add(context, variable, path)
        _kept.clear()
        _kept[named] = context
    return context


def _add(context: ssl.SSLContext, variable: str, path: str) -> None:
    try:
        if os.path.isdir(path):  # noqa: PTH112 -- a pathlib.Path raises for some texts that are no paths
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        reason = "it holds no certificates" if isinstance(error, ssl.SSLError) else str(error)
        raise UsageError(
            f"cannot read the certificates that {variable} names: {path}",
            reason,
            f"Name a file of certificates (PEM) in {variable}, or unset it",
        ) from error
