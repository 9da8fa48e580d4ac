"""From this computer's disk into a store: with retries, read back before anything is called kept, and never in the way of measuring."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.records.outbox import Outbox, list_outboxes, open_outbox
from harness.records.run import Run
from harness.records.store import Store

if TYPE_CHECKING:
    from builder.bundle import Manifest
    from harness.records.pictures import Picture

log = logging.getLogger(__name__)
# Between tries; the last one again and again.
PAUSES_S = (0.2, 0.5, 1.0, 2.0)
# At the end of a session, for a store that does not answer.
PATIENCE_S = 60.0


class Delivery:
    """What a session appends to. A record is on this disk when `append` returns; a thread of its own sends it on."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._store, self._outbox = store, outbox
        self._manifests: dict[str, Manifest] = {}
        self._waiting: list[tuple[Run, tuple[Picture, ...]]] = []
        self._changed = threading.Condition()
        self._ending, self._failure = False, ""
        self._sender = threading.Thread(target=self._send, name="delivery", daemon=True)
        self._sender.start()

    def put_manifest(self, bundle_sha256: str, manifest: Manifest) -> None:
        self._outbox.put_manifest(bundle_sha256, manifest)
        self._manifests[bundle_sha256] = manifest

    def append(self, run: Run, pictures: tuple[Picture, ...] = ()) -> None:
        with self._changed:
            self._outbox.put(run, pictures)
            self._waiting.append((run, pictures))
            self._changed.notify_all()

    def _send(self) -> None:
        """One record after the other; what does not go in is tried again until the session ends."""
        failures = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ending)
                if self._ending:
                    return
                run, pictures = self._waiting[0]
            try:
                deliver(self._store, [(run, pictures)], self._manifests)
            except StoreError as error:
                if str(error) != self._failure:
                    log.warning("%s Measuring goes on; records are kept on this computer until then", error)
                self._failure = str(error)
                with self._changed:
                    self._changed.wait_for(lambda: self._ending, PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1
                continue
            failures, self._failure = 0, ""
            with self._changed:
                self._waiting.pop(0)

    def stop(self) -> bool:
        """End the thread; False where it does not end, since the store does not answer. What it had not sent is on the disk."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._sender.join(PATIENCE_S)
        return not self._sender.is_alive()


def deliver(store: Store, entries: list[tuple[Run, tuple[Picture, ...]]], manifests: dict[str, Manifest]) -> None:
    """Append what the store does not give back, and read it back. Raises StoreError."""
    there = store.has([run.id for run, _ in entries])
    missing = [entry for entry in entries if entry[0].id not in there]
    if missing:
        for bundle_sha256, manifest in manifests.items():
            store.put_manifest(bundle_sha256, manifest)
    for run, pictures in missing:
        store.append(run, pictures)
    lost = {run.id for run, _ in missing} - store.has([run.id for run, _ in missing])
    if lost:
        raise StoreError(f"{store.name} did not give back {len(lost)} records that it took; check its disk.")


@contextmanager
def delivering(store: Store, session: str, patience_s: float = PATIENCE_S) -> Iterator[Delivery]:
    """What a session appends to while it measures; at its end every record of it is read back from the store.

    Raises StoreError when the store does not take or give back all of them within `patience_s` (one try where the session was
    ended by an error): the records stay on this computer, the sentence says where, and the next session into the store sends them.
    """
    outbox = open_outbox(store.name, session)
    with outbox.hold() as alone:
        if not alone:
            raise StoreError(
                f"another harness is measuring session {session} into {store.name}; wait for it or end it."
            )
        delivery = Delivery(store, outbox)
        try:
            yield delivery
        except BaseException:
            try:
                _end(delivery, outbox, store, 0.0)
            except StoreError as error:
                log.warning("%s", str(error).rstrip("."))
            raise
        _end(delivery, outbox, store, patience_s)


def _end(delivery: Delivery, outbox: Outbox, store: Store, patience_s: float) -> None:
    """Raises StoreError."""
    if not delivery.stop():
        raise _explain_not_sent(
            outbox, store, f"it did not answer within {PATIENCE_S:g} s", len(list(outbox.entries()))
        )
    empty(outbox, store, patience_s)


def empty(outbox: Outbox, store: Store, patience_s: float) -> None:
    """Send all that lies in an outbox and remove it once the store gives it all back. Raises StoreError after `patience_s`."""
    deadline, tries = time.monotonic() + patience_s, 0
    entries, manifests = list(outbox.entries()), dict(outbox.manifests())
    while True:
        try:
            deliver(store, entries, manifests)
            outbox.remove()
            return
        except StoreError as error:
            if time.monotonic() >= deadline:
                raise _explain_not_sent(outbox, store, str(error).rstrip("."), len(entries)) from error
        time.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
        tries += 1


def _explain_not_sent(outbox: Outbox, store: Store, why: str, count: int) -> StoreError:
    return StoreError(
        f"{count} records are not in {store.name} ({why}); they are safe in {outbox.folder}: 'harness run --resume' into the same store "
        f"sends them, or take them elsewhere with 'harness farm --import {outbox.folder} -o OTHER.sqlite'."
    )


def send_leftovers(store: Store) -> int:
    """Send what earlier sessions of this computer could not: killed ones, and such whose store was away. The number of records.

    Raises StoreError.
    """
    sent = 0
    for outbox in list_outboxes(store.name):
        with outbox.hold() as alone:
            if alone and outbox.folder.is_dir():
                sent += len(outbox.runs())
                empty(outbox, store, 0.0)
    return sent
