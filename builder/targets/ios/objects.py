"""The objects of our Xcode project: one app, its sources as a synchronized folder, the SDK as a local package, the bundle as a folder.

The bundle is a folder reference outside of the synchronized folder: Xcode copies it as it is, and neither compiles its models nor
renames them nor generates classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from builder.targets.base import PackageRequest
from builder.targets.ios.pbxproj import Objects, Value, make_identifier, write_project
from builder.targets.ios.swift_package import OPT_IN

NAME = (
    "Edgebundle"  # of project, target, scheme and product: fixed, so that no name of a model meets a shell or a linker
)
SOURCES = "App"
SDK = "packages/edgebundle"  # the last word is the name that Swift knows a local package by
SECOND_RUNTIME = f"packages/{OPT_IN}"
_XCODE = "1600"
_PHASE: dict[str, Value] = {"buildActionMask": "2147483647", "runOnlyForDeploymentPostprocessing": "0"}
TARGET_ID = make_identifier("PBXNativeTarget", NAME)


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Ids of what the navigator shows."""

    product: str
    sources: str
    folders: list[str]
    products: str
    main: str


def write_project_objects(request: PackageRequest, folders: tuple[str, ...]) -> str:
    """`project.pbxproj` for an app whose resources are these folders beside the project."""
    objects = Objects()
    files = _files(objects, folders)
    wanted = {SDK: NAME} | (
        {SECOND_RUNTIME: f"{NAME}ExecuTorch"} if request.second_runtime else {}
    )  # package -> its library
    packages = [objects.add("XCLocalSwiftPackageReference", path, relativePath=path) for path in wanted]
    libraries = {
        name: objects.add("XCSwiftPackageProductDependency", name, productName=name) for name in wanted.values()
    }
    target = objects.add(
        "PBXNativeTarget",
        NAME,
        buildConfigurationList=_configurations(objects, "target", _make_target_settings(request), {}, {}),
        buildPhases=_phases(objects, libraries, dict(zip(folders, files.folders, strict=True))),
        buildRules=[],
        dependencies=[],
        fileSystemSynchronizedGroups=[files.sources],
        name=NAME,
        packageProductDependencies=[*libraries.values()],
        productName=NAME,
        productReference=files.product,
        productType="com.apple.product-type.application",
    )
    root = objects.add(
        "PBXProject",
        NAME,
        attributes={
            "BuildIndependentTargetsInParallel": "1",
            "LastSwiftUpdateCheck": _XCODE,
            "LastUpgradeCheck": _XCODE,
            "TargetAttributes": {target: {"CreatedOnToolsVersion": "16.0"}},
        },
        buildConfigurationList=_configurations(objects, "project", _make_project_settings(request), _DEBUG, _RELEASE),
        developmentRegion="en",
        hasScannedForEncodings="0",
        knownRegions=["en", "zh-Hans", "Base"],
        mainGroup=files.main,
        minimizedProjectReferenceProxies="1",
        packageReferences=[*packages],
        preferredProjectObjectVersion="77",
        productRefGroup=files.products,
        projectDirPath="",
        projectRoot="",
        targets=[target],
    )
    return write_project(objects, root)


def _files(objects: Objects, folders: tuple[str, ...]) -> _Files:
    product = objects.add(
        "PBXFileReference",
        "product",
        explicitFileType="wrapper.application",
        includeInIndex="0",
        path=f"{NAME}.app",
        sourceTree="BUILT_PRODUCTS_DIR",
    )
    sources = objects.add("PBXFileSystemSynchronizedRootGroup", SOURCES, path=SOURCES, sourceTree="<group>")
    folder_ids = [
        objects.add("PBXFileReference", folder, lastKnownFileType="folder", path=folder, sourceTree="<group>")
        for folder in folders
    ]
    plists = [
        objects.add("PBXFileReference", name, lastKnownFileType=kind, path=name, sourceTree="<group>")
        for name, kind in (("Info.plist", "text.plist.xml"), (f"{NAME}.entitlements", "text.plist.entitlements"))
    ]
    products = objects.add("PBXGroup", "Products", children=[product], name="Products", sourceTree="<group>")
    main = objects.add("PBXGroup", "main", children=[sources, *folder_ids, *plists, products], sourceTree="<group>")
    return _Files(product=product, sources=sources, folders=folder_ids, products=products, main=main)


