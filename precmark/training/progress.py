"""How far a fit is: a bar on a terminal, a line now and then elsewhere, or nothing."""

from __future__ import annotations

import sys
import time

from skorch.callbacks import Callback

_SAY_EVERY_S = 10.0


class ShowProgress(Callback):
    """Tells on standard error which epoch is done, with the losses.

    Parameters
    ----------
    epochs : int
        How many there will be at most.
    show : bool or "auto"
        "auto" draws a bar on a terminal and keeps silent in notebooks and pipes; True also
        prints a line every ten seconds where there is no terminal; False never says anything.
    """

    def __init__(self, epochs: int, show: bool | str = "auto"):
        self.epochs = epochs
        self.show = show

    def on_train_begin(self, net, **kwargs) -> None:
        """Start the bar, at the epoch where a resumed fit stands."""
        self.bar_ = None
        self.said_ = time.monotonic()
        if self.show is not False and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self.bar_ = Progress(console=Console(stderr=True), transient=True)
            self.bar_.start()
            self.task_ = self.bar_.add_task("training", total=self.epochs)
            self.bar_.update(self.task_, completed=len(net.history))

    def on_epoch_end(self, net, **kwargs) -> None:
        """Move the bar, or say a line when the last one is ten seconds old."""
        row = net.history[-1]
        text = f"epoch {row['epoch']} of {self.epochs}, loss {row['train_loss']:.4f}"
        if "valid_loss" in row:
            text += f", validation {row['valid_loss']:.4f}"
        if self.bar_ is not None:
            self.bar_.update(self.task_, completed=row["epoch"], description=text)
        elif self.show is True and time.monotonic() - self.said_ >= _SAY_EVERY_S:
            self.said_ = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def on_train_end(self, net, **kwargs) -> None:
        """Take the bar away."""
        if self.bar_ is not None:
            self.bar_.stop()
            self.bar_ = None
