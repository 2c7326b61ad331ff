"""Shows the results in Optuna's dashboard: studies in memory, sample sheets as artifacts."""

from collections.abc import Callable

import optuna

from sweep.results.optuna_studies import SheetStore, fill_studies
from sweep.storage import Storage


class DashboardError(Exception):
    """The dashboard can't be shown; the message is one line."""


def serve(storage: Storage, port: int, tell: Callable[[str], None]) -> None:
    """Show the trials that have ended until now, only on this machine and until Ctrl-C.

    Raises:
        DashboardError: the package is not installed, or the port is taken.
        StorageError: the database can't be read.
    """
    try:
        from optuna_dashboard import run_server
    except ImportError:
        raise DashboardError("the dashboard needs one more package: pip install optuna-dashboard") from None
    studies = optuna.storages.InMemoryStorage()
    with storage.describing():
        fill_studies(storage.results_by_space(), studies, sheets=True, tell=tell)
    tell(f"http://localhost:{port}/ until Ctrl-C; it shows the results of now, start it again for newer ones")
    try:
        run_server(studies, host="localhost", port=port, artifact_store=SheetStore(storage))
    except OSError as error:
        raise DashboardError(f"--port: got {port}, can't be used: {error.strerror}") from None
