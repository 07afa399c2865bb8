"""The texts about who has signed in: constants and format strings."""

from __future__ import annotations

SIGN_IN = "Sign in"
SIGN_IN_HELP = "Your tables, names and pins are then yours on every browser."
SIGNED_IN = "Signed in as **{name}**."
YOURS = (
    "Tables, private runs, names and pins belong to you on every browser where you sign in. What this browser had before "
    "stays apart, and is there again after you sign out. Its tables are forgotten {minutes} minutes after it was last seen."
)
LEFT = "This browser sent {tables} before you signed in. Taken along, {these} and what was made from {them} belong to you."
TAKE_ALONG = "Take along"
TAKEN = "{tables} and {jobs} belong to you on every browser where you sign in."
CODE = "Your code here, for LAB_ADMINS:"
SIGN_OUT, SIGN_OUT_HELP = "Sign out", "Ends this sign-in. Its cookie counts nowhere any more."
EVERYWHERE = "Sign out everywhere"
EVERYWHERE_HELP = "Ends all your sign-ins on every browser. To sign in again, wait a second or two."
BY_PROXY = "The proxy of this server says who you are; sign out there."

# ---- quotas

KEPT_HERE = "Kept for you: {parts}."
TABLES_USED, MIB_USED = "{used} of {most} tables", "{used} of {most} MiB"
ASKED_HERE = "Yours: {parts}."
QUEUED_USED, SECONDS_USED = "{used} of {most} jobs that may wait", "{used} of {most} s of the engines in 24 hours"
