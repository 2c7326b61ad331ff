"""The results database: one writer, many readers. The only folder that imports SQLAlchemy."""

from sweep.errors import StorageError
from sweep.storage.engine import DEFAULT_URL, exists
from sweep.storage.leases import LEASE_S, Lease
from sweep.storage.storage import Storage, load_results

__all__ = ["DEFAULT_URL", "LEASE_S", "Lease", "Storage", "StorageError", "exists", "load_results"]
