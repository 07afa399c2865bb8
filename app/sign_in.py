"""Who signed in: by OpenID Connect, which Streamlit speaks with the provider, or by a header of a proxy that has done so.

Without LAB_AUTH_* and LAB_PROXY_HEADER nobody can sign in, and nothing is imported for it. Both ways end in one `Person`. `identify` is
the one place that says whose a request is, for scripts and routes alike: it trusts a cookie by its signature and a header by the secret
beside it, and looks at nothing that a browser can write by itself.

What Streamlit keeps private is used here alone: the format of its cookie, and the address that begins a sign-in.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.metadata
import json
import os
import re
import sys
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.origin import is_public
from engine.errors import BadInput
from engine.settings import read_setting, read_text
from engine.text import one_line, quote

NEEDED = ("Authlib", "httpx")
"""Packages of requirements-auth.txt that are imported where somebody signs in."""
HOURS = 12
"""Hours for which a sign-in counts; LAB_SIGNED_IN_HOURS sets another number."""
SKEW = 60.0
"""Seconds that the provider's clock may be ahead of this one."""
LONG = 32
"""Characters of a secret, at least."""
SECRET_HEADER = "x-lab-proxy-secret"
"""The header in which a trusted proxy sends LAB_PROXY_SECRET."""
RETURN_COOKIE = "lab_return"
"""Where one was when one began to sign in."""
RETURN_S = 600
"""Seconds for which that is remembered."""
CALLBACK = "/oauth2callback"
"""Where the provider sends the browser, as Streamlit has it."""
NAMED = 80
"""Characters of a name that are shown."""
_LONGEST = 2000
"""Characters of an address that one is led back to."""
_VARIABLES = (
    "LAB_AUTH_METADATA_URL",
    "LAB_AUTH_CLIENT_ID",
    "LAB_AUTH_CLIENT_SECRET",
    "LAB_AUTH_COOKIE_SECRET",
    "LAB_AUTH_ADDRESS",
)
_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_AWAY = ("/auth/", "/api/", CALLBACK, "/_stcore/")
"""Paths of this server that one is not led back to."""


@dataclass(frozen=True)
class Person:
    """Somebody who signed in. owner: whose their tables are. name: what they see themselves called. sign_in: a digest of this one sign-in;
    issued: when it was made, unix seconds by the provider's clock. Both are None where a proxy says who it is.
    """

    owner: str
    name: str
    sign_in: str | None = None
    issued: float | None = None


@dataclass(frozen=True)
class Provider:
    """Settings of the provider and of this page as its client. address: of this page, as browsers have it."""

    metadata_url: str
    client_id: str
    client_secret: str
    cookie_secret: str
    address: str


@dataclass(frozen=True)
class Proxy:
    """A trusted proxy: the header that names the person, lower case, and the secret that it sends beside it."""

    header: str
    secret: str


# ---- settings


def is_on() -> bool:
    """Whether people can sign in here, in either way."""
    return bool(os.environ.get("LAB_AUTH_METADATA_URL") or os.environ.get("LAB_PROXY_HEADER"))


def read_provider() -> Provider | None:
    """The provider that LAB_AUTH_* name, None where none of them is set. Raises BadInput where they are not whole or not right."""
    given = {name: read_text(name) if name.endswith("_SECRET") else os.environ.get(name, "").strip() for name in _VARIABLES}
    if not any(given.values()):
        return None
    if missing := [name for name, value in given.items() if not value]:
        raise BadInput(f"Sign-in is not whole: set {', '.join(missing)} too (docs/sign-in.md).")
    for name, value in given.items():
        if not (value.isascii() and value.isprintable()):
            raise BadInput(f"{name}: must be one line of plain letters, digits and signs.")
    if len(given["LAB_AUTH_COOKIE_SECRET"]) < LONG:
        raise BadInput(
            f"LAB_AUTH_COOKIE_SECRET: must have {LONG} characters or more. "
            "`python -c 'import secrets; print(secrets.token_hex(32))'` makes one."
        )
    for name in ("LAB_AUTH_METADATA_URL", "LAB_AUTH_ADDRESS"):
        parts = urlsplit(given[name])
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.username is not None:
            raise BadInput(f"{name}={quote(given[name])}: must be an address such as https://lab.example.org.")
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise BadInput(f"{name}={quote(given[name])}: must begin with https, except on this machine itself.")
    if urlsplit(given["LAB_AUTH_ADDRESS"]).path.strip("/"):
        raise BadInput(f"LAB_AUTH_ADDRESS={quote(given['LAB_AUTH_ADDRESS'])}: must end after the host and port.")
    return Provider(*(given[name] for name in _VARIABLES[:4]), given["LAB_AUTH_ADDRESS"].rstrip("/"))


