"""The knobs of the training loop, the same for every model; each model has defaults of its own."""

from dataclasses import dataclass
from typing import Annotated, Literal

from backends.knobs import Bounds, Only


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is trained. Every interval is in optimizer steps; 0 turns it off."""

    steps: Annotated[int, "optimizer steps to train", Bounds(1, 10**9, "steps")] = 2000
    batch_size: Annotated[int, "items a step", Bounds(1, 65536, "items")] = 64
    lr: Annotated[float, "learning rate", Bounds(0, 10, live=True)] = 1e-3
    accumulate: Annotated[
        int, "micro-batches that a batch is computed in, to save memory", Bounds(1, 4096)
    ] = 1
    optimizer: Annotated[
        Literal["adamw", "adam", "rmsprop", "muon"],
        "the optimizer; rmsprop takes beta2 alone; muon turns matrices, the rest follows adamw",
    ] = "adamw"
    matrix_lr: Annotated[
        float, "rate of the matrices over lr (muon)", Bounds(0, 1000), Only("optimizer", "muon")
    ] = 7.0
    beta1: Annotated[
        float,
        "decay of the gradient's running mean",
        Bounds(0, 0.9999),
        Only("optimizer", "adamw", "adam", "muon"),
    ] = 0.9
    beta2: Annotated[float, "decay of the squared gradient's mean", Bounds(0, 0.99999)] = 0.99
    weight_decay: Annotated[
        float, "decoupled weight decay (adamw)", Bounds(0, 1), Only("optimizer", "adamw", "muon")
    ] = 0.0
    warmup_steps: Annotated[int, "steps of linear warm-up of lr", Bounds(0, 10**8, "steps")] = 50
    schedule: Annotated[
        Literal["cosine", "linear", "constant"], "how lr falls to lr_final after the warm-up"
    ] = "cosine"
    lr_final: Annotated[
        float, "lr at the end as a share of lr", Bounds(0, 1), Only("schedule", "cosine", "linear")
    ] = 0.05
    clip_grad: Annotated[
        float, "limit of the gradient's global norm; 0 is none", Bounds(0, 1e9, live=True)
    ] = 1.0
    ema_half_life: Annotated[
        float, "half-life of the averaged weights; 0 is no average", Bounds(0, 1e9, "steps")
    ] = 200.0
    ema: Annotated[
        Literal["exponential", "power"],
        "how older weights fade in the average: by half-life, or as a power of the step",
        Only("ema_half_life"),
    ] = "exponential"
    ema_std: Annotated[
        float,
        "width of the power average as a share of the steps taken",
        Bounds(0.001, 0.28),
        Only("ema", "power"),
        Only("ema_half_life"),
    ] = 0.1
    log_every: Annotated[int, "steps between logged points", Bounds(1, 10**6, "steps")] = 10
    histogram_every: Annotated[
        int,
        "steps between histograms of weights and gradients; 0 is never",
        Bounds(0, 10**9, "steps", live=True),
    ] = 0
    validate_every: Annotated[
        int, "steps between validations; 0 is never", Bounds(0, 10**9, "steps")
    ] = 200
    validate_batches: Annotated[int, "batches a validation", Bounds(1, 10**6)] = 8
    sample_every: Annotated[
        int, "steps between samples; 0 is never", Bounds(0, 10**9, "steps", live=True)
    ] = 200
    sample_count: Annotated[int, "samples drawn each time", Bounds(1, 1024)] = 64
    checkpoint_every: Annotated[
        int, "steps between checkpoints; 0 is only at the end", Bounds(0, 10**9, "steps", live=True)
    ] = 500
    checkpoint_minutes: Annotated[
        float, "minutes between checkpoints; 0 is never", Bounds(0, 10**6, "min", live=True)
    ] = 10.0
    keep_checkpoints: Annotated[int, "newest checkpoints that are kept", Bounds(1, 10**6)] = 3
    keep_best: Annotated[
        str,
        "score whose best checkpoint is saved and kept, as validation/loss; + before it: the most",
        Only("validate_every"),
    ] = ""
    milestone_every: Annotated[
        int, "steps between checkpoints kept for good; 0: none", Bounds(0, 10**9, "steps")
    ] = 0
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        "arithmetic of the networks; auto: bfloat16 where it is measured to be faster",
    ] = "auto"
    compile: Annotated[bool, "torch.compile the networks"] = False
    threads: Annotated[
        int, "CPU threads; 0: one or all, whichever is measured to be faster", Bounds(0, 1024)
    ] = 0
    nan_policy: Annotated[
        Literal["stop", "rollback", "warn"],
        "what NaN or infinity does; rollback: back to the last checkpoint, without that batch",
    ] = "stop"
    memory_policy: Annotated[
        Literal["stop", "halve"],
        "what a step that does not fit into memory does; halve: once, batches in half the size",
    ] = "stop"
    hang_minutes: Annotated[
        float,
        "minutes without a step, and 20 usual steps, until a restart; 0 is never",
        Bounds(0, 10**6, "min"),
    ] = 5.0
    validation: Annotated[float, "share of the data held out", Bounds(0.001, 0.5)] = 0.1
