#!/bin/sh
# Type-checks the iOS sources against the stand-ins beside this file: typecheck.sh SOURCES STUBS OUT [MODULE]. Prints each module that
# is right. With a module that one alone, against the others as an earlier call left them in OUT.
set -eu
sources=$1 stubs=$2 out=$3 only=${4:-}
flags="-parse-as-library -I $out -module-cache-path $out/cache"
mkdir -p "$out"
for name in CoreGraphics ImageIO CoreVideo CoreML Darwin os Combine UIKit SwiftUI PhotosUI ExecuTorch; do
    # Apple's headers predate Swift 6: a module of the older mode is as strict as they are
    [ -e "$out/$name.swiftmodule" ] && [ "$out/$name.swiftmodule" -nt "$stubs/$name.swift" ] ||
        swiftc -emit-module -swift-version 5 -suppress-warnings $flags -module-name $name "$stubs/$name.swift" -emit-module-path "$out/$name.swiftmodule"
done
check() {
    name=$1
    shift
    [ -z "$only" ] || [ "$only" = "$name" ] || return 0
    swiftc -emit-module -swift-version 6 $flags -module-name "$name" "$@" -emit-module-path "$out/$name.swiftmodule"
    echo "$name is right"
}
check EdgebundleCore "$sources"/edgebundle/Sources/EdgebundleCore/*.swift
check Edgebundle "$sources"/edgebundle/Sources/Edgebundle/*.swift
check EdgebundleExecuTorch "$sources"/executorch/Sources/EdgebundleExecuTorch/*.swift
check App "$sources"/app/App/*.swift