def read_proxy() -> Proxy | None:
    """The trusted proxy, None where there is none. Raises BadInput for a header without a secret, and beside LAB_AUTH_*."""
    header = os.environ.get("LAB_PROXY_HEADER", "").strip()
    if not header:
        return None
    if not _HEADER.fullmatch(header) or header.lower() in (SECRET_HEADER, "cookie", "host", "origin", "referer"):
        raise BadInput(f"LAB_PROXY_HEADER={quote(header)}: must be the name of a header, such as X-Forwarded-User.")
    if len(secret := read_text("LAB_PROXY_SECRET")) < LONG:
        raise BadInput(
            f"LAB_PROXY_HEADER needs LAB_PROXY_SECRET, of {LONG} characters or more, which the proxy sends as X-Lab-Proxy-Secret: "
            "without it everybody could say who they are."
        )
    if not secret.isascii():
        raise BadInput("LAB_PROXY_SECRET: must be of plain letters and digits.")
    if os.environ.get("LAB_AUTH_METADATA_URL"):
        raise BadInput("LAB_PROXY_HEADER and LAB_AUTH_METADATA_URL are two ways to sign in: set one of them.")
    return Proxy(header.lower(), secret)


def check_address(host: str) -> None:
    """Raises BadInput where a trusted proxy's header would count at a public address. host: what the server listens at."""
    if read_proxy() is not None and is_public(host):
        raise BadInput(
            f"LAB_PROXY_HEADER does not count at a public address, and {host} is one: listen at 127.0.0.1, or at a private address "
            "that the proxy reaches."
        )


def check_settings() -> None:
    """Raises BadInput for settings of sign-in that are not whole or not right, or where a package is missing."""
    provider = read_provider()
    read_proxy()
    read_setting("LAB_SIGNED_IN_HOURS", HOURS)
    if provider is not None and (missing := [name for name in NEEDED if not _is_installed(name)]):
        command = f"{Path(sys.executable).name} -m pip install -r requirements-auth.txt"
        raise BadInput(f"Sign-in needs {' and '.join(missing)}: `{command}` installs what is needed.")


