"""Small trainings of each family, that take seconds and still have everything a run can have."""

from backends import catalogue
from backends.records import PlanRequest, RunSpec

MODELS = {
    "vae/mlp": {"latent": "4", "width": "8"},
    "gan/dcgan": {"latent": "4", "width": "4"},
    "autoregressive/gru": {"width": "8", "layers": "1", "context": "8"},
    "diffusion/rectified_flow": {"width": "8", "levels": "1", "attention": "no"},
}
_LOOP = {
    "batch_size": "4",
    "validation": "0.01",
    "validate_every": "50",
    "validate_batches": "1",
    "precision": "float32",
    "threads": "1",
    "log_every": "1",
    "sample_every": "100",
    "sample_count": "4",
    "checkpoint_every": "10",
    "checkpoint_minutes": "0",
}


def small(model: str = "vae/mlp", steps: int = 100, **settings: object) -> RunSpec:
    """What a run of the smallest ``model`` trains; ``settings`` are knobs."""
    asked = {**_LOOP, **MODELS[model], "steps": steps, **settings}
    plan = catalogue.plan(
        PlanRequest(model=model, settings={name: str(value) for name, value in asked.items()})
    )
    assert not plan.error, plan.error
    return RunSpec(
        id=f"20261122-101530-{model.replace('/', '-')}-test",
        name=model.rpartition("/")[2],
        model=model,
        dataset=plan.dataset,
        model_config=plan.model_config,
        data_config=plan.data_config,
        train_config=plan.train_config,
        seed=3,
    )
