# SPDX-License-Identifier: GPL-3.0-or-later
"""kmidi's networks as PyTorch modules.

What `kmidi export RUN --format safetensors -o weights.safetensors` writes loads one to one, and
what they compute is what kmidi computes (tests/peers/python_check.py holds the two against each
other). Needs PyTorch alone; `load` needs safetensors, too.

    from kmidi_models import load
    network = load("weights.safetensors")  # the metadata says which network, and of which sizes
    logits = network(tokens, emotion)

Every network is built with `build(NAME, **sizes)`; SIZES shows those of the transformer. Shapes
below: B items, T frames or events.

The emotion vector [B, 64] that most of them hear: element 0 is valence and element 1 arousal, both
from -1 to 1, element 2 intensity from 0 to 1, the rest zero (or the embedding of the emotion
recogniser, whose elements 0 and 1 are valence and arousal as well). `emotion` makes one, by name or
by numbers.
"""

import torch
from torch import nn
from torch.nn import functional

EMOTIONS = {"grief": (-0.8, -0.6), "joy": (0.9, 0.8), "calm": (0.3, 0.2), "anger": (-0.7, 0.9)}
SIZES = dict(layers=8, dim=384, heads=6, ffn=1792, cross=(0, 2, 4, 6), emotion_tokens=8, qk_norm=0)
EVENTS = 388  # 128 notes on, 128 notes off, 100 time shifts of 10 ms, 32 velocities: docs/tokens.md


def emotion(name="joy", valence=None, arousal=None, intensity=None):
    """An emotion vector [1, 64]: of a name in EMOTIONS, or of numbers. More names are in the
    metadata of ONNX files (emotion_vector)."""
    if valence is None or arousal is None:
        valence, arousal = EMOTIONS[name]
    if intensity is None:
        intensity = ((valence**2 + arousal**2) / 2) ** 0.5
    vector = torch.zeros(1, 64)
    vector[0, :3] = torch.tensor([valence, arousal, intensity])
    return vector


class Stack(nn.Module):
    """Three linear layers with ReLU between them: [B, a] -> [B, d]."""

    def __init__(self, a, b, c, d):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(a, b), nn.Linear(b, c), nn.Linear(c, d)

    def forward(self, x):
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


class HarmonyPredictor(Stack):
    """[B, 128], an emotion and the bar's 64 pitch-class and beat features -> logits of 64 chords:
    root x 5 + (maj, min, dim, aug, dom7), 60 is none."""

    def __init__(self):
        super().__init__(128, 256, 128, 64)


class GroovePredictor(Stack):
    """An emotion [B, 64] -> 32 timing features: swing, displacement, velocity variance, note
    density, humanization ..."""

    def __init__(self):
        super().__init__(64, 128, 64, 32)


class DynamicsEngine(Stack):
    """32 statistics of a performance [B, 32] -> its mean velocity in sixteen equal spans."""

    def __init__(self):
        super().__init__(32, 128, 64, 16)


class EmotionRecognizer(nn.Module):
    """Standardised log-mel frames [B, T, 128] -> embedding [B, 64] in (-1, 1); elements 0 and 1 are
    valence and arousal."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(128, 512), nn.Linear(512, 256)
        self.lstm = nn.LSTM(256, 128, batch_first=True)
        self.fc3 = nn.Linear(128, 64)

    def forward(self, mel):
        hidden, _ = self.lstm(torch.relu(self.fc2(torch.relu(self.fc1(mel)))))
        return torch.tanh(self.fc3(hidden[:, -1]))


def note_code(note, width=64):
    """Sines and cosines of a note number at falling frequencies [.., width]; zeros for -1, where
    there is no note yet."""
    steps = torch.arange(width // 2, dtype=torch.float32, device=note.device)
    turns = note.clamp(min=0)[..., None] * torch.exp(
        steps * (-2 * torch.log(torch.tensor(10000.0)) / width)
    )
    return torch.cat([torch.sin(turns), torch.cos(turns)], -1) * (note >= 0)[..., None]


class MelodyTransformer(nn.Module):
    """Emotion [B, 64] and, at each step, the note before [B, T] (-1 at the first) -> logits of the
    note [B, T, 128]. The recurrence is an LSTM."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 256)
        self.lstm = nn.LSTM(256, 256, batch_first=True)
        self.fc2, self.fc3 = nn.Linear(256, 256), nn.Linear(256, 128)

    def forward(self, emotion, prev_note):
        hidden, _ = self.lstm(torch.relu(self.fc1(note_code(prev_note) + emotion[:, None])))
        return self.fc3(torch.relu(self.fc2(hidden)))


