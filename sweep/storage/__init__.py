"""The results database: one writer, many readers. SQLAlchemy is at home here."""

from sweep.storage.engine import DEFAULT_URL, exists
from sweep.storage.statements import LEASE_S
from sweep.storage.storage import Lease, Storage, StorageError, load_results

__all__ = ["DEFAULT_URL", "LEASE_S", "Lease", "Storage", "StorageError", "exists", "load_results"]
