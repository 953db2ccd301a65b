"""Text that commands a terminal, and runs that carry it in every field that is ever shown.

Each payload has a mark, so that a test can tell whether it was shown (the mark stands on the
screen) and whether it was obeyed or passed on (the mark stands inside of a control sequence).
"""

import re
from pathlib import Path

import msgspec
from build_runs import NOW, TEXT, build, write_status

from backends import records
from backends.records import End, Mark, Notice, Phase, Sample, SampleRequest, Start, Step
from genai_tui.log import Log
from genai_tui.store import Run, Store, write_atomic
from genai_tui.telemetry import journal
from genai_tui.telemetry.record import Gpu, Host, Telemetry

SHOWN = "PWNED"
"""Stands in every payload as text."""
ODD = "31337"
"""Stands in every control sequence that has numbers only."""
COPIED = "UFdORUQ="
"""SHOWN, as OSC 52 would put it into a clipboard."""

PAYLOADS = {
    "title": f"\x1b]2;{SHOWN}\x07",
    "icon": f"\x1b]0;{SHOWN}\x1b\\",
    "clipboard": f"\x1b]52;c;{COPIED}\x07{SHOWN}",
    "tmux": f"\x1bPtmux;\x1b\x1b]52;c;{COPIED}\x07\x1b\\{SHOWN}",
    "tmux-name": f"\x1bk{SHOWN}\x1b\\",
    "device": f"\x1bP+q{ODD}\x1b\\{SHOWN}",
    "graphics": f"\x1b_Ga=d;{ODD}\x1b\\{SHOWN}",
    "private": f"\x1b^{SHOWN}\x1b\\\x1bX{SHOWN}\x1b\\",
    "screen": f"\x1b[?1049l\x1b[{ODD}z\x1b[2J\x1bc{SHOWN}",
    "c1": f"\x9b{ODD}m\x9d2;{SHOWN}\x9c\x90{ODD}\x9c\x85{SHOWN}",
    "bidi": f"\u202e\u2066{SHOWN}\u2069\u061c\u200f",
    "hidden": f"a\u200bb\ufeff\u2060{SHOWN}\x08\x08\x7f\r\U000e0041",
    "action": f"[@click=app.quit]{SHOWN}[/]",
    "markup": f"[/][/red][bold]{SHOWN}[link=https://{SHOWN}.example]",
    "wide": f"日本語\U0001f469\u200d\U0001f52c{'e' + chr(0x301) * 30}{SHOWN}" + "全" * 80,
    "long": SHOWN + "\x1b[31337m" * 20_000,
}

_STRINGS = re.compile(r"\x1b([\]P_^Xk])([^\x07\x1b]*(?:\x1b\x1b[^\x07\x1b]*)*)(?:\x07|\x1b\\)?")
_CSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_BARE = re.compile(r"\x1b(?![78=>(]).?")
_FORBIDDEN = re.compile(
    "[\x80-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f\x7f]"
)
_NOTIFICATION = re.compile(r"(9;|777;notify;)[^\x00-\x1f\x7f-\x9f]*")


def obeyed(output: str) -> list[str]:
    """What of a program's output the terminal would take for a command that came from data."""
    wrong = [f"string {kind}{body[:60]!r}" for kind, body in _STRINGS.findall(output) if _is(body)]
    wrong += [f"sequence {found!r}" for found in _CSI.findall(output) if ODD in found]
    wrong += [f"character {found!r}" for found in sorted(set(_FORBIDDEN.findall(output)))]
    bare = _STRINGS.sub("", _CSI.sub("", output))
    return wrong + [f"escape {found!r}" for found in _BARE.findall(bare)]


def _is(body: str) -> bool:
    ours = SHOWN in body or ODD in body or COPIED in body
    return ours and _NOTIFICATION.fullmatch(body) is None


