"""Firebase Test Lab: an app, a Robo script that starts the measurement, and the command of gcloud.

The sample app measures when its activity is started with extras, which needs neither a game loop nor an instrumentation package: a Robo
script may run shell commands, wait, and end the crawl (Firebase documentation, 'Robo scripts reference guide').
"""

from __future__ import annotations

import json
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.farm import Job

SCRIPT, COMMANDS = "robo.json", "commands.sh"


def make_files(job: Job) -> dict[str, str]:
    return {SCRIPT: _script(job), COMMANDS: _commands(job)}


def _script(job: Job) -> str:
    from harness.farm import ACTIVITY, OUTPUT

    start = f"am start -W -n {job.application_id}/{ACTIVITY} --es protocol {job.protocol} --es output {OUTPUT}"
    actions = [
        {"eventType": "ADB_SHELL_COMMAND", "command": start},
        {"eventType": "WAIT", "delayTime": job.minutes * 60_000},
        {"eventType": "TERMINATE_CRAWL"},
    ]
    scripts = [
        {
            "id": 1,
            "crawlStage": "crawl",
            "contextDescriptor": {"condition": "app_under_test_shown"},
            "maxNumberOfRuns": 1,
            "actions": actions,
        }
    ]
    return json.dumps(scripts, indent=2) + "\n"


def _commands(job: Job) -> str:
    return f"""#!/usr/bin/env bash
# Measure on phones of Test Lab and fetch the records:   {COMMANDS} BUCKET model=MODEL,version=API [more devices]
# Needs gcloud with a project of yours ('gcloud firebase test android models list' names the phones; take physical ones).
# Afterwards:                                            harness farm --import results -o runs.sqlite
set -euo pipefail
cd "$(dirname "$0")"
bucket=${{1:?BUCKET is missing}}
shift
[ $# -gt 0 ] || {{ echo "name a device, e.g. model=oriole,version=33" >&2; exit 2; }}
devices=()
for device in "$@"; do devices+=(--device "$device"); done
name=edgebundle-$(date -u +%Y%m%dT%H%M%SZ)
status=0
gcloud firebase test android run --type robo --app {quote(job.app)} --robo-script {SCRIPT} \\
    --timeout {job.minutes + 5}m --directories-to-pull {quote(job.results_folder)} --no-record-video --no-performance-metrics \\
    --results-bucket "$bucket" --results-dir "$name" "${{devices[@]}}" || status=$?
mkdir -p results
gcloud storage cp --recursive "gs://$bucket/$name/*" results/
echo "fetched into results; next: harness farm --import results -o runs.sqlite"
exit $status
"""
