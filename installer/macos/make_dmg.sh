#!/bin/bash
# Sign the bundle, pack it as a disk image, and have Apple notarise it.
#
#   installer/macos/make_dmg.sh "build/frozen/BrainSeg Desktop.app" dist/brainseg-desktop-1.2.3-macos-arm64.dmg
#
# SIGNING_IDENTITY   "Developer ID Application: ...", in the keychain. Without it the bundle is signed for this
#                    machine only: others then meet Gatekeeper and need right-click, Open.
# NOTARY_PROFILE     a name made once with `xcrun notarytool store-credentials`. Without it nothing is sent to Apple.
set -euo pipefail

bundle=${1:?the bundle, a folder that ends in .app}
image=${2:?the disk image to make}
here=$(cd "$(dirname "$0")" && pwd)
identity=${SIGNING_IDENTITY:--}
options=(--force --sign "$identity")
if [ "$identity" != - ]; then
    options+=(--timestamp --options runtime --entitlements "$here/entitlements.plist")
fi

[ -d "$bundle/Contents/MacOS" ] || { echo "$bundle is no bundle" >&2; exit 2; }
plutil -lint "$bundle/Contents/Info.plist" "$here/entitlements.plist"

# From the inside out: a signature covers what lies in it. --deep is not to be used for this, Apple says.
while IFS= read -r -d '' file; do
    case $(file -b "$file") in
        *Mach-O*) codesign "${options[@]}" "$file" ;;
    esac
done < <(find "$bundle/Contents" -type f ! -path "$bundle/Contents/MacOS/brainseg-desktop" -print0)
# Qt's frameworks are signed again as wholes, where there are any.
while IFS= read -r -d '' framework; do
    codesign "${options[@]}" "$framework"
done < <(find "$bundle/Contents/Frameworks" -type d -name '*.framework' -print0)
codesign "${options[@]}" "$bundle"
codesign --verify --strict --deep --verbose=1 "$bundle"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
ditto "$bundle" "$stage/$(basename "$bundle")"
ln -s /Applications "$stage/Applications"
mkdir -p "$(dirname "$image")"
hdiutil create -quiet -ov -volname "BrainSeg Desktop" -srcfolder "$stage" -fs HFS+ -format ULFO "$image"

if [ "$identity" != - ]; then
    codesign --force --timestamp --sign "$identity" "$image"
fi
if [ "$identity" != - ] && [ -n "${NOTARY_PROFILE:-}" ]; then
    # Waits for Apple's answer; `xcrun notarytool log ID` tells why, where it is no.
    xcrun notarytool submit "$image" --keychain-profile "$NOTARY_PROFILE" --wait
    xcrun stapler staple "$image"
    xcrun stapler validate "$image"
    spctl --assess --type open --context context:primary-signature --verbose=1 "$image"
else
    echo "$image is not notarised: SIGNING_IDENTITY and NOTARY_PROFILE are needed for that." >&2
fi
echo "$image"
