"""The diffusion as the programs beside this one need it: noisy images, the reverse step, the terms of the bound."""
import torch


class Diffusion:
    """N = 1000, the linear schedule; index t counts from 1."""

    def __init__(self):
        beta = torch.cat([torch.zeros(1, dtype=torch.float64), torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)])
        alpha, alphabar = 1 - beta, (1 - beta).cumprod(0)
        before = torch.cat([torch.ones(1, dtype=torch.float64), alphabar[:-1]])
        tilde = beta * (1 - before) / (1 - alphabar).clamp(min=1e-12)
        self.beta, self.alpha, self.alphabar, self.before, self.tilde = (
            v.float() for v in (beta, alpha, alphabar, before, tilde))

    def at(self, t):
        """The five columns at every t, to multiply images by."""
        return (v[t].reshape(-1, 1, 1, 1) for v in (self.beta, self.alpha, self.alphabar, self.before, self.tilde))

    def noisy(self, x0, eps, t):
        abar = self.alphabar[t].reshape(-1, 1, 1, 1)
        return abar.sqrt() * x0 + (1 - abar).sqrt() * eps

    def mean(self, x, x0, t):
        """The posterior's mean of x_{t-1} given x_t and x_0."""
        beta, alpha, abar, before, _ = self.at(t)
        return (before.sqrt() * beta * x0 + alpha.sqrt() * (1 - before) * x) / (1 - abar)

    def x0(self, x, eps, t):
        abar = self.alphabar[t].reshape(-1, 1, 1, 1)
        return ((x - (1 - abar).sqrt() * eps) / abar.sqrt()).clamp(-1, 1)

    def terms(self, x, x0, eps, g, h, t):
        """KL of the posterior from the reverse step with beta, beta~, NPR and SN, [4, n], in nats."""
        beta, _, abar, before, tilde = self.at(t)
        factor = before * beta ** 2 / (1 - abar) ** 2 * (1 - abar) / abar  # of Cov[x_0 | x_t] in units of eps
        square = (self.mean(x, x0, t) - self.mean(x, self.x0(x, eps, t), t)).pow(2)
        npr = tilde + factor * g.clamp(0, 1)
        sn = tilde + factor * (h - eps.pow(2)).clamp(0, 1)
        kl = [0.5 * ((v / tilde).log() + (tilde + square) / v - 1) for v in (beta, tilde, npr, sn)]
        return torch.stack([k.expand_as(x).flatten(1).sum(1) for k in kl])
