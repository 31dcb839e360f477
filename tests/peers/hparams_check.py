# SPDX-License-Identifier: GPL-3.0-or-later
"""What TensorBoard's own hparams plugin has of a folder: the keys of its experiment with type and
values, the figures, then each session with its keys, its state and its last figures."""
import sys

from tensorboard import context
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

folder = sys.argv[1]
runs = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"hparams": 0})
runs.AddRunsFromDirectory(folder)
runs.Reload()
board = base_plugin.TBContext(
    data_provider=data_provider.MultiplexerDataProvider(runs, folder), multiplexer=runs, logdir=folder)
backend, request = backend_context.Context(board), context.RequestContext()


def value(v):
    return getattr(v, v.WhichOneof("kind"))


asked = api_pb2.GetExperimentRequest(include_metrics=True)
experiment = get_experiment.Handler(request, backend, "", asked).run()
for key in experiment.hparam_infos:
    print("key", key.name, key.type, [value(v) for v in key.domain_discrete.values], key.differs)
print("figures", [m.name.tag for m in experiment.metric_infos])
asked = api_pb2.ListSessionGroupsRequest(slice_size=1000, allowed_statuses=[0, 1, 2, 3])
for key in experiment.hparam_infos:
    asked.col_params.add(hparam=key.name)
for figure in experiment.metric_infos:
    asked.col_params.add().metric.CopyFrom(figure.name)
for g in list_session_groups.Handler(request, backend, "", asked).run().session_groups:
    keys = [k.name for k in experiment.hparam_infos if k.differs]
    print("session", g.name, {k: value(g.hparams[k]) for k in keys if k in g.hparams},
          [s.status for s in g.sessions], {v.name.tag: round(v.value, 4) for v in g.metric_values})
