"""What a run leaves on disk, and how it is read again."""

from jaxhop.storage._blocks import Blocks as Blocks
from jaxhop.storage._blocks import Written as Written
from jaxhop.storage._blocks import read_blocks as read_blocks
from jaxhop.storage._checkpoints import Checkpoints as Checkpoints
from jaxhop.storage._describe import describe as describe
from jaxhop.storage._describe import rebuild as rebuild
from jaxhop.storage._describe import signature as signature
from jaxhop.storage._directory import Directory as Directory
from jaxhop.storage._directory import open_directory as open_directory
from jaxhop.storage._directory import read_settings as read_settings
from jaxhop.storage._ended import convert_trials as convert_trials
from jaxhop.storage._ended import read_trials as read_trials
from jaxhop.storage._errors import StorageError as StorageError
from jaxhop.storage._errors import StorageFull as StorageFull
from jaxhop.storage._ledger import Ledger as Ledger
from jaxhop.storage._packing import Packing as Packing
from jaxhop.storage._plain import from_plain as from_plain
from jaxhop.storage._plain import to_plain as to_plain
from jaxhop.storage._processes import Process as Process
from jaxhop.storage._processes import read_processes as read_processes
from jaxhop.storage._trial_rows import Past as Past
