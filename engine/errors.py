"""Every error the engine raises on purpose. The message is one sentence for a person: what, where, and what would be right.

LabError
├── BadInput (ValueError)        a person asked for something that cannot be; the terminal exits 2
│   ├── UnknownName (KeyError)   no dataset, method, parameter or run of this name
│   ├── BadParameter             a value outside its field's range
│   ├── QuotaReached             a person has or asked for as much as one may
│   └── BadData                  a file that cannot be read, or rows too few to split
│       ├── TooLarge             more bytes than are taken
│       ├── TooSlow              a file that took too long to arrive
│       └── WrongType            a file whose name is no table's
├── NotAllowed                   who asks may not do this
├── DataMissing (OSError)        a dataset that is not on this machine; says how to get it
├── StoreError                   the database cannot be used as asked
│   ├── BadStore (BadInput)      a URL that names no file that can be a store
│   ├── StoreFull                its disk has no room
│   ├── StoreLocked              another program holds it
│   └── StoreReplaced            its file was deleted or replaced while it was open
└── RunFailed (RuntimeError)     a run ended without a result
    ├── OutOfMemory (MemoryError)
    ├── TimedOut (TimeoutError)
    └── WorkerDied
"""


class LabError(Exception):
    """Root of the tree. `str(error)` is a sentence that can be shown to a person as it stands."""

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return str(self.args[0]) if self.args else type(self).__name__


class BadInput(LabError, ValueError):
    """A person asked for something that cannot be."""


class UnknownName(BadInput, KeyError):
    """No dataset, method, parameter or run of this name."""


class BadParameter(BadInput):
    """A value outside its field's range, or of another type."""


class QuotaReached(BadInput):
    """A person has or asked for as much as one person may."""


class BadData(BadInput):
    """A file that cannot be read, or a table with too few rows to split."""


class TooLarge(BadData):
    """A file of more bytes than are taken."""


class TooSlow(BadData):
    """A file that took too long to arrive."""


class WrongType(BadData):
    """A file whose name is no table's."""


class NotAllowed(LabError):
    """Who asks may not do this."""


class DataMissing(LabError, OSError):
    """A dataset that is not on this machine; the message says how to get it."""


class StoreError(LabError):
    """The database cannot be used as asked."""


class BadStore(StoreError, BadInput):
    """A URL that names no file that can be a store."""


class StoreFull(StoreError):
    """The database's disk has no room."""


class StoreLocked(StoreError):
    """Another program holds the database for longer than a statement waits."""


class StoreReplaced(StoreError):
    """The database's file was deleted or replaced while it was open. The next call works on the file that is there now."""


class ClusterLost(LabError):
    """The cluster that ran jobs is gone as a whole, and only a new process can connect to it again."""


class RunFailed(LabError, RuntimeError):
    """A run ended without a result."""


class OutOfMemory(RunFailed, MemoryError):
    """The device's memory was not enough, also for half a chunk."""


class TimedOut(RunFailed, TimeoutError):
    """A run took longer than its limit."""


class WorkerDied(RunFailed):
    """The worker process ended before the run did."""