def write_secrets(provider: Provider, folder: Path) -> Path:
    """Write Streamlit's secrets file, readable by this user alone, into a folder of its own; returns its path."""
    values = {
        "redirect_uri": provider.address + CALLBACK,
        "cookie_secret": provider.cookie_secret,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "server_metadata_url": provider.metadata_url,
    }
    path = folder / "secrets.toml"
    lines = ["[auth]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]  # a JSON text is a TOML text
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write("\n".join(lines) + "\n")
    return path


# ---- whose a request is


def identify(cookies: Mapping[str, str], headers: Mapping[str, str]) -> Person | None:
    """Who sends a request, by its cookies and headers (names of headers in lower case); None where nobody has signed in, or too long ago.

    Whether the sign-in was ended, the store knows (`engine.store.people`).
    """
    if (proxy := read_proxy()) is not None:
        name = headers.get(proxy.header, "").strip()
        return _name_by_proxy(name) if name and has_secret(proxy, headers.get(SECRET_HEADER, "")) else None
    if not os.environ.get("LAB_AUTH_METADATA_URL"):
        return None
    return read_sign_in(read_claims(cookies), time.time())


def read_sign_in(claims: Mapping[str, Any], now: float) -> Person | None:
    """The person of a verified cookie's claims; None where they name none, or the sign-in is too old. now: unix seconds."""
    issuer, subject, issued = (claims.get(name) for name in ("iss", "sub", "iat"))
    if claims.get("is_logged_in") is not True or not isinstance(issuer, str) or not isinstance(subject, str) or not subject:
        return None
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        return None
    if not now - 3600.0 * read_setting("LAB_SIGNED_IN_HOURS", HOURS) < issued <= now + SKEW:
        return None
    name = next((str(claims[key]) for key in ("name", "email") if claims.get(key)), subject)
    one = _digest(["sign-in", issuer, subject, issued, str(claims.get("nonce", ""))])
    return Person("oidc:" + _digest(["oidc", issuer, subject]), one_line(name, NAMED), one, float(issued))


def read_claims(cookies: Mapping[str, str]) -> dict[str, Any]:
    """The claims in Streamlit's signed cookie, which may be split over several; none where its signature is not this server's.

    Streamlit's own verifier is private, and its names and format may change: `tests/app/test_sign_in.py` signs in and uses it.
    """
    from streamlit.auth_util import get_cookie_with_chunks, get_origin_from_redirect_uri
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

    secret = get_cookie_secret()
    if USER_COOKIE_NAME not in cookies or len(secret) < LONG:
        return {}

    def read_one(name: str) -> bytes | None:
        value = cookies.get(name)
        return None if value is None else decode_signed_value(secret, name, value)

    try:
        claims = json.loads(get_cookie_with_chunks(read_one, USER_COOKIE_NAME) or b"{}")
    except ValueError:
        return {}
    if not isinstance(claims, dict) or claims.get("origin") != get_origin_from_redirect_uri():
        return {}
    return claims


def has_secret(proxy: Proxy, sent: str) -> bool:
    """Whether what a request sent is the proxy's secret."""
    return hmac.compare_digest(sent.encode("utf-8", "replace"), proxy.secret.encode())


def _name_by_proxy(name: str) -> Person:
    return Person("proxy:" + _digest(["proxy", name]), one_line(name, NAMED))


def _digest(words: list[Any]) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


# ---- what the server does with requests and answers (`app.server.Guard`)


def drop_untrusted(scope: MutableMapping[str, Any], proxy: Proxy | None) -> MutableMapping[str, Any]:
    """The ASGI scope without the proxy's header, unless the request names it once and has the secret once, and came in at an address of
    this machine or a private network."""
    if proxy is None:
        return scope
    header = proxy.header.encode()
    sent = [value for key, value in scope["headers"] if key.lower() == SECRET_HEADER.encode()]
    names = [value for key, value in scope["headers"] if key.lower() == header]
    at_public = is_public(str((scope.get("server") or ("",))[0]))
    if not at_public and len(sent) == len(names) == 1 and has_secret(proxy, sent[0].decode("latin-1")):
        return scope
    mine = (header, SECRET_HEADER.encode())
    return {**scope, "headers": [(key, value) for key, value in scope["headers"] if key.lower() not in mine]}


def make_secure(cookie: str) -> str:
    """A Set-Cookie line of Streamlit with Secure, which Streamlit leaves out whatever the scheme is."""
    return cookie if "; secure" in cookie.lower() else f"{cookie}; Secure"


def find_way_back(referer: str, host: str) -> str:
    """Path and query of the page that asks to sign in, '/' where it is none of this server. referer, host: the request's headers."""
    parts = urlsplit(referer)
    place = parts.path + (f"?{parts.query}" if parts.query else "")
    return place if parts.netloc.lower() == host.lower() and is_local(place) else "/"


def is_local(place: str) -> bool:
    """Whether an address is a page of this server: it begins with one slash, and no browser reads it as another host's."""
    plain = place.isascii() and place.isprintable() and "\\" not in place and " " not in place
    return plain and len(place) <= _LONGEST and place[:1] == "/" and place[1:2] != "/" and not place.startswith(_AWAY)


def write_return_cookie(place: str, *, secure: bool) -> str:
    """The Set-Cookie line that remembers where one was, signed, for RETURN_S seconds."""
    signed = _serializer().dumps(place)
    line = f"{RETURN_COOKIE}={signed}; Path={CALLBACK}; Max-Age={RETURN_S}; HttpOnly; SameSite=Lax"
    return line + ("; Secure" if secure else "")


def read_return_cookie(cookies: Mapping[str, str]) -> str:
    """Where one was, '/' where the cookie is missing, too old, or not this server's."""
    from itsdangerous import BadData

    try:
        place = _serializer().loads(cookies.get(RETURN_COOKIE, ""), max_age=RETURN_S)
    except BadData:
        return "/"
    return place if isinstance(place, str) and is_local(place) else "/"


def drop_return_cookie() -> str:
    """The Set-Cookie line that forgets where one was."""
    return f"{RETURN_COOKIE}=; Path={CALLBACK}; Max-Age=0; HttpOnly; SameSite=Lax"


def begin_sign_in() -> str:
    """The address of this server at which Streamlit sends the browser to the provider, as `st.login` has it."""
    from streamlit.auth_util import validate_auth_credentials
    from streamlit.user_info import generate_login_redirect_url

    validate_auth_credentials("default")
    return str(generate_login_redirect_url("default"))


def _serializer() -> Any:
    from itsdangerous import URLSafeTimedSerializer

    return URLSafeTimedSerializer(read_text("LAB_AUTH_COOKIE_SECRET"), salt=RETURN_COOKIE)


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")
