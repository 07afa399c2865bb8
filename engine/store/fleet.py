"""Several engines on one store: what each can run, what none can, and asking one to end."""

from __future__ import annotations

import sqlalchemy as sa

from engine.store.abilities import Abilities, Taker
from engine.store.database import Part, repeat_on_conflict
from engine.store.engines import EngineInfo, read_info
from engine.store.jobs import visible_to
from engine.store.schema import ENGINES, JOBS

NOBODY = "No engine that lives can run this: {why}."


class Fleet(Part):
    """Engines as they see each other."""

    @repeat_on_conflict
    def publish_abilities(self, engine_id: str, abilities: Abilities) -> None:
        """Store what an engine can run, in the row that its heartbeat made."""
        with self.database.writing() as connection:
            connection.execute(ENGINES.update().where(ENGINES.c.id == engine_id).values(abilities=abilities.to_json()))

    @repeat_on_conflict
    def drain(self, engine_id: str) -> bool:
        """Ask an engine to take nothing new, and to stop when what it runs has ended. False where there is none of that id."""
        row = ENGINES.update().where(ENGINES.c.id == engine_id)
        with self.database.writing() as connection:
            asked = sa.func.coalesce(ENGINES.c.drain, self.database.clock)
            return connection.execute(row.values(drain=asked)).rowcount == 1

    def is_drained(self, engine_id: str) -> bool:
        """Whether somebody asked an engine to end (`drain`)."""
        with self.database.reading() as connection:
            return connection.execute(sa.select(ENGINES.c.drain).where(ENGINES.c.id == engine_id)).scalar() is not None

    def list_takers(self) -> list[Taker]:
        """The engines that live and take jobs."""
        return [Taker(info.id, info.slots, able) for info, able, takes in self._list_living() if takes]

    def explain_waiting(self, id: str, owner: str | None = None) -> str:
        """Why no engine that lives can run a queued job, a sentence; '' where one can, none lives, or the job is not queued.

        An engine that is alone with a store of one machine takes every job of its version, and the run says why it fails.
        """
        columns = (JOBS.c[n] for n in ("kind", "device", "fingerprint", "upload", "numerics", "dataset", "method"))
        query = sa.select(*columns).where(JOBS.c.id == id, JOBS.c.state == "queued", visible_to(owner))
        with self.database.reading() as connection:
            job = connection.execute(query).first()
            if job is None:
                return ""
        living = self._list_living()
        alone = len(living) == 1 and self.database.on_this_machine
        why: dict[str, None] = {}
        for info, able, takes in living:
            lack = (able.without_lists() if alone else able).name_lack(job) if takes else "takes nothing new"
            if not lack:
                return ""
            why[f"{info.host} {lack}"] = None
        return NOBODY.format(why="; ".join(why)) if why else ""

    def _list_living(self) -> list[tuple[EngineInfo, Abilities, bool]]:
        """Each engine that lives, what it can run, and whether it takes jobs."""
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(ENGINES)).all()
            now = self.database.read_clock(connection)
        return [
            (info, Abilities.from_json(row.abilities) or Abilities(info.numerics), row.drain is None and not info.draining)
            for row in rows
            if (info := read_info(row)).alive(now, self.database.silence)
        ]
