"""The shared scheme: what builds, runs and archives, for everyone who opens the project. Runs in Release, so that latencies mean something."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from builder.targets.ios.objects import NAME, TARGET_ID

WORKSPACE = '<?xml version="1.0" encoding="UTF-8"?>\n<Workspace version="1.0">\n   <FileRef location="self:">\n   </FileRef>\n</Workspace>\n'
_DEBUGGER = {
    "selectedDebuggerIdentifier": "Xcode.DebuggerFoundation.Debugger.LLDB",
    "selectedLauncherIdentifier": "Xcode.DebuggerFoundation.Launcher.LLDB",
}


def write_scheme() -> str:
    """`Edgebundle.xcscheme`."""
    scheme = ET.Element("Scheme", LastUpgradeVersion="1600", version="1.7")
    build = ET.SubElement(scheme, "BuildAction", parallelizeBuildables="YES", buildImplicitDependencies="YES")
    actions = ("Testing", "Running", "Profiling", "Archiving", "Analyzing")
    entry = ET.SubElement(
        ET.SubElement(build, "BuildActionEntries"), "BuildActionEntry", {f"buildFor{name}": "YES" for name in actions}
    )
    _reference(entry)
    ET.SubElement(scheme, "TestAction", _DEBUGGER, buildConfiguration="Debug", shouldUseLaunchSchemeArgsEnv="YES")
    launch = ET.SubElement(
        scheme,
        "LaunchAction",
        _DEBUGGER,
        buildConfiguration="Release",
        launchStyle="0",
        useCustomWorkingDirectory="NO",
        ignoresPersistentStateOnLaunch="NO",
        debugDocumentVersioning="YES",
        allowLocationSimulation="YES",
    )
    profile = ET.SubElement(scheme, "ProfileAction", buildConfiguration="Release", shouldUseLaunchSchemeArgsEnv="YES")
    for action in (launch, profile):
        _reference(ET.SubElement(action, "BuildableProductRunnable", runnableDebuggingMode="0"))
    ET.SubElement(scheme, "AnalyzeAction", buildConfiguration="Debug")
    ET.SubElement(scheme, "ArchiveAction", buildConfiguration="Release", revealArchiveInOrganizer="YES")
    ET.indent(scheme, "   ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(scheme, encoding="unicode") + "\n"


def _reference(parent: ET.Element) -> None:
    ET.SubElement(
        parent,
        "BuildableReference",
        BuildableIdentifier="primary",
        BlueprintIdentifier=TARGET_ID,
        BuildableName=f"{NAME}.app",
        BlueprintName=NAME,
        ReferencedContainer=f"container:{NAME}.xcodeproj",
    )
