"""The version of this project, as it is installed."""

from importlib.metadata import PackageNotFoundError, version


def project_version() -> str:
    """Such as "0.1.0"; "unknown" where the project runs without being installed."""
    try:
        return version("ebgan-sweep")
    except PackageNotFoundError:
        return "unknown"