def turned(x):
    """Rotary positions: pairs (i, i + d / 2) of each head [B, heads, T, d] turned by position x
    10000^(-2 i / d)."""
    time, width = x.shape[-2:]
    speed = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float32, device=x.device) / width)
    angle = torch.arange(time, dtype=torch.float32, device=x.device)[:, None] * speed
    cos, sin, (a, b) = torch.cos(angle), torch.sin(angle), x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Attention(nn.Module):
    """Of events over those before (`around` None), or over the vectors of the emotion. With
    `normed`, each head's queries and keys go through a layer norm first."""

    def __init__(self, dim, heads, normed=False):
        super().__init__()
        self.heads = heads
        self.normed = normed
        for name in "q", "k", "v", "out":
            setattr(self, name + "_proj", nn.Linear(dim, dim))
            if normed and name in "qk":
                setattr(self, name + "_norm", nn.LayerNorm(dim // heads))

    def forward(self, x, around=None):
        looked_at = x if around is None else around
        q, k, v = (
            y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for y in (self.q_proj(x), self.k_proj(looked_at), self.v_proj(looked_at))
        )
        if self.normed:
            q, k = self.q_norm(q), self.k_norm(k)
        if around is None:
            q, k = turned(q), turned(k)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=around is None)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Norm before each part: attention, in some layers over the emotion too, and a gated
    feed-forward part."""

    def __init__(self, dim, heads, ffn, crosses, qk_norm):
        super().__init__()
        self.self_attn_norm = nn.LayerNorm(dim)
        self.self_attn = Attention(dim, heads, bool(qk_norm))
        if crosses:
            self.cross_attn_norm, self.cross_attn = nn.LayerNorm(dim), Attention(dim, heads)
        self.crosses, self.ffn_norm = crosses, nn.LayerNorm(dim)
        self.gate_proj, self.up_proj = nn.Linear(dim, ffn, bias=False), nn.Linear(
            dim, ffn, bias=False
        )
        self.down_proj = nn.Linear(ffn, dim, bias=False)

    def forward(self, x, vectors):
        x = x + self.self_attn(self.self_attn_norm(x))
        if self.crosses:
            x = x + self.cross_attn(self.cross_attn_norm(x), vectors)
        y = self.ffn_norm(x)
        return x + self.down_proj(functional.silu(self.gate_proj(y)) * self.up_proj(y))


class EmotionMidiTransformer(nn.Module):
    """Events [B, T] and an emotion [B, 64] -> logits of the next event [B, T, 388]. The head is the
    embedding."""

    def __init__(
        self,
        layers=8,
        dim=384,
        heads=6,
        ffn=1792,
        cross=(0, 2, 4, 6),
        emotion_tokens=8,
        qk_norm=0,
    ):
        super().__init__()
        self.embed = nn.Embedding(EVENTS, dim)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.emotion_fc1, self.emotion_fc2 = nn.Linear(64, dim), nn.Linear(
            dim, emotion_tokens * dim
        )
        self.layers = nn.ModuleList(
            Layer(dim, heads, ffn, i in cross, qk_norm) for i in range(layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens, emotion):
        x = self.embed(tokens)
        vectors = self.emotion_fc2(functional.gelu(self.emotion_fc1(emotion))).unflatten(
            -1, (-1, x.shape[-1])
        )
        for layer in self.layers:
            x = layer(x, vectors)
        return functional.linear(self.norm(x), self.embed.weight)


class Block(nn.Module):
    """A convolution, a batch norm, ReLU."""

    def __init__(self, taken, given, window, step):
        super().__init__()
        self.conv = nn.Conv2d(taken, given, window, step, padding=window // 2)
        self.norm = nn.BatchNorm2d(given)

    def forward(self, x):
        return functional.relu(self.norm(self.conv(x)))


def blocks(width, window, step):
    """Four, each of twice the channels of the one before; of one channel."""
    c = [width << i for i in range(4)]
    first = Block(1, width, window, step)
    return nn.ModuleList([first] + [Block(a, b, 3, 2) for a, b in zip(c, c[1:])])


class Questions(nn.Module):
    """80 numbers, several softmaxes side by side (docs/targets.md)."""

    def __init__(self, activation, dropped):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(512, 256), nn.Linear(256, 128), nn.Linear(128, 80)
        self.activation, self.drop = activation, nn.Dropout(dropped)

    def forward(self, x):
        x = self.drop(self.activation(self.fc1(x)))
        return self.fc3(self.activation(self.fc2(x)))


class InstrumentRecognizer(nn.Module):
    """Log-mel [B, 1, bands, frames] of a note -> [B, 160]: how it is played, what it expresses."""

    def __init__(self, bands=128, frames=128, width=64):
        super().__init__()
        self.blocks = blocks(width, 7, 2)
        self.fc = nn.Linear(8 * width, 512)
        self.technical = Questions(functional.relu, 0.3)
        self.emotional = Questions(functional.gelu, 0.25)

    def forward(self, mel):
        for block in self.blocks:
            mel = block(mel)
        x = functional.relu(self.fc(mel.mean((2, 3))))
        return torch.cat([self.technical(x), self.emotional(x)], -1)


class EmotionNodeClassifier(nn.Module):
    """Log-mel [B, 1, bands, frames] -> [B, 258]: 6 base emotions, 36 of theirs, 216 nodes."""

    def __init__(self, bands=128, frames=128, width=64):
        super().__init__()
        self.blocks = blocks(width, 3, 1)
        self.fc1, self.fc2, self.fc3 = (
            nn.Linear(32 * width, 512),
            nn.Linear(512, 384),
            nn.Linear(384, 256),
        )
        self.head, self.drop = nn.Linear(256, 258), nn.Dropout(0.35)

    def forward(self, mel):
        for block in self.blocks:
            mel = block(mel)
        x = functional.adaptive_avg_pool2d(mel, 2).flatten(1)
        for layer in (self.fc1, self.fc2, self.fc3):
            x = self.drop(functional.gelu(layer(x)))
        return self.head(x)


class WindowBlock(nn.Module):
    """A map [B, H, W, C] in windows of high x wide tokens, rolled by `shift` first (rows, columns),
    then a feed-forward part; what the roll alone brought together does not see each other."""

    def __init__(self, width, heads, size, window, shift):
        super().__init__()
        self.window = tuple(min(window, side) for side in size)
        self.shift = tuple(shift if side > window else 0 for side in size)
        high, wide = self.window
        self.heads = heads
        self.rel_bias = nn.Parameter(0.02 * torch.randn((2 * high - 1) * (2 * wide - 1), heads))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(width, width))
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        row, column = torch.arange(high * wide) // wide, torch.arange(high * wide) % wide
        apart = lambda x, n: x[:, None] - x[None] + n - 1
        index = apart(row, high) * (2 * wide - 1) + apart(column, wide)
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("mask", self.masked(size), persistent=False)

    def masked(self, size):
        """[windows, 1, N, N]: -100 between tokens of different corners of the map."""
        part = torch.zeros(1, *size, 1)
        for axis, (side, window, shift) in enumerate(zip(size, self.window, self.shift)):
            at = torch.arange(side)
            bands = (at >= side - window).float() + (at >= side - shift).float()
            along = [-1 if k == axis + 1 else 1 for k in range(4)]
            part += (bands * 3**axis * (shift > 0)).view(along)
        token = self.cut(part)[:, :, 0]
        return -100.0 * (token[:, :, None] != token[:, None]).float()[:, None]

    def cut(self, x):
        """[B, H, W, C] -> [B windows, N, C]"""
        (high, wide), (b, h, w, c) = self.window, x.shape
        x = x.reshape(b, h // high, high, w // wide, wide, c).transpose(2, 3)
        return x.reshape(-1, high * wide, c)

    def joined(self, x, shape):
        (high, wide), (b, h, w, c) = self.window, shape
        x = x.reshape(b, h // high, w // wide, high, wide, c).transpose(2, 3)
        return x.reshape(shape)

    def attend(self, x):
        b, n = x.shape[0], self.index.shape[0]
        x = self.cut(torch.roll(x, [-s for s in self.shift], (1, 2)))
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        parts = (split(project(x)) for project in (self.q_proj, self.k_proj, self.v_proj))
        bias = self.rel_bias[self.index].permute(2, 0, 1) + self.mask.repeat(b, 1, 1, 1)
        y = functional.scaled_dot_product_attention(*parts, attn_mask=bias)
        return self.out_proj(y.transpose(1, 2).reshape(-1, n, x.shape[-1]))

    def forward(self, x):
        y = self.joined(self.attend(self.norm1(x)), x.shape)
        x = x + torch.roll(y, self.shift, (1, 2))
        return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))


class PatchMerge(nn.Module):
    """Squares of four tokens become one of twice the width."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduce = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x):
        quarters = [x[:, i::2, k::2] for k in (0, 1) for i in (0, 1)]
        return self.reduce(self.norm(torch.cat(quarters, -1)))


class SpectocloudVit(nn.Module):
    """Log-mel [B, 1, 128, 64] of a whole piece, emotion [B, 64], statistics of its notes [B, 32] ->
    points [B, 1200, 10]: x, y, z; red, green, blue, alpha; size, glow, depth."""

    def __init__(self, dim=64, depth=4):
        super().__init__()
        self.patch_embed, self.patch_norm = nn.Conv2d(1, dim, 4, 4), nn.LayerNorm(dim)
        self.stages, self.merges = nn.ModuleList(), nn.ModuleList()
        for i, blocks in enumerate((2, 2, depth, 2)):
            width, size = dim << i, (32 >> i, 16 >> i)
            stage = (WindowBlock(width, width // 32, size, 4, k % 2 * 2) for k in range(blocks))
            self.stages.append(nn.ModuleList(stage))
            if i < 3:
                self.merges.append(PatchMerge(width))
        self.norm = nn.LayerNorm(8 * dim)
        self.condition, self.condition_norm = nn.Linear(96, 256), nn.LayerNorm(256)
        self.fc1, self.fc2, self.fc3 = (
            nn.Linear(a, b) for a, b in ((8 * dim + 256, 512), (512, 256), (256, 128))
        )
        self.points = nn.Linear(128, 12000)

    def forward(self, mel, emotion, midi):
        x = self.patch_norm(self.patch_embed(mel).permute(0, 2, 3, 1))
        for i, blocks in enumerate(self.stages):
            for block in blocks:
                x = block(x)
            x = self.merges[i](x) if i < len(self.merges) else x
        heard = functional.gelu(self.condition(torch.cat([emotion, midi], -1)))
        x = torch.cat([self.norm(x).mean((1, 2)), self.condition_norm(heard)], -1)
        for layer in (self.fc1, self.fc2, self.fc3):
            x = functional.gelu(layer(x))
        points = self.points(x).unflatten(-1, (1200, 10))
        places, colours, rest = points.split((3, 4, 3), -1)
        return torch.cat([places, colours.sigmoid(), rest], -1)


MODELS = {
    "emotion_recognizer": EmotionRecognizer,
    "melody_transformer": MelodyTransformer,
    "harmony_predictor": HarmonyPredictor,
    "groove_predictor": GroovePredictor,
    "dynamics_engine": DynamicsEngine,
    "emotion_midi_transformer": EmotionMidiTransformer,
    "instrument_recognizer": InstrumentRecognizer,
    "emotion_node_classifier": EmotionNodeClassifier,
    "spectocloud_vit": SpectocloudVit,
}


def build(name, **sizes):
    return MODELS[name](**sizes)


def sizes_of(text):
    """ "layers=4 dim=128 cross=0,2" of a file's metadata -> {"layers": 4, "dim": 128, "cross": (0,
    2)}."""
    pairs = (one.split("=") for one in (text or "").split())
    return {
        key: tuple(map(int, filter(None, value.split(",")))) if key == "cross" else int(value)
        for key, value in pairs
    }


def load(path, name=None):
    """The network that a safetensors file of kmidi holds, ready to compute. `name`: where the file
    does not say it. A recogniser's probe over labels, which only `kmidi predict` and ONNX files
    use, is left out."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        said = file.metadata() or {}
        weights = {key: file.get_tensor(key) for key in file.keys() if not key.startswith("probe.")}
    network = build(name or said["model"], **sizes_of(said.get("sizes")))
    network.load_state_dict(weights)
    return network.eval()
