"""The texts of the page of admins: constants and format strings."""

from __future__ import annotations

TITLE = "Admin"
NOT_ALLOWED = "This page is for the people whom LAB_ADMINS names."
WHAT = "Names and rows of private tables are never shown here. A person is called by a digest: no token is shown either."
REFRESH = "Look again"
HOLDS = "{runs}, {events}, {artifacts} of {artifact_size}, {tables} of {table_size}."
ENGINES, ENGINES_HELP = (
    "Engines",
    "Those that have reported within the last day. Silent: no heartbeat for more than {seconds} s.",
)
ENGINE_COLUMNS = {
    "id": "Engine", "host": "Host", "device": "Device", "slots": "Slots", "busy": "Busy", "memory": "MiB", "state": "State",
    "up": "Up for",
}  # fmt: skip
ALIVE, DRAINING, SILENT, STARTING = "ready", "takes nothing new", "silent for {time}", "starting"
TROUBLE = "Engine on {host}: {why}"
NO_ENGINES = "No engine has reported within the last day."
ENGINE, DRAIN = "Engine to drain", "Drain"
DRAIN_HELP = "It takes nothing new, and stops when what it runs has ended. A page starts its own engine anew."
DRAINED = "Engine {engine} was asked to take nothing new."
JOBS, JOBS_HELP = (
    "Waiting and running",
    "Everybody's, those that run first. Of a private job neither data nor method are named.",
)
JOB_COLUMNS = {
    "id": "Job", "kind": "Kind", "state": "State", "data": "Data", "method": "Method", "person": "Person", "since": "For",
    "engine": "Engine",
}  # fmt: skip
PRIVATE, UNKNOWN = "private", "not recorded"
NO_JOBS = "Nothing waits or runs."
JOB, CANCEL = "Job to cancel", "Cancel"
CANCELLED, NOT_CANCELLED = "Job {job} is cancelled, or asked to stop.", "Job {job} had ended already."
PEOPLE = "People"
PEOPLE_HELP = (
    "Who has a table here, or asked for a job that counts: signed in (oidc, proxy) or a browser. "
    "Jobs of browsers count where a quota of jobs is set."
)
PERSON_COLUMNS = {
    "person": "Person", "tables": "Tables", "size": "Size", "private": "Private jobs", "queued": "Waiting",
    "running": "Running", "seconds": "Engine s, 24 h", "seen": "Seen",
}  # fmt: skip
NO_PEOPLE = "Nobody has a table here."
PERSON, FORGET = "Person to forget", "Forget"
FORGET_SURE = "Forget for good"
FORGET_ASK = (
    "All tables of {person}, everything made from them, and the names and pins they gave are deleted. This cannot be undone."
)
KEEP = "Keep"
FORGOTTEN = "{person} is forgotten: {tables} and {jobs} were deleted."
LOG, LOG_HELP = (
    "Audit log",
    "What admins did, and whose tables were taken along at a sign-in, newest first. No verb of this program deletes from it.",
)
LOG_COLUMNS = {"at": "When (UTC)", "admin": "Who", "act": "Act", "subject": "What", "outcome": "Outcome"}
NO_ACTS = "Nothing is in it yet."
QUOTAS = "Quota of a person: {tables}, {mib}, {queued}, {seconds}."
NO_LIMIT = "any number of {what}"
