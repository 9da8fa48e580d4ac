"""AWS Device Farm: an app, a test package, a custom test spec, and the commands of its CLI.

The custom environment has adb on its host and names the phone in DEVICEFARM_DEVICE_UDID; what is in DEVICEFARM_LOG_DIR comes back as
customer artifacts (AWS Device Farm Developer Guide, 'Working with custom test environments').
"""

from __future__ import annotations

import json
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.farm import Job

SPEC, COMMANDS = "testspec.yml", "commands.sh"


def make_files(job: Job) -> dict[str, str]:
    return {SPEC: _spec(job), "test_edgebundle.py": _PLACEHOLDER, "requirements.txt": "", COMMANDS: _commands(job)}


# The farm wants a package of tests of a framework that it knows; the spec does the work.
_PLACEHOLDER = '''"""The farm looks for one test; what is measured is in the test spec."""


def test_edgebundle():
    pass
'''


def _spec(job: Job) -> str:
    from harness.farm import ACTIVITY, OUTPUT

    adb = 'adb -s "$DEVICEFARM_DEVICE_UDID"'
    remote = f"{job.results_folder}/{OUTPUT}"
    start = f"am start -W -n {job.application_id}/{ACTIVITY} --es protocol {job.protocol} --es output {OUTPUT}"
    test = [
        f"{adb} shell rm -f {remote}",
        f"{adb} logcat -c",
        f'{adb} shell "{start} --es device $DEVICEFARM_DEVICE_UDID"',
        f"for turn in $(seq {job.minutes * 12}); do sleep 5; "
        f"done_runs=$({adb} shell cat {remote} 2>/dev/null | wc -l); "
        f'[ "$done_runs" -ge {job.variants} ] && break; '
        f'{adb} logcat -d -s EDGEBUNDLE_RUN:I | grep -q \'"error"\' && break; done; echo "$done_runs runs"',
    ]
    keep = [
        f'{adb} pull {remote} "$DEVICEFARM_LOG_DIR/{OUTPUT}"',
        f'{adb} logcat -d -s EDGEBUNDLE_RUN:I > "$DEVICEFARM_LOG_DIR/edgebundle.log"',
    ]
    lines = ["version: 0.1", "", "android_test_host: amazon_linux_2", "", "phases:", "  test:", "    commands:"]
    lines += [f"      - {json.dumps(command)}" for command in test]
    lines += ["  post_test:", "    commands:"]
    lines += [f"      - {json.dumps(command)}" for command in keep]
    return "\n".join([*lines, "", "artifacts:", "  - $DEVICEFARM_LOG_DIR", ""])


def _commands(job: Job) -> str:
    return f"""#!/usr/bin/env bash
# Upload, measure on a pool of phones, and fetch the records:   {COMMANDS} PROJECT_ARN DEVICE_POOL_ARN
# Needs the AWS CLI with credentials of yours. Afterwards:      harness farm --import results -o runs.sqlite
set -euo pipefail
cd "$(dirname "$0")"
project=${{1:?PROJECT_ARN is missing}} pool=${{2:?DEVICE_POOL_ARN is missing}}
farm() {{ aws devicefarm --region us-west-2 --output text "$@"; }}
upload() {{ # TYPE FILE
    local arn url status
    read -r arn url < <(farm create-upload --project-arn "$project" --name "$(basename "$2")" --type "$1" --query 'upload.[arn,url]')
    curl --silent --fail --upload-file "$2" "$url"
    for _ in $(seq 60); do
        status=$(farm get-upload --arn "$arn" --query upload.status)
        [ "$status" = SUCCEEDED ] && {{ echo "$arn"; return; }}
        [ "$status" = FAILED ] && break
        sleep 5
    done
    echo "$2 was not accepted: $(farm get-upload --arn "$arn" --query upload.metadata)" >&2
    return 1
}}
zip -q -FS tests.zip test_edgebundle.py requirements.txt
app=$(upload ANDROID_APP {quote(job.app)})
tests=$(upload APPIUM_PYTHON_TEST_PACKAGE tests.zip)
spec=$(upload APPIUM_PYTHON_TEST_SPEC {SPEC})
run=$(farm schedule-run --project-arn "$project" --app-arn "$app" --device-pool-arn "$pool" --name edgebundle \\
    --test "type=APPIUM_PYTHON,testPackageArn=$tests,testSpecArn=$spec" \\
    --execution-configuration "jobTimeoutMinutes={job.minutes + 10},videoCapture=false" --query run.arn)
until [ "$(farm get-run --arn "$run" --query run.status)" = COMPLETED ]; do sleep 30; done
mkdir -p results
farm list-jobs --arn "$run" --query 'jobs[].[arn,device.name]' | while IFS=$'\\t' read -r job device; do
    farm list-artifacts --arn "$job" --type FILE --query "artifacts[?type=='CUSTOMER_ARTIFACT'].[url]" | while read -r url; do
        mkdir -p "results/$device"
        curl --silent --fail --output "results/$device/customer_artifacts_$RANDOM.zip" "$url"
    done
done
echo "fetched into results; next: harness farm --import results -o runs.sqlite"
"""
