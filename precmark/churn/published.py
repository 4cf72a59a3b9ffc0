"""Published rates checked against one another: what needs no data to be doubted."""

from __future__ import annotations

import pandas as pd

from precmark.claims import claims
from precmark.metrics import confusion_from_rates

_RATES = ("sensitivity", "specificity", "accuracy", "mcc")


def published_rates(paper: str = "liu") -> pd.DataFrame:
    """Each published row of sensitivity, specificity and accuracy with the MCC that follows.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``sensitivity``, ``specificity``, ``accuracy``, ``share of positives`` that the
        three imply, ``printed MCC``, ``implied MCC``, ``agree`` (within what the printed digits
        leave open).

    References
    ----------
    Liu 2022, doi:10.1155/2022/4000171, Table 2.
    """
    found = {key.split(".")[1]: c for key, c in claims(paper).items() if key.startswith("table2.")}
    names = [name.removesuffix("_sensitivity") for name in found if name.endswith("_sensitivity")]
    rows = []
    for name in names:
        printed = {rate: found[f"{name}_{rate}"].value for rate in _RATES}
        implied = confusion_from_rates(
            printed["sensitivity"], printed["specificity"], printed["accuracy"],
            rounding=0.00005,
        )  # fmt: skip
        title = found[f"{name}_sensitivity"].what.split(":")[0]
        rows.append(
            (title, printed["sensitivity"], printed["specificity"], printed["accuracy"],
             implied.prevalence, printed["mcc"], implied.matthews,
             implied.matthews_low <= printed["mcc"] <= implied.matthews_high)
        )  # fmt: skip
    columns = [
        "model", "sensitivity", "specificity", "accuracy", "share of positives", "printed MCC",
        "implied MCC", "agree",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def words_for_flags(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with "yes" and "no" in the place of True and False."""
    flags = table.select_dtypes("bool").columns
    return table.assign(**{name: table[name].map({True: "yes", False: "no"}) for name in flags})
