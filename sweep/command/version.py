"""The installed version of this project."""

from importlib.metadata import PackageNotFoundError, version


def project_version() -> str:
    """The version, such as "0.1.0"; "unknown" if the project is not installed."""
    try:
        return version("ebgan-sweep")
    except PackageNotFoundError:
        return "unknown"
