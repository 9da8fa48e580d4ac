#!/bin/sh
# Type-checks the iOS sources against the stand-ins beside this file: typecheck.sh SOURCES STUBS OUT [MODULE]. Prints each module that
# is right. With a module that one alone, against the others as an earlier call left them in OUT; `mac` is the SDK as on a Mac, without UIKit.
set -eu
sources=$1 stubs=$2 out=$3 only=${4:-}
sdk="$sources/edgebundle/Sources"
mkdir -p "$out" "$out-mac"

stand_in() { # FOLDER MODULE SOURCE
    # Apple's headers predate Swift 6: a module of the older mode is as strict as they are
    [ -e "$1/$2.swiftmodule" ] && [ "$1/$2.swiftmodule" -nt "$3" ] ||
        swiftc -emit-module -swift-version 5 -suppress-warnings -parse-as-library -I "$1" -module-cache-path "$1/cache" -module-name "$2" "$3" -emit-module-path "$1/$2.swiftmodule"
}
check() { # FOLDER MODULE SOURCES...
    folder=$1 name=$2
    shift 2
    swiftc -emit-module -swift-version 6 -parse-as-library -I "$folder" -module-cache-path "$folder/cache" -module-name "$name" "$@" -emit-module-path "$folder/$name.swiftmodule"
}
wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }

for name in CoreGraphics ImageIO CoreVideo CoreML AVFoundation Compression Darwin os Combine UIKit SwiftUI PhotosUI ExecuTorch; do stand_in "$out" $name "$stubs/$name.swift"; done
if wanted EdgebundleCore; then
    check "$out" EdgebundleCore "$sdk"/EdgebundleCore/*.swift
    echo "EdgebundleCore is right"
fi
if wanted Edgebundle; then
    check "$out" Edgebundle "$sdk"/Edgebundle/*.swift
    echo "Edgebundle is right"
fi
if wanted EdgebundleExecuTorch; then
    check "$out" EdgebundleExecuTorch "$sources"/executorch/Sources/EdgebundleExecuTorch/*.swift
    echo "EdgebundleExecuTorch is right"
fi
if wanted App; then
    check "$out" App "$sources"/app/App/*.swift
    echo "App is right"
fi
if wanted mac; then
    for name in CoreGraphics ImageIO CoreVideo CoreML AVFoundation Compression Darwin; do stand_in "$out-mac" $name "$stubs/$name.swift"; done
    # macOS has the module and not its one function that we use
    : >"$out-mac/os.swift"
    stand_in "$out-mac" os "$out-mac/os.swift"
    check "$out-mac" EdgebundleCore "$sdk"/EdgebundleCore/*.swift
    check "$out-mac" Edgebundle "$sdk"/Edgebundle/*.swift
    echo "Edgebundle is right on a Mac"
fi
