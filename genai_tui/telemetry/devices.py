"""Which GPUs there are: cards, MIG instances, the lost ones, and those that CUDA would show."""

from dataclasses import dataclass, replace

from genai_tui.telemetry.driver import Driver, DriverError, attempt, phrase

MIG_PROBLEM = "utilisation: not measured under MIG"
FELL_OFF = "the GPU fell off the bus: look for Xid in dmesg, reboot"


@dataclass(frozen=True, slots=True)
class Device:
    """A card or a MIG instance. Without a handle it cannot be asked, and ``problem`` says why."""

    uuid: str
    index: int
    name: str = ""
    handle: object | None = None
    divided: bool = False  # a card in MIG mode
    parent: str = ""  # of an instance: the card's UUID
    alias: str = ""  # of an instance: how drivers before 470 named it
    problem: str = ""

    @property
    def key(self) -> str:
        """What stays the same when cards are counted anew."""
        return self.uuid or f"#{self.index}"


def find(driver: Driver) -> list[Device]:
    """Every card, each followed by its instances. Raises DriverError if they cannot be counted."""
    found: list[Device] = []
    for index in range(driver.count()):
        card = _card(driver, index)
        found.append(card)
        if card.divided:
            found.extend(_instances(driver, card))
    return found


def _card(driver: Driver, index: int) -> Device:
    try:
        handle = driver.device(index)
    except DriverError as error:
        return Device(uuid="", index=index, problem=phrase(error.code))
    return Device(
        uuid=attempt(lambda: driver.uuid(handle)) or "",
        index=index,
        name=attempt(lambda: driver.name(handle)) or "",
        handle=handle,
        divided=attempt(lambda: driver.mig(handle)) or False,
    )


def _instances(driver: Driver, card: Device) -> list[Device]:
    slots = attempt(lambda: driver.mig_slots(card.handle)) or 0
    found = (_instance(driver, card, slot) for slot in range(slots))
    return [device for device in found if device]


def _instance(driver: Driver, card: Device, slot: int) -> Device | None:
    """None for a slot without an instance, which the library reports as an error."""
    try:
        handle = driver.mig_device(card.handle, slot)
        uuid = driver.uuid(handle)
    except DriverError:
        return None
    ids = attempt(lambda: driver.mig_ids(handle))
    return Device(
        uuid=uuid,
        index=card.index,
        name=attempt(lambda: driver.name(handle)) or card.name,
        handle=handle,
        parent=card.uuid,
        alias=f"MIG-{card.uuid}/{ids[0]}/{ids[1]}" if ids else "",
    )


def keep_lost(known: list[Device], found: list[Device]) -> list[Device]:
    """``found``, and the cards of ``known`` that are gone: a card must not vanish from the screen.

    A card that is counted but cannot say who it is gets back the identity it had at its index.
    """
    present = {device.uuid for device in found}
    gone = [each for each in known if not each.parent and each.uuid and each.uuid not in present]
    kept: list[Device] = []
    for device in found:
        before = None if device.uuid else _at(device.index, gone)
        if before:
            gone.remove(before)
        kept.append(_recognised(device, before))
    kept += [replace(each, handle=None, problem=FELL_OFF) for each in gone]
    return sorted(kept, key=lambda device: device.index)


def _recognised(device: Device, before: Device | None) -> Device:
    if before is None:
        return device
    return replace(before, handle=device.handle, problem=device.problem)


def _at(index: int, devices: list[Device]) -> Device | None:
    return next((each for each in devices if each.index == index and not each.parent), None)


def visible(devices: list[Device], setting: str | None) -> list[Device]:
    """Those that ``setting``, in the form of CUDA_VISIBLE_DEVICES, shows, in its order.

    As CUDA does: the first word that matches nothing ends the list, a repeated one empties it.
    Indices count in PCI order, CUDA's own only under CUDA_DEVICE_ORDER=PCI_BUS_ID.
    """
    if setting is None:
        return devices
    chosen: list[Device] = []
    for word in setting.split(","):
        device = _named(word.strip(), devices)
        if device is None:
            break
        if device in chosen:
            return []
        chosen.append(device)
    return [each for one in chosen for each in (one, *_parts(one, devices))]


def _named(word: str, devices: list[Device]) -> Device | None:
    if word.isascii() and word.isdigit():
        return _at(int(word), devices)
    if not word.startswith(("GPU-", "MIG-")):
        return None
    exact = [each for each in devices if word in (each.uuid, each.alias)]
    matches = exact or [each for each in devices if each.uuid.startswith(word)]
    return matches[0] if len(matches) == 1 else None


def _parts(card: Device, devices: list[Device]) -> list[Device]:
    return [each for each in devices if card.uuid and each.parent == card.uuid]
