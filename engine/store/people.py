"""People who sign in: what they are called here, and which of their sign-ins no longer count.

An owner is a browser's token, 43 characters of base64url, or a person's: a kind, a colon and 64 hexadecimal digits, which no token can
be. `app/sign_in.py` makes it.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from engine.errors import NotAllowed
from engine.settings import read_list
from engine.store.database import Part, repeat_on_conflict
from engine.store.schema import SIGNED_OUT

KEPT = 32 * 24 * 3600.0
"""Seconds for which a signed-out sign-in is kept: longer than Streamlit's cookie counts (31 days)."""
_BROWSER = "browser"


class People(Part):
    """Sign-ins that have ended before their cookie does."""

    @repeat_on_conflict
    def sign_out(self, owner: str, sign_in: str) -> None:
        """End one sign-in: its cookie counts nowhere any more. sign_in: its digest."""
        self._end_sign_in(owner, sign_in)

    @repeat_on_conflict
    def sign_out_everywhere(self, owner: str, issued: float) -> None:
        """End all sign-ins of a person until now. issued: when the present one was made, by the provider's clock, which may be ahead."""
        self._end_sign_in(owner, "", issued)

    def is_signed_out(self, owner: str, sign_in: str, issued: float) -> bool:
        """Whether a sign-in was ended: itself, or all that were issued until then. issued has whole seconds: the same second counts."""
        row = SIGNED_OUT.c
        ended = sa.or_(row.sign_in == sign_in, sa.and_(row.sign_in == "", row.at >= issued))
        with self.database.reading() as connection:
            return connection.execute(sa.select(row.owner).where(row.owner == owner, ended).limit(1)).first() is not None

    def _end_sign_in(self, owner: str, sign_in: str, at_least: float = 0.0) -> None:
        with self.database.writing() as connection:
            now = self.database.read_clock(connection)
            connection.execute(SIGNED_OUT.delete().where(SIGNED_OUT.c.at < now - KEPT))
            self.database.upsert(connection, SIGNED_OUT, {"owner": owner, "sign_in": sign_in, "at": max(now, at_least)})


def is_person(owner: str) -> bool:
    """Whether an owner is somebody who signed in, and no browser's token."""
    return ":" in owner


def name_person(owner: str) -> str:
    """What an owner is called where others see it: the kind and 16 digits of a digest. A browser's token is a secret: who has it has
    the tables."""
    kind = owner.partition(":")[0] if is_person(owner) else _BROWSER
    return f"{kind}-{hashlib.sha256(owner.encode()).hexdigest()[:16]}"


def is_admin(owner: str | None) -> bool:
    """Whether LAB_ADMINS names this person. A browser's token never is one."""
    return owner is not None and is_person(owner) and owner in read_list("LAB_ADMINS")


def require_admin(owner: str | None) -> str:
    """The admin. Raises NotAllowed for everybody else."""
    if owner is None or not is_admin(owner):
        raise NotAllowed("This is for the people whom LAB_ADMINS names.")
    return owner
