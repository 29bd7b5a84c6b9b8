"""The demo model in PyTorch: a llama with interleaved rotary pairs."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Shape:
    vocab: int = 4096
    context: int = 2048
    hidden: int = 256
    layers: int = 12
    heads: int = 8
    kv_heads: int = 4
    ffn: int = 768
    rope_base: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self):
        return self.hidden // self.heads


def q8_0(w):
    """Round trip through GGUF's Q8_0: 32 values share a float16 scale."""
    b = w.reshape(-1, 32).float()
    d = b.abs().amax(1, keepdim=True) / 127.0
    inv = torch.where(d > 0, 1.0 / d, torch.zeros_like(d))
    q = torch.round(b * inv)
    return (q * d.half().float()).reshape(w.shape)


def linear(i, o):
    return nn.Linear(i, o, bias=False)


class Block(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        kv = s.kv_heads * s.head_dim
        self.attn_norm = nn.RMSNorm(s.hidden, eps=s.norm_eps)
        self.wq, self.wk, self.wv = linear(s.hidden, s.hidden), linear(s.hidden, kv), linear(s.hidden, kv)
        self.wo = linear(s.hidden, s.hidden)
        self.ffn_norm = nn.RMSNorm(s.hidden, eps=s.norm_eps)
        self.gate, self.up = linear(s.hidden, s.ffn), linear(s.hidden, s.ffn)
        self.down = linear(s.ffn, s.hidden)

    def forward(self, x, cos, sin):
        s, (b, t, _) = self.s, x.shape
        h = self.attn_norm(x)
        q = rotate(self.wq(h).view(b, t, s.heads, s.head_dim).transpose(1, 2), cos, sin)
        k = rotate(self.wk(h).view(b, t, s.kv_heads, s.head_dim).transpose(1, 2), cos, sin)
        v = self.wv(h).view(b, t, s.kv_heads, s.head_dim).transpose(1, 2)
        g = s.heads // s.kv_heads
        k, v = k.repeat_interleave(g, 1), v.repeat_interleave(g, 1)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.wo(a.transpose(1, 2).reshape(b, t, s.hidden))
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def rotate(x, cos, sin):
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype)


class Llama(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        self.embedding = nn.Embedding(s.vocab, s.hidden)
        self.blocks = nn.ModuleList(Block(s) for _ in range(s.layers))
        self.norm = nn.RMSNorm(s.hidden, eps=s.norm_eps)
        f = s.rope_base ** (-torch.arange(0, s.head_dim, 2).double() / s.head_dim)
        angle = torch.arange(s.context).double()[:, None] * f
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)
        for n, p in self.named_parameters():
            if p.dim() == 2:
                std = 0.02 if "embedding" in n else 1 / math.sqrt(p.shape[1])
                nn.init.normal_(p, std=std * (1 / math.sqrt(2 * s.layers) if "wo" in n or "down" in n else 1))

    def forward(self, ids):
        t = ids.shape[1]
        x = self.embedding(ids)
        for b in self.blocks:
            x = b(x, self.cos[:t], self.sin[:t])
        return F.linear(self.norm(x), self.embedding.weight)

    def snap(self):
        """Puts the weights on the Q8_0 grid, so that the file is exact."""
        with torch.no_grad():
            for p in self.parameters():
                if p.dim() == 2:
                    p.copy_(q8_0(p))


class Muon:
    """Muon for matrices (Jordan et al., 2024; scaled as in Liu et al., 2025):
    the momentum, made orthogonal by five Newton-Schulz steps. Matrices of one
    shape go together in one batch."""

    def __init__(self, parameters, weight_decay=0.1, momentum=0.95):
        self.weight_decay, self.momentum = weight_decay, momentum
        shapes = {}
        for p in parameters:
            shapes.setdefault(tuple(p.shape), []).append(p)
        self.groups = [(ps, torch.zeros(len(ps), *shape, device=ps[0].device)) for shape, ps in shapes.items()]

    @torch.no_grad()
    def step(self, lr):
        for ps, m in self.groups:
            g = torch.stack([p.grad for p in ps])
            m.lerp_(g, 1 - self.momentum)
            u = orthogonal(g.lerp(m, self.momentum)).float()
            torch._foreach_mul_(ps, 1 - lr * self.weight_decay)
            torch._foreach_add_(ps, list((u * (-lr * 0.2 * max(u.shape[1:]) ** 0.5)).unbind()))
            for p in ps:
                p.grad = None


def orthogonal(x):
    tall = x.shape[1] > x.shape[2]
    x = x.bfloat16()
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.mT if tall else x
