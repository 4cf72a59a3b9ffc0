"""The training loop: skorch's epochs and callbacks around a step without overhead per batch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback

from precmark.errors import InputError
from precmark.training.batches import SlicedBatches, TensorRows, derived_seed
from precmark.training.devices import seed_generators

# rows scored at once: large enough to fill the processor, small enough for its cache
SCORING_ROWS = 1_024

Step = Callable[[torch.Tensor, torch.Tensor | None, torch.Tensor], torch.Tensor]


class Diverged(InputError):
    """The loss or a weight became infinite or NaN; names the epoch and the batch.

    The weights of the last finished epoch are kept: the classifier predicts with them, and its
    checkpoint holds them.
    """


class StopTraining(Exception):
    """Raised by a callback when the fit is to end before its last epoch."""


class BalancedLoss(torch.nn.Module):
    """Binary cross-entropy where both classes weigh the same in sum: n / (2 n_c) a sequence.

    Parameters
    ----------
    y : torch.Tensor
        float32, (n,): the labels of the training part.
    """

    def __init__(self, y: torch.Tensor):
        super().__init__()
        positives = y.mean()
        self.register_buffer("weight", 0.5 / torch.stack([1 - positives, positives]))

    def forward(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The weighted mean loss of one batch."""
        return torch.nn.functional.binary_cross_entropy_with_logits(
            logits, y, weight=self.weight[y.long()]
        )


class EpochNet(NeuralNet):
    """skorch's net whose epochs run batch by batch without callbacks, records or copies.

    ``history`` gets one row an epoch: ``epoch``, ``train_loss`` (mean over the sequences, as the
    weights stood before each step), ``seconds``, and, with a validation part, ``valid_loss`` and
    ``valid_average_precision``.

    Random draws of an epoch (dropout) start from a seed of the epoch, so that a resumed fit makes
    the same ones.
    """

    step_: Step | None = None
    seed_: int = 0
    weights_: Sequence[torch.nn.Parameter] = ()

    def eager_step(
        self, x: torch.Tensor, mask: torch.Tensor | None, y: torch.Tensor
    ) -> torch.Tensor:
        """One step of the optimiser; the loss before it, detached."""
        loss = self.criterion_(self.module_(x, mask), y)
        # what optimizer.zero_grad() does, without its records for a profiler
        for weight in self.weights_:
            weight.grad = None
        loss.backward()
        self.optimizer_.step()
        return loss.detach()

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params) -> None:
        """One pass over `iterator` (a :class:`SlicedBatches`, or None), recorded in ``history``."""
        if iterator is None:
            return
        if not training:
            self._validate(iterator)
            return
        self.started_ = time.perf_counter()
        iterator.epoch = len(self.history)
        seed_generators(derived_seed(self.seed_, iterator.epoch, 1), iterator.dataset.x.device)
        self.module_.train()
        step = self.step_ or self.eager_step
        losses = torch.stack([step(x, mask, y) for x, mask, y in iterator]).cpu()
        self._refuse_divergence(losses, iterator)
        sizes = torch.full((len(losses),), iterator.batch_size, dtype=torch.float64)
        sizes[-1] = len(iterator.dataset) - iterator.batch_size * (len(losses) - 1)
        self.history.record("train_loss", float((losses.double() * sizes).sum() / sizes.sum()))

    def _refuse_divergence(self, losses: torch.Tensor, iterator: SlicedBatches) -> None:
        """Raise where a loss or a weight is not finite: once an epoch, for it costs a wait."""
        wrong = (~torch.isfinite(losses)).nonzero()
        if len(wrong):
            batch, what = int(wrong[0]) + 1, f"the loss became {float(losses[wrong[0]]):g}"
        elif not all(torch.isfinite(p).all() for p in self.module_.parameters()):
            batch, what = len(losses), "a weight became infinite or NaN"
        else:
            return
        rows = ", ".join(map(str, iterator.rows(batch)[:5].tolist()))
        kept = iterator.epoch - 1
        after = f"The weights of epoch {kept} are kept" if kept else "No epoch was finished"
        raise Diverged(
            f"{what} in epoch {iterator.epoch}, batch {batch} of {len(losses)} (its first "
            f"sequences: index {rows}). {after}. Use a smaller learning_rate, and look "
            "at these sequences for extreme values."
        )

    def _validate(self, iterator: SlicedBatches) -> None:
        """Loss and average precision of the validation part, in one pass."""
        from sklearn.metrics import average_precision_score

        logits = scores(self.module_, iterator)
        y = iterator.dataset.y
        with torch.inference_mode():
            loss = float(self.criterion_(logits, y))
        self.history.record("valid_loss", loss)
        both = 0 < float(y.mean()) < 1
        precision = average_precision_score(y.cpu(), logits.cpu()) if both else float("nan")
        self.history.record("valid_average_precision", float(precision))


