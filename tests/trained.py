"""Runs with a checkpoint of a model that has learned for a step or two, made in this process."""

from collections.abc import Mapping

from backends import catalogue
from backends.datasets._shape import shape_state
from backends.records import PlanRequest, RunSpec
from backends.training import Job, train
from genai_tui.log import Log
from genai_tui.store import Run, Store

LOOP = {
    "batch_size": "4",
    "validation": "0.01",
    "precision": "float32",
    "threads": "1",
    "log_every": "1",
    "warmup_steps": "1",
    "sample_every": "0",
    "validate_every": "0",
    "checkpoint_every": "1",
    "keep_checkpoints": "5",
    "sample_count": "4",
}
SMALL: dict[str, dict[str, str]] = {
    "vae/mlp": {"latent": "4", "width": "8"},
    "gan/dcgan": {"latent": "4", "width": "4"},
    "autoregressive/gru": {"width": "8", "layers": "1", "context": "8"},
    "autoregressive/seq2seq": {"width": "8", "heads": "1", "layers": "1"},
    "diffusion/rectified_flow": {"width": "8", "levels": "1", "attention": "no"},
}


def trained(store: Store, model: str, steps: int = 2, **settings: str) -> Run:
    """A run of the smallest ``model`` with a checkpoint at each of its steps."""
    asked: Mapping[str, str] = {**LOOP, **SMALL[model], "steps": str(steps), **settings}
    plan = catalogue.plan(PlanRequest(model=model, settings=dict(asked)))
    assert not plan.error
    spec = RunSpec(
        id=f"20261122-101530-{model.replace('/', '-')}-test",
        name=model.rpartition("/")[2],
        model=model,
        dataset=plan.dataset,
        model_config=plan.model_config,
        data_config=plan.data_config,
        train_config=plan.train_config,
    )
    run = store.create(spec)
    network, dataset, config = catalogue.open_spec(spec)
    meta = {"model": spec.model, "shape": shape_state(dataset.shape)}
    log = Log(run.records)
    for record in train(
        Job(model=network, dataset=dataset, config=config, folder=run.path, meta=meta)
    ):
        log.append(record)
    log.close()
    return run
