"""Playing a sound with whatever the machine has, and saying so where nobody would hear it."""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

PLAYERS: dict[str, tuple[str, ...]] = {
    "paplay": (),
    "pw-play": (),
    "aplay": ("-q",),
    "afplay": (),
    "ffplay": ("-nodisp", "-autoexit", "-loglevel", "error"),
}
"""Programs that play a WAV file and end, best first; and what they want to be told."""


class PlayError(RuntimeError):
    """Why nothing is heard, and how it would be; one sentence."""


class Player:
    """Plays one sound at a time."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._playing: subprocess.Popen[bytes] | None = None

    @property
    def is_playing(self) -> bool:
        return self._playing is not None and self._playing.poll() is None

    def play(self, path: Path) -> str:
        """Starts to play a file in place of what is heard; the name of the program that does.

        Raises:
            PlayError: there is no player, or it would be heard somewhere else.
        """
        self.stop()
        command = self._command(path)
        try:
            self._playing = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise PlayError(f"{command[0]} cannot be started: {error.strerror}") from None
        return Path(command[0]).name

    def stop(self) -> None:
        """Silence."""
        if self._playing is not None and self._playing.poll() is None:
            self._playing.kill()
            self._playing.wait()
        self._playing = None

    def _command(self, path: Path) -> list[str]:
        far = self._environment.get("SSH_CONNECTION") or self._environment.get("SSH_TTY")
        sent = self._environment.get("PULSE_SERVER")  # sound that goes where the keyboard is
        if far and not sent:
            raise PlayError(
                f"over ssh it would be heard beside {socket.gethostname()}; copy it: "
                f"scp {socket.gethostname()}:{path} ."
            )
        for name, options in PLAYERS.items():
            found = shutil.which(name, path=self._environment.get("PATH"))
            if found and not (far and name not in ("paplay", "pw-play")):
                return [found, *options, str(path)]
        raise PlayError(f"this machine has no player ({', '.join(PLAYERS)}); the sound is {path}")
