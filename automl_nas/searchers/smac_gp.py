"""SMAC's Gaussian process with its likelihood worked out faster, bit for bit the same.

Imports SMAC at once (two seconds): import this module inside functions only.

A fit evaluates the marginal likelihood of the same points for some hundred kernel parameters, in
eleven runs of L-BFGS. Distances, unequal choices and shared inactive hyperparameters depend on the
points alone; SMAC 2.4.1 works them out in each evaluation, copies the kernel and stacks gradients
three times. `Likelihood` keeps what the points give and writes gradients to one array, with the
operations in SMAC's order, so that every float is the same.

Knows the kernel of SMAC's facade, `constant * (matern * hamming) + white` or one of both; any other
kernel is an error. Inactive hyperparameters count as -1; points with different ones do not
correlate (Levesque et al. 2017, IJCNN).
Source: `smac.model.gaussian_process` 2.4.1; Rasmussen and Williams 2006, chapter 5.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.spatial.distance import pdist, squareform
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import KernelOperator
from smac.model.gaussian_process.gaussian_process import GaussianProcess
from smac.model.gaussian_process.kernels import HammingKernel, MaternKernel
from smac.utils.configspace import get_conditional_hyperparameters


class Process(GaussianProcess):
    """`GaussianProcess` on `Regressor`."""

    def _get_gaussian_process(self) -> GaussianProcessRegressor:
        stock = super()._get_gaussian_process()
        return Regressor(**stock.get_params(deep=False))


class Regressor(GaussianProcessRegressor):  # type: ignore[misc]
    """scikit-learn's regressor, whose likelihood remembers the points it was fitted to."""

    def fit(self, X: Any, y: Any) -> Regressor:  # noqa: N803
        """As scikit-learn's; without optimiser only the factorisation of the kernel matrix."""
        super().fit(X, y)
        self._likelihood: Likelihood | None = None
        return self

    def log_marginal_likelihood(self, theta: Any = None, **how: Any) -> Any:
        """As scikit-learn's; with gradient from `Likelihood`."""
        if theta is None or not how.get("eval_gradient"):
            return super().log_marginal_likelihood(theta, **how)
        if self._likelihood is None:
            self._likelihood = Likelihood(self.kernel_, self.X_train_, self.y_train_)
        return self._likelihood(theta)


class _Part:
    """One factor of the kernel on its own columns, with what does not depend on its parameters."""

    def __init__(self, kernel: Any, points: Any) -> None:
        own = points[:, kernel.operate_on]
        self.count = own.shape[1]
        self.own = own
        self.active = get_conditional_hyperparameters(own) if kernel.has_conditions else None

    def scale(self, theta: Any) -> Any:
        """Length scales, a number where there is one column."""
        return np.exp(theta) if self.count > 1 else np.exp(theta[0])

    def masked(self, values: Any) -> Any:
        return values if self.active is None else values * self.active


class _Matern(_Part):
    """Matern 5/2."""

    def __init__(self, kernel: Any, points: Any) -> None:
        super().__init__(kernel, points)
        self.squares = (self.own[:, np.newaxis, :] - self.own[np.newaxis, :, :]) ** 2

    def __call__(self, theta: Any) -> tuple[Any, Any]:
        scale = self.scale(theta)
        distances = pdist(self.own / scale, metric="euclidean")
        near = distances * math.sqrt(5)
        values = squareform((1.0 + near + near**2 / 3.0) * np.exp(-near))
        np.fill_diagonal(values, 1)
        if self.count > 1:
            parts = self.squares / (scale**2)
        else:
            parts = squareform(distances**2)[:, :, np.newaxis]
        far = np.sqrt(5 * parts.sum(-1))[..., np.newaxis]
        parts *= 5.0 / 3.0
        parts *= far + 1
        parts *= np.exp(-far)
        return self.masked(values), parts


class _Hamming(_Part):
    """Weighted Hamming distance."""

    def __init__(self, kernel: Any, points: Any) -> None:
        super().__init__(kernel, points)
        self.unequal = (np.expand_dims(self.own, axis=1) != self.own).astype(np.float64)

    def __call__(self, theta: Any) -> tuple[Any, Any]:
        scale = self.scale(theta)
        values = self.masked(np.exp((-1 / (2 * scale**2) * self.unequal).sum(axis=2)))
        if self.count > 1:
            gradient = np.expand_dims(values, axis=-1) * self.unequal
        else:
            gradient = np.expand_dims(values * np.sum(self.unequal, axis=2), axis=-1)
        gradient *= 1 / scale**3
        return values, gradient


_PARTS = {MaternKernel: _Matern, HammingKernel: _Hamming}


class Likelihood:
    """Log marginal likelihood of fixed points and its gradient, as a function of theta.

    Args:
        kernel: SMAC's; its structure is read, and how its gradient lies in memory, because the
            order of a sum decides its last bits.
        points: shape (n, dimensions).
        targets: shape (n,).
    """

    def __init__(self, kernel: Any, points: Any, targets: Any) -> None:
        inner = kernel.k1.k2
        leaves = [inner.k1, inner.k2] if isinstance(inner, KernelOperator) else [inner]
        self.parts: list[Any] = [_PARTS[type(leaf)](leaf, points) for leaf in leaves]
        self.targets = targets[:, np.newaxis]
        self.identity = np.eye(len(points))
        self.gradient = np.empty_like(kernel(points, eval_gradient=True)[1])

    def __call__(self, theta: Any) -> tuple[float, Any]:
        """The value and its gradient, shape (parameters,); -inf where there is no factorisation."""
        try:
            factor = cholesky(self._covariance(theta), lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return -np.inf, np.zeros_like(theta)
        solved = cho_solve((factor, True), self.targets, check_finite=False)
        value = -0.5 * np.einsum("ik,ik->k", self.targets, solved)
        value -= np.log(np.diag(factor)).sum()
        value -= len(factor) / 2 * np.log(2 * np.pi)
        inner = np.einsum("ik,jk->ijk", solved, solved)
        inner -= cho_solve((factor, True), self.identity, check_finite=False)[..., np.newaxis]
        gradient = 0.5 * np.einsum("ijl,jik->kl", inner, self.gradient)
        return value.sum(axis=-1), gradient.sum(axis=-1)

    def _covariance(self, theta: Any) -> Any:
        """Kernel matrix, shape (n, n); its gradient goes to `self.gradient`."""
        amplitude, noise = np.exp(theta[0]), np.exp(theta[-1])
        values = self._product(theta[1:-1])
        self.gradient[:, :, 1:-1] *= amplitude
        self.gradient[:, :, 0] = amplitude * values
        white = noise * self.identity
        self.gradient[:, :, -1] = white
        return amplitude * values + white

    def _product(self, theta: Any) -> Any:
        count, into = self.parts[0].count, self.gradient[:, :, 1:-1]
        values, gradient = self.parts[0](theta[:count])
        if len(self.parts) == 1:
            into[...] = gradient
            return values
        others, other_gradient = self.parts[1](theta[count:])
        np.multiply(gradient, others[:, :, np.newaxis], out=into[:, :, :count])
        np.multiply(other_gradient, values[:, :, np.newaxis], out=into[:, :, count:])
        return values * others