def scores(module: torch.nn.Module, batches: SlicedBatches) -> torch.Tensor:
    """The logits of all rows of `batches`, (n,), without gradients."""
    module.eval()
    with torch.inference_mode():
        return torch.cat([module(x, mask) for x, mask, _ in batches])


def weights_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the weights and buffers of `module` in the processor's memory, by name."""
    return {name: w.detach().cpu().clone() for name, w in module.state_dict().items()}


@dataclass
class Trained:
    """What a fit has reached at the end of an epoch.

    Attributes
    ----------
    history : list of dict
        One row an epoch, as in ``SequenceClassifier.history_``.
    last, best : dict of str to torch.Tensor
        The weights after the last epoch, and after the one with the lowest validation loss (the
        last one without a validation part).
    best_epoch : int
        From 1; 0 before the first epoch.
    adam : dict of int to dict of str to torch.Tensor
        The optimiser's state of each parameter.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    last: dict[str, torch.Tensor] = field(default_factory=dict)
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    adam: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)


class KeepWeights(Callback):
    """Fills `trained` at the end of each epoch, hands it to `write`, and ends the fit early.

    Parameters
    ----------
    trained : Trained
    patience : int or None
        Epochs without a lower validation loss after which the fit ends.
    write : callable or None
        Called with `trained`; writes the checkpoint.
    """

    def __init__(
        self,
        trained: Trained,
        patience: int | None = None,
        write: Callable[[Trained], object] | None = None,
    ):
        self.trained = trained
        self.patience = patience
        self.write = write

    def on_epoch_end(self, net, **kwargs) -> None:
        """Copy weights and the optimiser's state; they are finite, or the epoch had raised."""
        row = net.history[-1]
        row["seconds"] = time.perf_counter() - net.started_
        kept = self.trained
        kept.history.append({k: v for k, v in row.items() if k != "batches"})
        kept.last = weights_of(net.module_)
        losses = [r["valid_loss"] for r in kept.history if "valid_loss" in r]
        if not losses or losses[-1] < min(losses[:-1], default=math.inf):
            kept.best, kept.best_epoch = kept.last, row["epoch"]
        kept.adam = optimiser_state(net.optimizer_)
        if self.write is not None:
            self.write(kept)
        if done_waiting(kept, self.patience):
            raise StopTraining


def done_waiting(trained: Trained, patience: int | None) -> bool:
    """Whether `patience` epochs have passed since the best one."""
    return patience is not None and len(trained.history) - trained.best_epoch >= patience


def optimiser_state(optimizer: torch.optim.Optimizer) -> dict[int, dict[str, torch.Tensor]]:
    """A copy of the optimiser's tensors, by the number of the parameter."""
    state = optimizer.state_dict()["state"]
    return {i: {k: t.cpu().clone() for k, t in s.items()} for i, s in state.items()}


def restore(net: EpochNet, trained: Trained) -> None:
    """Put the weights, the optimiser and the history of `trained` into the initialised `net`."""
    net.module_.load_state_dict(trained.last)
    groups = net.optimizer_.state_dict()["param_groups"]
    net.optimizer_.load_state_dict({"state": trained.adam, "param_groups": groups})
    for row in trained.history:
        net.history.new_epoch()
        for name, value in row.items():
            net.history.record(name, value)


def new_net(
    module: torch.nn.Module,
    criterion: torch.nn.Module,
    params: dict,
    device: torch.device,
    validation: TensorRows | None,
    callbacks: list[Callback],
) -> EpochNet:
    """An initialised :class:`EpochNet` for `module` with the settings in `params`."""
    from skorch.helper import predefined_split

    net = EpochNet(
        module,
        criterion,
        optimizer=torch.optim.Adam,
        optimizer__lr=params["learning_rate"],
        optimizer__weight_decay=params["weight_decay"],
        optimizer__fused=device.type in ("cpu", "cuda"),
        optimizer__capturable=device.type == "cuda",
        max_epochs=params["epochs"],
        batch_size=params["batch_size"],
        iterator_train=SlicedBatches,
        iterator_train__seed=params["seed"],
        iterator_valid=SlicedBatches,
        iterator_valid__batch_size=SCORING_ROWS,
        train_split=None if validation is None else predefined_split(validation),
        callbacks=callbacks,
        verbose=0,
        device=device,
    )
    net.set_params(callbacks__epoch_timer=None, callbacks__print_log=None)
    net.set_params(callbacks__train_loss=None, callbacks__valid_loss=None)
    net.seed_ = params["seed"]
    net.initialize()
    net.weights_ = list(net.module_.parameters())
    return net
