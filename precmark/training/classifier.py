"""One estimator for all networks: scikit-learn's verbs, the paper's settings, safe files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

from precmark.errors import InputError
from precmark.networks import NETWORKS
from precmark.networks.scoring import logits
from precmark.training.batches import SlicedBatches, TensorRows
from precmark.training.checkpoints import (
    Checkpoint,
    plain,
    read_checkpoint,
    refuse_network,
    refuse_other,
    write_checkpoint,
)
from precmark.training.checks import (
    Arrays,
    checked_arrays,
    fingerprint,
    input_problems,
)
from precmark.training.devices import choose_device, own_random_state, torch_threads
from precmark.training.loop import (
    SCORING_ROWS,
    BalancedLoss,
    EpochNet,
    KeepWeights,
    StopTraining,
    Trained,
    done_waiting,
    new_net,
    restore,
    scores,
)
from precmark.training.progress import ShowProgress
from precmark.training.scaling import ChannelScaler, channel_text

Weights = Literal["best", "last"]

HISTORY = ("epoch", "train_loss", "valid_loss", "valid_average_precision", "seconds")


class SequenceClassifier(ClassifierMixin, BaseEstimator):
    """The probability of y = 1 from sequences of steps, by a network trained with Adam.

    The defaults are the paper's settings: Adam, 0.001, 30 epochs, batches of 32, binary
    cross-entropy. Channels are standardised on the real steps of the training part.

    Parameters
    ----------
    network : str or type
        A name of ``precmark.networks.NETWORKS``, or a ``torch.nn.Module`` class that is called
        with channels and steps and whose ``forward(x, mask)`` gives logits (n,).
    network_parameters : dict, optional
        Keyword arguments of the network.
    learning_rate : float
        In (0, 1).
    epochs : int
        >= 1.
    batch_size : int
        >= 1; the last batch of an epoch is shorter where the sequences do not divide.
    weight_decay : float
        >= 0; Adam's L2 penalty.
    early_stopping : int, optional
        Ends the fit after so many epochs without a lower validation loss; needs validation.
    class_weight : {None, "balanced"}
        "balanced" weighs each sequence by n / (2 n_c) of its class c. Its probabilities are
        those of a population with as many of either class: calibrate them before use.
    keep : {"best", "last"}
        Weights that ``predict_proba`` takes: of the epoch with the lowest validation loss, or of
        the last one. Without validation both are the last.
    seed : int
        Of the first weights, the order of the batches and dropout. Same seed and data, same
        numbers to the bit on one processor with the same `threads`.
    device : str
        "auto" (CUDA where present, else the processor), "cpu", "cuda", "cuda:1", "mps".
    threads : int
        Of PyTorch on the processor, while fitting and scoring. At batch 32 more than one costs
        more than it saves.
    progress : {"auto", True, False}
        "auto": a bar on a terminal, silence elsewhere. True: also a line every ten seconds.
    checkpoint : path, optional
        Written at the end of each epoch, whole or not at all.
    channels : sequence of str, optional
        Names of the F channels, for messages.

    Attributes
    ----------
    classes_ : numpy.ndarray
        0 and 1.
    history_ : pandas.DataFrame
        One row an epoch: ``epoch`` (from 1), ``train_loss`` (mean over the sequences, before each
        step), ``valid_loss`` (weighted as the training part is) and ``valid_average_precision``
        (both nan without validation), ``seconds``.
    best_epoch_ : int
        Epoch of the lowest validation loss; the last one without validation.
    scaler_ : ChannelScaler
    n_channels_, n_steps_ : int
        F and T.
    notes_ : tuple of str
        What a reader should know: channels that are constant.

    References
    ----------
    Gu, doi 10.65102/is20261254, section 5.2 (the settings); Kingma & Ba, Adam, 2015,
    arXiv 1412.6980.
    """

    def __init__(
        self,
        network: str | type = "c-att-lstm",
        *,
        network_parameters: dict[str, Any] | None = None,
        learning_rate: float = 1e-3,
        epochs: int = 30,
        batch_size: int = 32,
        weight_decay: float = 0.0,
        early_stopping: int | None = None,
        class_weight: str | None = None,
        keep: Weights = "best",
        seed: int = 0,
        device: str = "auto",
        threads: int = 1,
        progress: bool | str = "auto",
        checkpoint: Path | str | None = None,
        channels: Sequence[str] | None = None,
    ):
        self.network = network
        self.network_parameters = network_parameters
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.class_weight = class_weight
        self.keep = keep
        self.seed = seed
        self.device = device
        self.threads = threads
        self.progress = progress
        self.checkpoint = checkpoint
        self.channels = channels

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        *,
        validation: Arrays | None = None,
        resume: bool = False,
    ) -> SequenceClassifier:
        """Train on sequences `X`, (n, F, T) with NaN for what is missing, and labels `y`, (n,).

        Keeps two scaled float32 copies of `X` in memory, one of them for at most 256 batches.

        Parameters
        ----------
        X, y : numpy.ndarray
            Steps begin at the left; a step that did not happen is NaN in all channels. `y` is 0
            or 1.
        validation : tuple of numpy.ndarray, optional
            Sequences and labels that are scored once an epoch, never trained on.
        resume : bool
            Go on from ``checkpoint`` and end where an uninterrupted fit ends, to the bit.

        Raises
        ------
        InputError
            With every problem of the parameters and the data: one class only, fewer sequences
            than a batch, shapes, infinite values, a channel without a value, an unknown network or
            device; when `resume` finds a checkpoint of other parameters or data.
        Diverged
            When the loss or a weight becomes infinite or NaN; the weights of the last finished
            epoch are kept.
        """
        X, y, valid = checked_arrays(X, y, validation, self.get_params())
        device = choose_device(self.device)
        data = fingerprint(X, y, *(valid or ()))
        trained = self._earlier(X.shape[1:], data) if resume else Trained()
        self._set_up(ChannelScaler.fit(X, self.channels), X.shape[1:], data)
        rows = self.scaler_.transform(X, y)
        held_out = None if valid is None else self.scaler_.transform(*valid)
        with torch_threads(self.threads), own_random_state(self.seed, device):
            self._train(rows, held_out, trained, device)
        return self

    def _set_up(self, scaler: ChannelScaler, shape: tuple[int, int], data: str) -> None:
        self.scaler_, self._data = scaler, data
        self.n_channels_, self.n_steps_ = shape
        self.classes_ = np.array([0, 1])
        self._modules: dict[str, torch.nn.Module] = {}
        self.notes_ = tuple(
            f"{channel_text(j, self.channels)} has the same value in all training sequences; it "
            "carries nothing."
            for j in scaler.constant
        )

    def _train(
        self, rows: TensorRows, held_out: TensorRows | None, trained: Trained, device: torch.device
    ) -> None:
        """Run the epochs that `trained` still lacks; what is reached stands in ``trained_``."""
        module = self._new_module()
        balanced = self.class_weight == "balanced"
        criterion = BalancedLoss(rows.y) if balanced else torch.nn.BCEWithLogitsLoss()
        write = None if self.checkpoint is None else lambda _: self.save(self.checkpoint)
        callbacks = [
            ("progress", ShowProgress(self.epochs, self.progress)),
            ("keep", KeepWeights(trained, self.early_stopping, write)),
        ]
        rows, held_out = rows.to(device), held_out and held_out.to(device)
        net = new_net(module, criterion, self.get_params(), device, held_out, callbacks)
        self.trained_ = trained
        if trained.history:
            restore(net, trained)
        left = self.epochs - len(trained.history)
        if left <= 0 or done_waiting(trained, self.early_stopping):
            return
        if device.type == "cuda" and len(rows) >= self.batch_size:
            from precmark.training.cuda import captured_step

            net.step_ = captured_step(net, rows)
        self._run(net, rows, left)

    def _run(self, net: EpochNet, rows: TensorRows, epochs: int) -> None:
        net.notify("on_train_begin", X=rows)
        try:
            with contextlib.suppress(StopTraining):
                net.fit_loop(rows, epochs=epochs)
        finally:
            net.notify("on_train_end", X=rows)

    def _earlier(self, shape: tuple[int, int], data: str) -> Trained:
        """What the checkpoint of an interrupted fit has reached."""
        if self.checkpoint is None:
            raise InputError("resume=True needs to know from where. Give checkpoint=PATH.")
        found = read_checkpoint(self.checkpoint)
        refuse_other(found, plain(self.get_params()), shape, data, self.checkpoint)
        return found.trained

    def _new_module(self) -> torch.nn.Module:
        parameters = self.network_parameters or {}
        if not isinstance(self.network, str):
            return self.network(self.n_channels_, self.n_steps_, **parameters)
        from precmark.networks import build

        return build(self.network, channels=self.n_channels_, steps=self.n_steps_, **parameters)

    def _fitted(self) -> Trained:
        trained = getattr(self, "trained_", None)
        if trained is None or not trained.last:
            raise InputError("this SequenceClassifier is not fitted. Call fit(X, y) first.")
        return trained

    def predict_proba(self, X: np.ndarray, epoch: Weights | None = None) -> np.ndarray:
        """Probabilities of the sequences `X`, (n, 2): column 1 is P(y = 1).

        Parameters
        ----------
        X : numpy.ndarray
            (n, F, T), as in :meth:`fit`; none is fine.
        epoch : {"best", "last"}, optional
            Which weights; None takes ``keep``.

        Raises
        ------
        InputError
            When this is not fitted, or `X` has another shape or infinite values.
        """
        logit = self.decision_function(X, epoch=epoch)
        # the logistic function of -logit and logit, exact at both ends
        return np.exp(-np.logaddexp(0, np.column_stack([logit, -logit])))

    def decision_function(self, X: np.ndarray, epoch: Weights | None = None) -> np.ndarray:
        """The logits of the sequences `X`, float64, (n,): log odds of y = 1."""
        module = self.module(epoch)
        X = np.asarray(X)
        problems = input_problems(X, shape=(self.n_channels_, self.n_steps_))
        if problems:
            raise InputError(problems)
        parts = [np.empty(0)]
        block = SCORING_ROWS * 64
        # A network of another's making may count on all T steps: only ours are scored in chunks
        # that leave empty steps out.
        own = isinstance(module, tuple(NETWORKS.values()))
        with torch_threads(self.threads):
            for start in range(0, len(X), block):
                rows = self.tensors(X[start : start + block])
                if own:
                    found = logits(module, rows.x, rows.mask, threads=self.threads)
                else:
                    found = scores(module, SlicedBatches(rows, SCORING_ROWS)).cpu().numpy()
                parts.append(found.astype(np.float64))
        return np.concatenate(parts)

    def predict(self, X: np.ndarray, epoch: Weights | None = None) -> np.ndarray:
        """0 or 1 for each of the sequences `X`: 1 where P(y = 1) is above one half."""
        return self.classes_[(self.decision_function(X, epoch=epoch) > 0).astype(int)]

    def module(self, epoch: Weights | None = None) -> torch.nn.Module:
        """The trained network, in evaluation mode, on this classifier's device.

        Parameters
        ----------
        epoch : {"best", "last"}, optional
            Which weights; None takes ``keep``.
        """
        trained = self._fitted()
        epoch = epoch or self.keep
        if epoch not in ("best", "last"):
            raise InputError(f'epoch is {epoch!r}. Give "best" or "last".')
        if epoch not in self._modules:
            device = choose_device(self.device)
            with own_random_state(self.seed, device):
                module = self._new_module()
            module.load_state_dict(getattr(trained, epoch))
            self._modules[epoch] = module.to(device).eval()
        return self._modules[epoch]

    def tensors(self, X: np.ndarray) -> TensorRows:
        """`X` as the network takes it: ``x`` scaled and zero-filled, ``mask``, on the device."""
        return self.scaler_.transform(np.asarray(X)).to(choose_device(self.device))

    @property
    def history_(self) -> pd.DataFrame:
        """One row an epoch; see the class."""
        frame = pd.DataFrame(self._fitted().history, columns=list(HISTORY))
        return frame.astype(dict.fromkeys(HISTORY[1:], float))

    @property
    def best_epoch_(self) -> int:
        """Epoch of the lowest validation loss; the last one without validation."""
        return self._fitted().best_epoch

    def save(self, path: Path | str) -> Path:
        """Write the fitted classifier to `path` as a checkpoint, whole or not at all."""
        return write_checkpoint(
            Checkpoint(
                trained=self._fitted(),
                params=plain(self.get_params()),
                shape=(self.n_channels_, self.n_steps_),
                fingerprint=self._data,
                scaler=self.scaler_,
            ),
            path,
        )

    @classmethod
    def load(
        cls, path: Path | str, *, network: type | None = None, device: str = "auto"
    ) -> SequenceClassifier:
        """Read back what :meth:`save` or a fit's checkpoint wrote; nothing in it is executed.

        Parameters
        ----------
        path : path
        network : type, optional
            The class of a network that has no name in ``precmark.networks``.
        device : str
            Where the loaded classifier scores.

        Raises
        ------
        InputError
            When the file is missing, cut off, changed, no checkpoint, or of another architecture.
        """
        found = read_checkpoint(path)
        refuse_network(found, network, path)
        try:
            classifier = cls(**found.params | {"device": device})
            classifier.network = network or classifier.network
            classifier._set_up(found.scaler, found.shape, found.fingerprint)
            classifier.trained_ = found.trained
            classifier.module("best"), classifier.module("last")
        except (RuntimeError, TypeError) as error:
            raise InputError(
                f"{path} holds the weights of another architecture than {found.params['network']} "
                f"is now: {error}. Load it with the version that wrote it, or fit again."
            ) from error
        return classifier
