"""The three techniques of Li's section 4 on the same words, each alone and all in a row.

Every network takes word numbers (n, T), 0 where there is no word, and gives logits (n, intents).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from precmark.dialogue.text import PAD
from precmark.errors import InputError, Problem
from precmark.networks.layers import StepAttention, at_last, keep_of, real_steps
from precmark.networks.transformer import Block, sinusoids

WIDTH = 48
"""Numbers a word is described by, in every network."""


class _Reader(nn.Module):
    """What the networks share: word vectors, dropout, and the layer from features to intents."""

    def __init__(self, words: int, intents: int, features: int, *, dropout: float):
        super().__init__()
        self.embed = nn.Embedding(words, WIDTH, padding_idx=PAD)
        nn.init.normal_(self.embed.weight, std=0.3)
        with torch.no_grad():
            self.embed.weight[PAD] = 0
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(features, intents)

    def features(self, words: Tensor) -> Tensor:
        """What is known of each utterance, (n, features)."""
        raise NotImplementedError

    def forward(self, words: Tensor) -> Tensor:
        """Logits (n, intents)."""
        return self.out(self.dropout(self.features(words)))


def windows(h: Tensor, width: int, *, before: int) -> Tensor:
    """Each word with its neighbours, (n, T, `width` C), from (n, T, C); zeros beyond both ends.

    Put together from whole slices: the gradient of ``unfold`` takes several times as long.
    """
    wide = F.pad(h, (0, 0, before, width - 1 - before))
    return torch.cat([wide[:, i : i + h.shape[1]] for i in range(width)], 2)


class TextCnn(_Reader):
    """Convolutions over 2, 3 and 4 neighbouring words; each filter's largest answer counts.

    Parameters
    ----------
    words, intents : int
        Size of the vocabulary and number of classes.
    filters : int
        Of each width.
    dropout : float
        Share of features left out at a training step.

    References
    ----------
    Kim 2014, doi 10.3115/v1/D14-1181; Li, section 4.1.
    """

    WIDTHS = (2, 3, 4)

    def __init__(self, words: int, intents: int, *, filters: int = 32, dropout: float = 0.4):
        super().__init__(words, intents, filters * len(self.WIDTHS), dropout=dropout)
        self.convolutions = nn.ModuleList(nn.Linear(WIDTH * k, filters) for k in self.WIDTHS)

    def features(self, words: Tensor) -> Tensor:
        """The largest answer of each filter over the places where it reads at least a word."""
        h = self.dropout(self.embed(words))
        real = words != PAD
        found = []
        for width, convolution in zip(self.WIDTHS, self.convolutions, strict=True):
            # a border of empty words, so that the shortest utterance fills the widest filter
            answers = F.relu(convolution(windows(h, width, before=width - 1)))
            found.append(answers.masked_fill(~real.unsqueeze(2), 0).amax(1))
        return torch.cat(found, 1)


class TextGru(_Reader):
    """Two gated recurrences, one a direction; their states at the two ends are the features.

    Parameters
    ----------
    words, intents : int
    hidden : int
        State of one direction.
    dropout : float

    References
    ----------
    Cho et al. 2014, doi 10.3115/v1/D14-1179; Li, section 4.2.
    """

    def __init__(self, words: int, intents: int, *, hidden: int = 48, dropout: float = 0.4):
        super().__init__(words, intents, 2 * hidden, dropout=dropout)
        self.ahead = nn.GRU(WIDTH, hidden)
        self.back = nn.GRU(WIDTH, hidden)

    def features(self, words: Tensor) -> Tensor:
        """State after the last word, and after the first when read backwards."""
        h = self.dropout(self.embed(words)).transpose(0, 1)
        keep = keep_of(h, words != PAD)
        length = real_steps(keep).long()
        at = torch.arange(len(h), device=h.device).view(-1, 1, 1)
        turned = h.gather(0, (length - 1 - at).clamp_min(0).expand_as(h))
        ends = [at_last(self.ahead(h)[0], keep), at_last(self.back(turned)[0], keep)]
        return torch.cat(ends, 1)


class TextAttention(_Reader):
    """A block of self-attention over word vectors with places, then a weighted sum of words.

    Parameters
    ----------
    words, intents : int
    heads : int
    dropout : float

    References
    ----------
    Vaswani et al. 2017, arXiv 1706.03762 (the block, :class:`precmark.networks.transformer.Block`);
    Bahdanau et al. 2015, arXiv 1409.0473 (the weighted sum); Li, section 4.3.
    """

    def __init__(self, words: int, intents: int, *, heads: int = 4, dropout: float = 0.4):
        super().__init__(words, intents, WIDTH, dropout=dropout)
        self.block = Block(WIDTH, heads, 2 * WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.pool = StepAttention(WIDTH)

    def states(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of the words after the block (T, n, width), and which are real (T, n, 1)."""
        real = words != PAD
        h = self.embed(words)
        h = self.dropout(h + 0.3 * sinusoids(words.shape[1], WIDTH).to(h))
        bias = h.new_zeros(real.shape).masked_fill(~real, torch.finfo(h.dtype).min)
        h = self.norm(self.block(h, bias[:, None, None, :])).transpose(0, 1)
        return h, keep_of(h, real)

    def features(self, words: Tensor) -> Tensor:
        """The sum of the words' vectors by their weights."""
        return self.pool(*self.states(words))


class TextTogether(_Reader):
    """Convolution, then recurrence, then attention: the three techniques in one network.

    Parameters
    ----------
    words, intents : int
    hidden : int
        Filters of the convolution (over 3 words), and state of the recurrence.
    dropout : float

    References
    ----------
    Li, end of section 4.3, which names the combination and draws no layers.
    """

    def __init__(self, words: int, intents: int, *, hidden: int = 48, dropout: float = 0.4):
        super().__init__(words, intents, hidden, dropout=dropout)
        self.convolution = nn.Linear(3 * WIDTH, WIDTH)
        self.recurrence = nn.GRU(WIDTH, hidden, batch_first=True)
        self.pool = StepAttention(hidden)

    def states(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """States after each word (T, n, hidden), and which words are real (T, n, 1)."""
        h = self.dropout(self.embed(words))
        near = F.relu(self.convolution(windows(h, 3, before=1)))
        h = (h + near).transpose(0, 1)
        return self.recurrence(h)[0], keep_of(h, words != PAD)

    def features(self, words: Tensor) -> Tensor:
        """The sum of the states by their weights."""
        return self.pool(*self.states(words))


NETWORKS: dict[str, type[nn.Module]] = {
    "cnn": TextCnn,
    "gru": TextGru,
    "attention": TextAttention,
    "together": TextTogether,
}
"""The networks by name."""


def build(name: str, words: int, intents: int, **parameters: object) -> nn.Module:
    """The network `name` with fresh weights from PyTorch's current seed.

    Raises
    ------
    InputError
        When there is no such network.
    """
    if name not in NETWORKS:
        fix = f"Choose one of {', '.join(NETWORKS)}."
        raise InputError(Problem(f"network: there is no {name!r}", fix))
    return NETWORKS[name](words, intents, **parameters)
