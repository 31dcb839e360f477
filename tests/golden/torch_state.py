# SPDX-License-Identifier: GPL-3.0-or-later
"""torch_state.pt, torch_state_5.pt: a small state_dict as torch.save() writes it, by the protocol
that it takes and by Python's newest.

    python tests/golden/torch_state.py       needs PyTorch

Element values are fill(1, ..) to fill(6, ..) of fill.py. `turned` lies by columns, `first` and
`second` are views of one storage, `seen` counts as num_batches_tracked does.
"""

import collections
import os
import torch
from fill import fill

HERE = os.path.dirname(os.path.abspath(__file__))
both = torch.from_numpy(fill(6, [5]))
state = collections.OrderedDict(
    [
        ("fc.weight", torch.from_numpy(fill(1, [2, 3]))),
        ("turned", torch.from_numpy(fill(2, [3, 2])).t().contiguous().t()),
        ("half", torch.from_numpy(fill(3, [4])).half()),
        ("brain", torch.from_numpy(fill(4, [4])).bfloat16()),
        ("double", torch.from_numpy(fill(5, [4])).double()),
        ("first", both[:2]),
        ("second", both[1:]),
        ("seen", torch.tensor(7)),
        ("none", torch.zeros(0, 3)),
        ("mask", torch.tensor([True, False])),
        ("wide", torch.tensor([1, 2], dtype=torch.uint16)),
        ("eight", torch.zeros(2, dtype=torch.float8_e4m3fn)),
    ]
)
state._metadata = collections.OrderedDict([("", {"version": 1})])
torch.save(state, os.path.join(HERE, "torch_state.pt"))
torch.save(state, os.path.join(HERE, "torch_state_5.pt"), pickle_protocol=5)
