"""Online Retail by country and week: aggregates in ``data/reference/``, shown where the log is not.

``python -m precmark.statistics.reference`` writes them anew where ``PRECMARK_DATA`` (or the cache)
holds the publisher's file.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from precmark.errors import InputError
from precmark.runs import Run, write_card
from precmark.statistics.accuracy import Spread, dealt, outlet_accuracy, spread_of
from precmark.statistics.customers import customers_of
from precmark.statistics.logistic import fit_logistic
from precmark.statistics.own_panel import OwnPanel, own_panel
from precmark.statistics.study import PanelStudy, study_own
from precmark.tables import whole_file

PATH = Path(__file__).resolve().parents[2] / "data" / "reference" / "retail_panel.json"
DATA = "online-retail"


@dataclass(frozen=True)
class Retail:
    """What Online Retail says.

    Attributes
    ----------
    title, fingerprint, commit : str
        The data set's title, its fingerprint, the commit that measured.
    words, missing : str
        What the columns measure, and which are not recorded (see :class:`OwnPanel`).
    panel : PanelStudy
    spread : Spread
        Accuracy over outlets to which chance deals the customers.
    c : float
        Of the logistic regression, on the earlier part.
    seed : int
    """

    title: str
    fingerprint: str
    commit: str
    words: str
    missing: str
    panel: PanelStudy
    spread: Spread
    c: float
    seed: int

    @property
    def own(self) -> OwnPanel:
        """The panel's description, without its rows."""
        columns = tuple(c for c in self.panel.coefficients.term.unique() if c != "constant")
        return OwnPanel(pd.DataFrame(), "sales", columns, "countries", self.words, self.missing)


def measured(run: Run, *, seed: int = 0) -> Retail:
    """The panel of `run`, and the accuracy over outlets dealt by chance.

    Raises
    ------
    InputError
        Where the run holds no panel or no customers with an outcome.
    """
    from precmark.stamp import commit

    own, customers = own_panel(run), customers_of(run)
    missing = [found for found in (own, customers) if isinstance(found, str)]
    if missing:
        raise InputError(missing)
    report = fit_logistic(customers.train, "outcome", customers.columns)
    p = report.predict_proba(customers.test)
    accuracy = outlet_accuracy(
        customers.test.outcome, p, dealt(len(p), seed=seed),
        base_rate=customers.train.outcome.mean(),
    )  # fmt: skip
    return Retail(
        run.source.title, run.card["fingerprint"], commit(), own.words, own.missing,
        study_own(own), spread_of(accuracy, seed=seed), report.pairs.c, seed,
    )  # fmt: skip


def measured_from_publisher(*, seed: int = 0) -> Retail:
    """As :func:`measured`, from the publisher's file, through a run in a temporary folder.

    Raises
    ------
    InputError
        Where the file is neither at hand nor to be had.
    """
    from precmark import adapters
    from precmark.contract import ingest
    from precmark.sessions import write_sessions

    data = adapters.load(DATA)
    with tempfile.TemporaryDirectory(prefix="precmark-retail-") as folder:
        found = ingest(folder, data)
        card = {"source": found.source, "fingerprint": found.checked.fingerprint, "parameters": {}}
        write_card(Path(folder), card)
        write_sessions(Run(folder))
        return measured(Run(folder), seed=seed)


def store(found: Retail, path: Path = PATH) -> Path:
    """Write `found` at `path`; no order and no customer is in it."""
    content = asdict(found)
    for name in ("coefficients", "tests"):
        table = getattr(found.panel, name)
        content["panel"][name] = json.loads(table.to_json(orient="records", double_precision=15))
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


def stored(path: Path = PATH) -> Retail:
    """What :func:`store` wrote.

    Raises
    ------
    InputError
        Where nothing has been written.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is missing. Write it with `python -m precmark.statistics.reference` where "
            "PRECMARK_DATA holds Online Retail."
        )
    content = json.loads(path.read_text("utf-8"))
    panel = content["panel"]
    for name in ("coefficients", "tests"):
        panel[name] = pd.DataFrame(panel[name])
    panel["absorbed"] = tuple(panel["absorbed"])
    spread = content["spread"]
    for name in ("chance_least", "chance_most"):
        spread[name] = tuple(spread[name])
    return Retail(**{**content, "panel": PanelStudy(**panel), "spread": Spread(**spread)})


def main() -> None:
    """Measure Online Retail and write its aggregates; errors go to stderr with exit code 2."""
    import sys

    try:
        path = store(measured_from_publisher())
    except InputError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    print(f"{path} written")


if __name__ == "__main__":
    main()
