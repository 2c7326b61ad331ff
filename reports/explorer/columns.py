"""Columns of a table as lists that JSON can hold."""

from typing import Any

import numpy as np
import pandas as pd

_START = pd.Timestamp("2020-01-01")  # times are whole seconds since then


def numbers(column: pd.Series, digits: int) -> list[float | None]:
    """Numbers rounded to significant digits, whole ones without a fraction; None where there is no finite number."""
    return [_number(value, digits) for value in column.astype(float).tolist()]


def coded(column: pd.Series) -> dict[str, Any]:
    """Each different value once, and the code of each row; -1 stands for no value."""
    codes, values = pd.factorize(column)
    return {"values": [str(value) for value in values], "codes": codes.tolist()}


def seconds(times: pd.Series) -> list[int | None]:
    """Moments as whole seconds since 2020."""
    moments = pd.to_datetime(times, format="ISO8601")
    return [None if pd.isna(moment) else int((moment - _START).total_seconds()) for moment in moments]


def _number(value: float, digits: int) -> float | None:
    if not np.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded
