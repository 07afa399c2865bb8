"""Which requests come from this server's own page, told by their Host and Origin.

A page of another site or port can make a browser send requests here, with this site's cookie; a host name that somebody else owns
can be pointed at this machine (DNS rebinding). Neither can choose both headers freely: Host is the name in the browser's address
bar, Origin the page that asks.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Any

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
UPLOADER = "/_stcore/upload_file"
"""Streamlit's uploader, which no page here uses: it keeps files in this process's memory."""


def why_refused(scope: Mapping[str, Any], address: str | None, hosts: frozenset[str]) -> str | None:
    """Why a connection is not answered, in a sentence; None where it is.

    scope: ASGI's, of an HTTP request or a websocket. address: what the server listens at, None where that is not known. hosts: the
    names of LAB_HOSTS, lower case. Bound to loopback, Host must be a loopback name or one of `hosts`; bound elsewhere any Host
    is taken unless `hosts` names some. An Origin must be the page's own: scheme, host and port. A websocket must have one.
    """
    sent = {name: [value for key, value in scope["headers"] if key == name] for name in (b"host", b"origin")}
    if len(sent[b"host"]) != 1 or len(sent[b"origin"]) > 1:
        return "A request names one host, and one origin at most."
    secure = _SECURE[scope["scheme"]]
    here = _split(sent[b"host"][0].decode("latin-1"), secure)
    if here is None:
        return "The request's Host is no host name."
    if (hosts or is_bound_to_loopback(scope, address)) and not is_loopback(here[0]) and here[0] not in hosts:
        return "This server does not answer to that host name. LAB_HOSTS names those that it answers to."
    if not sent[b"origin"]:
        return "A websocket comes from a page: its Origin is missing." if scope["type"] == "websocket" else None
    scheme, _, place = sent[b"origin"][0].decode("latin-1").partition("://")
    if scheme not in ("http", "https") or _split(place, scheme == "https") is None:
        return "The request did not come from this page."
    if scheme == "https" and not secure and _split(place, secure) == here:
        return "The page came by https and the request by http. LAB_PROXIES names the proxy that may tell the visitor's scheme."
    if (scheme == "https") != secure or _split(place, secure) != here:
        return "The request did not come from this page."
    return None


def with_plain_origin(scope: Mapping[str, Any]) -> dict[str, Any]:
    """The scope of an accepted connection, its Origin written with the very characters of Host.

    Streamlit compares the two as text, and where they differ (a default port, capitals) it asks another host for this
    machine's public address while every visitor waits.
    """
    headers = dict(scope["headers"])
    scheme = b"https" if _SECURE[scope["scheme"]] else b"http"
    own = scheme + b"://" + headers[b"host"]
    return {**scope, "headers": [(key, own if key == b"origin" else value) for key, value in scope["headers"]]}


def read_hosts() -> frozenset[str]:
    """The names in LAB_HOSTS, separated by commas or spaces, lower case, without ports."""
    names = re.split(r"[,\s]+", os.environ.get("LAB_HOSTS", "").lower())
    return frozenset(found[0] for name in names if name and (found := _split(name, False)) is not None)


def is_bound_to_loopback(scope: Mapping[str, Any], address: str | None) -> bool:
    """Whether only this machine reaches the server. Where `address` is not known, by the address that the connection came in at."""
    if address is None:
        server = scope.get("server") or ("",)
        return is_loopback(str(server[0]))
    return is_loopback(address)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own alone: localhost, 127.0.0.0/8, ::1."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_public(host: str) -> bool:
    """Whether an address is reachable from everywhere: neither loopback nor of a private network, nor one that stands for all (0.0.0.0)."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_global


def _split(place: str, secure: bool) -> tuple[str, int] | None:
    """Host and port of 'host[:port]', the scheme's default port where none is written; None where it is neither."""
    found = _HOST.fullmatch(place.lower())
    if found is None or (found[2] and int(found[2]) > 65535):
        return None
    return found[1], int(found[2]) if found[2] else 443 if secure else 80
