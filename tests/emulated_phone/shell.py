"""The phone's shell: bash with the phone's commands only, and shell v1, v2 and exec framing around it.

Quoting, expansion and status are those of a real shell. Paths of the phone are mapped to its directory on this computer by
rewriting them in the command and back in the output. The bundled loader starts under QEMU. A command that the phone does
not have ends with status 127 and is written down.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tests.emulated_phone.app import Apps
from tests.emulated_phone.connection import Stream
from tests.emulated_phone.faults import Faults
from tests.emulated_phone.instruments import Instruments
from tests.emulated_phone.personality import Personality
from tests.emulated_phone.physics import PhysicalPhone
from tests.emulated_phone.virtual_run import Level, VirtualRun, make_virtual_run

PHONE_PATH = re.compile(r"(?<![\w/.-])/(?=(data|sys|proc|storage)/)")
INNER = re.compile(r"(?s)\A\( .*\n\); edge")  # what the harness asks for, without the line that tells its status
FRAME = struct.Struct("<BI")
STDOUT, STDERR, EXIT = 1, 2, 3
TOOLS = (
    "mkdir",
    "chmod",
    "rm",
    "grep",
    "mv",
    "flock",
)  # with taskset below  # what a phone's toybox has too, and the harness uses
STARTUP = r"""
command_not_found_handle() {
    printf '%s\n' "$*" >> "$PHONE_UNKNOWN"
    echo "/system/bin/sh: $1: inaccessible or not found" >&2
    return 127
}
cat() {
    local path status=0
    for path in "$@"; do
        case "$PHONE_DENIED" in
            *":$path:"*) echo "cat: $path: Permission denied" >&2; status=1 ;;
            *) text "$path" || status=1 ;;
        esac
    done
    return $status
}
text() {  # without a process of its own, of which a look at a phone's state would need dozens
    local lines
    [ -f "$1" ] || { "$HOST_CAT" "$1"; return; }
    mapfile lines < "$1" && printf %s "${lines[@]}"
}
sha256sum() {  # a file that has not changed is read once where benchmarks are replayed: nothing of it is executed
    local path kept
    [ -n "$PHONE_REPLAY" ] || { "$HOST_SHA256SUM" "$@"; return; }
    for path in "$@"; do
        [ -f "$path" ] || { "$HOST_SHA256SUM" "$path"; return; }
        kept="${PWD#"$PHONE_ROOT"}/$path"
        kept="$PHONE_HASHES/${kept//\//_}"
        [ "$kept" -nt "$path" ] || "$HOST_SHA256SUM" "$path" > "$kept"
        text "$kept"
    done
}
getprop() {
    if [ $# -eq 1 ]; then
        local line
        while read -r line; do [[ "$line" != "[$1]: ["* ]] || { line="${line#*: [}"; echo "${line%]}"; return; }; done < "$PHONE_ANSWERS/getprop"
        echo
        return
    fi
    [ $# -eq 0 ] || { command_not_found_handle getprop "$@"; return; }
    if [ -n "$PHONE_STARTING" ]; then
        text "$PHONE_ANSWERS/getprop" | grep -v sys.boot_completed
    else
        text "$PHONE_ANSWERS/getprop"
    fi
}
no_service() {  # while Android starts
    [ -n "$PHONE_STARTING" ] && echo "cmd: Can't find service: $1" >&2
}
dumpsys() {
    no_service "$1" && return 1
    [ $# -eq 1 ] || { command_not_found_handle dumpsys "$@"; return; }
    [ "$1$PHONE_LOCKED" != power1 ] || { echo "  mWakefulness=Asleep"; return; }
    [ -f "$PHONE_ANSWERS/dumpsys.$1" ] || { echo "Can't find service: $1" >&2; return 1; }
    text "$PHONE_ANSWERS/dumpsys.$1"
}
settings() {
    no_service settings && return 20
    local file="$PHONE_STATE/$2.$3"
    [ "$1" != get ] || [ -z "$PHONE_BANNER" ] || echo "$PHONE_BANNER"
    case "$1:$#" in
        get:3) if [ "$2.$3" = secure.android_id ]; then echo "$PHONE_ANDROID_ID"; elif [ -f "$file" ]; then text "$file"; else echo null; fi ;;
        put:4) printf '%s\n' "$4" > "$file" ;;
        delete:3) rm -f "$file"; echo "Deleted 1 rows" ;;
        *) command_not_found_handle settings "$@" ;;
    esac
}
cmd() {
    no_service "$1" && return 20
    case "$1 $2" in
        "thermalservice headroom") text "$PHONE_ANSWERS/headroom" ;;
        "power set-fixed-performance-mode-enabled") printf '%s\n' "$3" > "$PHONE_STATE/fixed_performance" ;;
        "connectivity airplane-mode") printf '%s\n' "$3" > "$PHONE_STATE/airplane_mode" ;;
        *) command_not_found_handle cmd "$@" ;;
    esac
}
input() {
    [ "$*" = "keyevent KEYCODE_WAKEUP" ] || { command_not_found_handle input "$@"; return; }
    echo "  mWakefulness=Awake" > "$PHONE_ANSWERS/dumpsys.power"
}
sync() { :; }
am() {
    case "$*" in
        "force-stop "*) ;;
        "start -n com.android.chrome/com.google.android.apps.chrome.Main") echo "Starting: Intent { cmp=com.android.chrome/com.google.android.apps.chrome.Main }" ;;
        *) command_not_found_handle am "$@" ;;
    esac
}
pidof() { echo 4711; }
taskset() {  # of this computer's CPUs: a program of the phone runs here
    local mask="$1"
    shift
    "$HOST_TASKSET" -p "$mask" "$BASHPID" > /dev/null && "$@"
}
sleep() { ran 5 95; }
times() { printf '0m0.02s 0m0.01s\n%s\n' "${PHONE_OWN:-0m1.00s 0m0.20s}"; }
ran() {  # hundredths of a second that two CPUs were busy and idle: the kernel's counters go on
    local stat="$PHONE_ROOT/proc/stat" states cpu user nice system idle low low_ticks top top_ticks
    [ -f "$stat" ] && read -r cpu user nice system idle < "$stat" && echo "cpu  $((user + $1)) $nice $system $((idle + $2))" > "$stat"
    for states in "$PHONE_ROOT"/sys/devices/system/cpu/cpufreq/policy*/stats/time_in_state; do
        [ -f "$states" ] && { read -r low low_ticks; read -r top top_ticks; } < "$states" &&
            printf '%s %s\n' "$low" "$((low_ticks + $2 / 2))" "$top" "$((top_ticks + $1 / 2))" > "$states"
    done
}
function ./ld-linux-aarch64.so.1 {
    [ -x ./ld-linux-aarch64.so.1 ] || { echo "/system/bin/sh: ./ld-linux-aarch64.so.1: can't execute: Permission denied" >&2; return 126; }
    [ -z "$PHONE_START" ] || { echo "$PHONE_START" >&2; return "$PHONE_START_STATUS"; }
    [ -z "$PHONE_RUNS_ON" ] || { ( exec -a "./ld-linux-aarch64.so.1 $*" "$HOST_SLEEP" 600 ); return; }
    [ -z "$PHONE_CRASH" ] || { echo '{"schema":1,"runt'; kill -s "$PHONE_CRASH" $BASHPID; }
    ran ${PHONE_RAN:-180 220}
    if [ -n "$PHONE_REPLAY" ]; then
        local kind=tflite
        case "$*" in *.pte*) kind=pte ;; esac
        "$HOST_CP" "$PHONE_REPLAY/$kind"/output.* . && "$HOST_CAT" "$PHONE_REPLAY/$kind/result"
        return
    fi
    "$HOST_QEMU" -cpu cortex-a76 -L "$PHONE_ROOT" ./ld-linux-aarch64.so.1 "$@"
}
"""


@dataclass(frozen=True, kw_only=True)
class Inside:
    """What a phone's shell reaches. `root` is the phone's file system, `work` holds the shell's own files.

    With `physics` benchmarks take the model's time and heat it; `level_s` is what one inference takes on a cool phone. `too_hot` is asked
    after each of them: a phone that switched itself off answers nothing.
    """

    root: Path
    work: Path
    personality: Personality
    faults: Faults
    apps: Apps
    physics: PhysicalPhone | None
    level_s: Level
    too_hot: Callable[[], bool]
    android_id: str


# Arguments end with NUL. QEMU stands for a phone's CPU.
STARTED_BY_LOADER = re.compile(r"(\S*qemu-aarch64\0([^\0]*\0)*)?\./ld-linux-aarch64\.so\.1\b")


class Shell:
    """Runs command lines of the host."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        root, work, personality = inside.root, inside.work, inside.personality
        self._apps, self._root, self._faults = inside.apps, root, inside.faults
        self.replay: Path | None = None  # results of benchmarks that ran before, instead of running them under QEMU
        self._children: list[subprocess.Popen[bytes]] = []
        self.overlaps = 0  # benchmarks that were started while another one still ran
        self._boot_id = root / "proc/sys/kernel/random/boot_id"
        self._boot_id.parent.mkdir(parents=True, exist_ok=True)
        self._boot_id.write_text(f"{uuid.uuid4()}\n", encoding="utf-8")
        self.unknown_file = work / "unknown-commands"
        tools, replies, hashes, self._state = work / "bin", work / "answers", work / "hashes", work / "state"
        for directory in (tools, replies, hashes, self._state):
            directory.mkdir()
        for name in TOOLS:
            (tools / name).symlink_to(program(name))
        texts = {replies / name: text for name, text in personality.answers().items()}
        files = {root / name.lstrip("/"): text for name, text in personality.files.items()}
        self._instruments = Instruments(texts | files, inside.physics)
        (work / "startup").write_text(STARTUP, encoding="utf-8")
        self._environment = {
            "PATH": str(tools),
            "BASH_ENV": str(work / "startup"),
            "LC_ALL": "C.UTF-8",
            "HOST_CAT": program("cat"),
            "HOST_CP": program("cp"),
            "HOST_SLEEP": program("sleep"),
            "HOST_TASKSET": program("taskset"),
            "PHONE_ANDROID_ID": inside.android_id,
            "HOST_SHA256SUM": program("sha256sum"),
            "HOST_QEMU": program("qemu-aarch64"),
            "PHONE_ROOT": str(root),
            "PHONE_ANSWERS": str(replies),
            "PHONE_STATE": str(self._state),
            "PHONE_HASHES": str(hashes),
            "PHONE_DENIED": "".join(f":{root}{path}:" for path in personality.denied),
            "PHONE_UNKNOWN": str(self.unknown_file),
        }

    @property
    def state(self) -> dict[str, str]:
        """What was set: `global.NAME`, `fixed_performance`, `airplane_mode`."""
        return {path.name: path.read_text(encoding="utf-8").strip() for path in sorted(self._state.iterdir())}

    def restart(self) -> None:
        """What a reboot does: running commands end, it has another boot id, and fixed performance is off."""
        self.end()
        self._boot_id.write_text(f"{uuid.uuid4()}\n", encoding="utf-8")
        (self._state / "fixed_performance").unlink(missing_ok=True)

    def end(self) -> None:
        """Kill all that runs on the phone."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes(self) -> dict[int, str]:
        """What runs on the phone: the processes of this computer that have its root in their environment, and their command lines."""
        mark, found = f"PHONE_ROOT={self._root}\0".encode(), {}
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (place / "environ").read_bytes() and (line := (place / "cmdline").read_bytes()):
                    found[int(place.name)] = line.decode(errors="replace")
        return found

    @property
    def benchmarks(self) -> dict[int, str]:
        """Those of them that measure: started by the loader, which other programs (chmod, sha256sum) only have as an argument."""
        return {pid: line for pid, line in self.processes().items() if STARTED_BY_LOADER.match(line)}

    def _show_processes(self) -> None:
        for place in (self._root / "proc").glob("[0-9]*/cmdline"):
            place.unlink()
        for pid, line in self.processes().items():
            place = self._root / "proc" / str(pid) / "cmdline"
            place.parent.mkdir(exist_ok=True)
            place.write_text(line, encoding="utf-8")

    def serve(self, stream: Stream, command: str, *, framed: bool) -> None:
        """Run a command line to its end. When the host closes the stream its shell gets SIGHUP, and only its shell: what that had started
        goes on, as on a phone (AOSP: adbd, daemon/shell_service.cpp). `framed` is shell v2. Raises EOFError."""
        if self._faults.hang_on is not None and self._faults.hang_on in command:
            stream.wait_closed()
            return
        time.sleep(self._faults.slow_s)
        answered = self._answered(command)
        if answered is None:
            stream.wait_closed()
            return
        self._instruments.show()
        if "/cmdline" in answered:
            self._show_processes()
        if "--model" in answered and self.benchmarks:
            self.overlaps += 1
        inside = self._inside
        run = make_virtual_run(answered, inside.physics, inside.level_s) if inside.physics is not None else None
        if run is not None and inside.too_hot():
            return
        child = self._start(answered if run is None else run.command, run, framed=framed)
        threading.Thread(target=self._hang_up_when_closed, args=(stream, child), daemon=True).start()
        if child.stdin is not None:
            threading.Thread(target=self._give, args=(stream, child.stdin), daemon=True).start()
        if edits := self._edits(run):
            self._tell_edited(stream, child, edits, framed=framed)
        else:
            self._tell(stream, child, framed=framed)

    def _answered(self, command: str) -> str | None:
        """The command, with what the phone refuses or answers by itself in place of what was asked; None where it never answers."""
        refused = (*self._inside.personality.refused, self._faults.refuse)
        if any(text is not None and text in command for text in refused):
            command = INNER.sub("( echo java.lang.SecurityException: not allowed >&2; exit 255\n); edge", command)
        if " am start -W " in command:
            answer = self._apps.start(command)
            if answer is None:
                return None
            return INNER.sub(lambda _: f"( ran 180 220; printf %s {shlex.quote(answer)}\n); edge", command)
        if (said := self._of_an_app(command)) is not None:
            return INNER.sub(lambda _: f"( printf %s {shlex.quote(said)}\n); edge", command)
        return command

    def _start(self, command: str, run: VirtualRun | None, *, framed: bool) -> subprocess.Popen[bytes]:
        mapped = PHONE_PATH.sub(lambda found: f"{self._root}/", command)
        start = self._faults.start
        child = subprocess.Popen(
            [program("bash"), "-c", mapped],
            cwd=self._root,
            env=self._environment
            | {"PHONE_CRASH": str(self._faults.crash or ""), "PHONE_REPLAY": str(self.replay or "")}
            | {
                "PHONE_LOCKED": "1" if self._faults.locked else "",
                "PHONE_STARTING": "1" if self._faults.starting else "",
                "PHONE_RUNS_ON": "1" if self._faults.runs_on else "",
                "PHONE_BANNER": self._faults.banner,
                "PHONE_START": start[0] if start else "",
                "PHONE_START_STATUS": str(start[1]) if start else "",
            }
            | (run.environment if run is not None else {}),
            stdin=subprocess.DEVNULL if framed else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if framed else subprocess.STDOUT,
            start_new_session=True,
        )
        self._children.append(child)
        return child

    def _tell_edited(
        self,
        stream: Stream,
        child: subprocess.Popen[bytes],
        edits: list[Callable[[bytes], bytes]],
        *,
        framed: bool,
    ) -> None:
        """All of it at once, after it has ended."""
        with child:
            printed = child.communicate()[0].replace(str(self._root).encode(), b"")
        for edit in edits:
            printed = edit(printed)
        stream.write(FRAME.pack(STDOUT, len(printed)) + printed if framed else printed)
        if framed:
            stream.write(FRAME.pack(EXIT, 1) + bytes([child.returncode & 0xFF]))

    def _tell(self, stream: Stream, child: subprocess.Popen[bytes], *, framed: bool) -> None:
        """As it comes."""
        pumps = [threading.Thread(target=self._pump, args=(stream, child.stdout, STDOUT, framed), daemon=True)]
        if framed:
            pumps.append(threading.Thread(target=self._pump, args=(stream, child.stderr, STDERR, framed), daemon=True))
        with child:  # closes its pipes
            for pump in pumps:
                pump.start()
            for pump in pumps:
                pump.join()
            status = child.wait()
        if framed:
            told = self._faults.exit_status if self._faults.exit_status is not None else status
            stream.write(FRAME.pack(EXIT, 1) + bytes([told & 0xFF]))

    def _edits(self, run: VirtualRun | None) -> list[Callable[[bytes], bytes]]:
        """What becomes of the output before the host sees it."""
        edits = (run.told if run is not None else None, self._faults.garble)
        return [edit for edit in edits if edit is not None]

    def _of_an_app(self, command: str) -> str | None:
        """What the package manager answers about apps."""
        if found := re.search(r"\( pm (path|uninstall) (\S+)\n", command):
            return (self._apps.path if found.group(1) == "path" else self._apps.uninstall)(found.group(2)) or ""
        return None

    def _hang_up_when_closed(self, stream: Stream, child: subprocess.Popen[bytes]) -> None:
        stream.wait_closed()
        if child.poll() is None:
            child.send_signal(signal.SIGHUP)

    def _give(self, stream: Stream, stdin: BinaryIO) -> None:
        """What the host writes to a command that was started without a protocol of its own."""
        try:
            while True:
                stdin.write(stream.read(1))
                stdin.flush()
        except (EOFError, OSError, ValueError):
            with contextlib.suppress(OSError):
                stdin.close()

    def _pump(self, stream: Stream, output: BinaryIO, kind: int, framed: bool) -> None:
        try:
            while data := output.read1(65536):  # type: ignore[attr-defined]
                data = data.replace(str(self._root).encode(), b"")
                stream.write(FRAME.pack(kind, len(data)) + data if framed else data)
        except EOFError:
            return  # the host closed the stream; the child is being killed


def program(name: str) -> str:
    """Full path of a program of this computer. A missing one fails the test."""
    found = shutil.which(name)
    assert found is not None, f"the emulated phone needs {name}"
    return found