def hostile_run(store: Store, number: int, modality: records.Modality = "text") -> Run:
    """A run whose every field holds a payload; with another ``number`` each holds another."""
    model = "autoregressive/gpt" if modality == "text" else "vae/conv"
    run = build(
        store,
        payload(number),
        id=f"20261122-1015{number:02d}-hostile",
        model=model,
        dataset=payload(number + 1),
        step=40,
        of=40,
        samples_every=20,
        modality=modality,
        telemetry=0,
    )
    spec = msgspec.structs.replace(
        run.spec(),
        model_config={payload(number + 2)[:80]: payload(number + 3)},
        train_config={"batch_size": payload(number + 4)},
        versions={"torch": payload(number + 5)},
        parent=payload(number + 6),
        device=payload(number + 7),
    )
    write_atomic(run.path / "run.json", records.encode(spec))
    _records(run, number, modality)
    _status(run, number)
    _notes(run, number)
    _files(run, number)
    return Run(run.path)


def payload(number: int) -> str:
    return list(PAYLOADS.values())[number % len(PAYLOADS)]


def _records(run: Run, number: int, modality: records.Modality) -> None:
    text = [payload(number + index) for index in range(12)]
    log = Log(run.records)
    request = SampleRequest(count=2, labels=[10**9], prompt=text[9], image=text[10])
    for record in (
        Start(step=40, t=NOW, attempt=2, of=60, host=text[0], device=text[1], note=text[2]),
        Phase(step=40, t=NOW, name=text[3]),
        Step(step=41, t=NOW, values={text[4][:200]: 1.0, "loss": "NaN"}, rates={text[5][:99]: 1.0}),
        Notice(step=41, t=NOW, text=text[6], level="error"),
        Mark(step=41, t=NOW, id=text[7], verb=text[8], answer="refused", detail=text[7]),
        Sample(
            step=41, t=NOW, path="samples/step-000040", modality=modality, count=2, request=request
        ),
        Sample(step=41, t=NOW, path=f"samples/{text[0]}", modality=modality, count=2),
        End(step=41, t=NOW, state="failed", exit_code=70, reason=text[11]),
    ):
        log.append(record)
    log.close()


def _status(run: Run, number: int) -> None:
    write_status(run, "failed", 41, 60, reason=payload(number))
    status = msgspec.structs.replace(
        run.status(),
        phase=payload(number + 1),
        host=payload(number + 2),
        sample="samples/step-000040",
        waits=payload(number + 3),
        boot_id=payload(number + 4),
    )
    write_atomic(run.path / "status.json", records.encode(status))
    gpu = Gpu(uuid=payload(number), name=payload(number + 1), problem=payload(number + 2))
    telemetry = Telemetry(t=NOW, gpus=[gpu], gpu_problem=payload(number + 3), host=Host(cpu=1.0))
    journal.append(run.path, telemetry)


def _notes(run: Run, number: int) -> None:
    annotation = {
        "name": payload(number) if number % 2 else "",
        "tags": [payload(number + 1), payload(number + 2)],
        "note": payload(number + 3),
    }
    write_atomic(run.path / "annotation.json", msgspec.json.encode(annotation)[: 1 << 16])
    keepsake = {"starred": True, "note": payload(number + 4)}
    stars = {"samples": {"samples/step-000040": keepsake, payload(number + 5): keepsake}}
    write_atomic(run.path / "stars.json", msgspec.json.encode(stars))


def _files(run: Run, number: int) -> None:
    drawn = run.path / "samples" / "step-000040"
    texts = drawn.glob("*.txt")
    for index, path in enumerate(texts):
        path.write_text(payload(number + index) + "\n" + TEXT)
    request = {"request": {"prompt": payload(number)}, "labels": [payload(number + 1)] * 4}
    (drawn / "request.json").write_bytes(
        msgspec.json.encode({**request, "captions": [payload(number + 2)] * 4})
    )
    lines = "".join(f"{name} {text}\n" for name, text in PAYLOADS.items())
    run.console.write_bytes(lines.encode() + b"\xff\xfe\x9b31337m\n" + b"\x1b[31337m" * 130_000)
    (run.path / "samples" / f"step-000041-{_name(number)}").mkdir()


def _name(number: int) -> str:
    """A payload as far as a file can be called so."""
    return payload(number).replace("/", "")[:60]


def folder(root: Path, number: int) -> Path:
    """A folder of data that has a hostile name, with a hostile name in it."""
    path = root / f"data-{_name(number)}"
    path.mkdir()
    (path / f"{_name(number + 1)}.png").write_bytes(b"no picture")
    return path