def _phases(objects: Objects, libraries: Mapping[str, str], folders: Mapping[str, str]) -> list[Value]:
    """Compile nothing by name, link these libraries, copy these folders; both by name, with their ids."""
    linked = [
        objects.add("PBXBuildFile", f"{name} in Frameworks", productRef=library) for name, library in libraries.items()
    ]
    copied = [objects.add("PBXBuildFile", f"{folder} in Resources", fileRef=key) for folder, key in folders.items()]
    return [
        objects.add("PBXSourcesBuildPhase", NAME, files=[], **_PHASE),
        objects.add("PBXFrameworksBuildPhase", NAME, files=[*linked], **_PHASE),
        objects.add("PBXResourcesBuildPhase", NAME, files=[*copied], **_PHASE),
    ]


_DEBUG: dict[str, Value] = {
    "DEBUG_INFORMATION_FORMAT": "dwarf",
    "ENABLE_TESTABILITY": "YES",
    "ONLY_ACTIVE_ARCH": "YES",
    "SWIFT_ACTIVE_COMPILATION_CONDITIONS": "DEBUG $(inherited)",
    "SWIFT_OPTIMIZATION_LEVEL": "-Onone",
}
_RELEASE: dict[str, Value] = {
    "DEBUG_INFORMATION_FORMAT": "dwarf-with-dsym",
    "SWIFT_COMPILATION_MODE": "wholemodule",
    "VALIDATE_PRODUCT": "YES",
}


def _make_project_settings(request: PackageRequest) -> dict[str, Value]:
    return {
        "ALWAYS_SEARCH_USER_PATHS": "NO",
        "CLANG_ENABLE_MODULES": "YES",
        "ENABLE_USER_SCRIPT_SANDBOXING": "YES",
        "IPHONEOS_DEPLOYMENT_TARGET": request.deployment_target,
        "SDKROOT": "iphoneos",
        "SWIFT_VERSION": "6.0",
    }


# ExecuTorch registers its kernels and backends when it is loaded, and is built for arm64 alone.
_SECOND_RUNTIME: dict[str, Value] = {"EXCLUDED_ARCHS[sdk=iphonesimulator*]": "x86_64", "OTHER_LDFLAGS": "-all_load"}


def _make_target_settings(request: PackageRequest) -> dict[str, Value]:
    return {
        **(_SECOND_RUNTIME if request.second_runtime else {}),
        "ASSETCATALOG_COMPILER_APPICON_NAME": "AppIcon",
        "ASSETCATALOG_COMPILER_GLOBAL_ACCENT_COLOR_NAME": "AccentColor",
        "CODE_SIGN_ENTITLEMENTS": f"{NAME}.entitlements",
        "CODE_SIGN_STYLE": "Automatic",
        "CURRENT_PROJECT_VERSION": str(request.version_code),
        "DEVELOPMENT_TEAM": request.team,
        "GENERATE_INFOPLIST_FILE": "NO",
        "INFOPLIST_FILE": "Info.plist",
        "LD_RUNPATH_SEARCH_PATHS": ["$(inherited)", "@executable_path/Frameworks"],
        "MARKETING_VERSION": request.version_name,
        "PRODUCT_BUNDLE_IDENTIFIER": request.application_id,
        "PRODUCT_NAME": "$(TARGET_NAME)",
        "SUPPORTED_PLATFORMS": "iphoneos iphonesimulator",
        "TARGETED_DEVICE_FAMILY": "1,2",
    }


def _configurations(
    objects: Objects, owner: str, common: dict[str, Value], debug: dict[str, Value], release: dict[str, Value]
) -> str:
    made: list[Value] = [
        objects.add("XCBuildConfiguration", f"{owner} {name}", buildSettings={**common, **own}, name=name)
        for name, own in (("Debug", debug), ("Release", release))
    ]
    return objects.add(
        "XCConfigurationList",
        owner,
        buildConfigurations=made,
        defaultConfigurationIsVisible="0",
        defaultConfigurationName="Release",
    )
