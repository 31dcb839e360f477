#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of kmidi in Weights & Biases or MLflow, from their folders.

    pip install wandb
    python python/track.py wandb runs/rates/*          # WANDB_MODE=offline keeps it here
    pip install mlflow
    python python/track.py mlflow runs/rates/*         # MLFLOW_TRACKING_URI says where, else ./mlflow.db

Every key of config.yaml, every figure of metrics.jsonl (train/loss, val/accuracy, ... by step), how
the run ended, and its report. Given again, for a run that went on meanwhile, it adds what is new.
"""
import argparse
import calendar
import hashlib
import json
import os
import time

FIELDS = {"kind", "step", "best", "baseline", "confusion", "worst"}  # of a line, and no figures


def flat(tree, prefix=""):
    for name, value in (tree or {}).items():
        if isinstance(value, dict):
            yield from flat(value, prefix + name + ".")
        elif value is not None:
            yield prefix + name, value


class Run:
    """What a run's folder says. A last line without its end is being written: it is left out."""

    def __init__(self, folder):
        import yaml  # which both packages bring
        self.folder = os.path.normpath(folder)
        self.name = os.path.basename(os.path.abspath(folder))
        self.group = os.path.basename(os.path.dirname(os.path.abspath(folder)))
        with open(os.path.join(folder, "config.yaml"), encoding="utf-8") as f:
            self.config = dict(flat(yaml.safe_load(f)))
        with open(os.path.join(folder, "environment.json"), encoding="utf-8") as f:
            started = json.load(f)["started"]
        self.started = calendar.timegm(time.strptime(started, "%Y-%m-%dT%H:%M:%SZ"))
        key = os.path.abspath(folder) + " " + started
        self.id = hashlib.sha256(key.encode()).hexdigest()[:16]
        marks = ("DONE", "ENDED", "FAILED", "STOPPED")
        self.mark = next((m for m in marks if os.path.exists(os.path.join(folder, m))), None)

    def points(self):
        """(step, seconds since the start, {figure: value}), a line each."""
        seconds = 0.0
        with open(os.path.join(self.folder, "metrics.jsonl"), encoding="utf-8") as f:
            for text in f:
                if not text.endswith("\n"):
                    return
                line = json.loads(text)
                seconds = line.get("seconds") or seconds
                part = "train" if line["kind"] == "train" else "val"
                yield line["step"], seconds, {
                    part + "/" + k: v for k, v in line.items()
                    if k not in FIELDS and isinstance(v, (int, float))}

    def steps(self):
        """The same with one entry a step: a line of training, and one of an evaluation."""
        steps = {}
        for step, seconds, values in self.points():
            steps.setdefault(step, [seconds, {}])[1].update(values)
        return [(step, *steps[step]) for step in sorted(steps)]

    def report(self):
        path = os.path.join(self.folder, "report.html")
        return path if os.path.exists(path) else None


def to_wandb(run, project):
    import wandb
    with wandb.init(project=project, id=run.id, name=run.name, group=run.group, resume="allow",
                    config=run.config, dir=os.environ.get("WANDB_DIR", ".")) as w:
        first = w.step if w.resumed else 0
        for step, _, values in run.steps():
            if step >= first:
                w.log(values, step=step)
        w.summary["state"] = (run.mark or "running").lower()
        w.finish(exit_code=run.mark == "FAILED")


def to_mlflow(run, project):
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient
    client = MlflowClient()
    found = client.get_experiment_by_name(project)
    experiment = found.experiment_id if found else client.create_experiment(project)
    there = client.search_runs([experiment], f"tags.`kmidi.id` = '{run.id}'")
    m = there[0] if there else client.create_run(
        experiment, start_time=run.started * 1000, run_name=run.name,
        tags={"kmidi.id": run.id, "kmidi.folder": run.folder, "kmidi.sweep": run.group})
    key, first = m.info.run_id, int(m.data.tags.get("kmidi.step", -1)) + 1
    if not there:
        params = [Param(k, str(v)[:6000]) for k, v in run.config.items()]
        for i in range(0, len(params), 100):
            client.log_batch(key, params=params[i:i + 100])
    new = [Metric(k, v, int((run.started + seconds) * 1000), step)
           for step, seconds, values in run.steps() if step >= first for k, v in values.items()]
    for i in range(0, len(new), 1000):
        client.log_batch(key, metrics=new[i:i + 1000])
    if new:
        client.set_tag(key, "kmidi.step", new[-1].step)
    if run.report():
        client.log_artifact(key, run.report())
    ends = {"DONE": "FINISHED", "ENDED": "FINISHED", "FAILED": "FAILED", "STOPPED": "KILLED"}
    if run.mark:
        client.set_terminated(key, ends[run.mark])
    else:
        client.update_run(key, status="RUNNING")


def main():
    about = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    about.add_argument("to", choices=["wandb", "mlflow"])
    about.add_argument("runs", nargs="+", metavar="RUN", help="run folders; others are passed over")
    about.add_argument("--project", default="kmidi", help="project, or experiment (default: kmidi)")
    asked = about.parse_args()
    folders = [r for r in asked.runs if os.path.exists(os.path.join(r, "metrics.jsonl"))]
    if not folders:
        about.error("none of these is the folder of a run: it has no metrics.jsonl")
    for folder in folders:
        run = Run(folder)
        {"wandb": to_wandb, "mlflow": to_mlflow}[asked.to](run, asked.project)
        print(f"{folder}: {len(run.steps())} steps")


if __name__ == "__main__":
    main()
