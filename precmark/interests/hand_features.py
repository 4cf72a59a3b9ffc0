"""Features of pictures made by hand, the rivals of what a network learns: colours and edges."""

from __future__ import annotations

import numpy as np

COLOUR_LEVELS = 4
EDGE_CELLS, EDGE_DIRECTIONS = 4, 8


def colour_histogram(pixels: np.ndarray) -> np.ndarray:
    """The share of each of 64 colours in each picture.

    Parameters
    ----------
    pixels : array (n, side, side, 3) of uint8

    Returns
    -------
    array (n, 64) of float32
        Four levels of red, green and blue; rows sum to 1.
    """
    level = pixels.reshape(len(pixels), -1, 3).astype(np.int64) * COLOUR_LEVELS // 256
    code = (level[..., 0] * COLOUR_LEVELS + level[..., 1]) * COLOUR_LEVELS + level[..., 2]
    return _histogram(code, np.ones(code.shape), COLOUR_LEVELS**3)


def edge_histogram(pixels: np.ndarray) -> np.ndarray:
    """How strong edges of each direction are in each part of a picture.

    Returns
    -------
    array (n, 128) of float32
        4 x 4 cells by 8 directions (of half a turn), weighted by the slope of lightness; rows sum
        to 1, or to 0 where a picture is of one colour.

    References
    ----------
    Dalal and Triggs 2005, Histograms of oriented gradients for human detection,
    doi 10.1109/CVPR.2005.177 (without their normalisation by block).
    """
    grey = pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    down, right = np.gradient(grey, axis=(1, 2))
    angle = np.arctan2(down, right) % np.pi
    direction = np.minimum((angle / np.pi * EDGE_DIRECTIONS).astype(int), EDGE_DIRECTIONS - 1)
    side = grey.shape[1]
    cell = np.arange(side) * EDGE_CELLS // side
    place = cell[:, None] * EDGE_CELLS + cell[None, :]
    code = place[None] * EDGE_DIRECTIONS + direction
    flat = (len(grey), -1)
    return _histogram(
        code.reshape(flat), np.hypot(down, right).reshape(flat), EDGE_CELLS**2 * EDGE_DIRECTIONS
    )


def _histogram(code: np.ndarray, weight: np.ndarray, width: int) -> np.ndarray:
    """Weights (n, p) added up by code within each row, as shares of the row."""
    n = len(code)
    row = np.arange(n)[:, None] * width
    found = np.bincount((row + code).ravel(), weight.ravel(), minlength=n * width)
    found = found.reshape(n, width)
    total = found.sum(axis=1, keepdims=True)
    return np.divide(found, total, out=np.zeros_like(found), where=total > 0).astype(np.float32)
