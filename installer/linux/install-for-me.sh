#!/bin/sh
# Puts BrainSeg Desktop into your own menu and makes it open .nii, .nii.gz and .dcm files; no administrator needed.
#
#   ./install-for-me.sh            the entry leads to where this folder lies: do not move it afterwards
#   ./install-for-me.sh --remove   takes the entry away again; then delete this folder
#
# Your readings, settings and journals are not touched by either.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P)
data=${XDG_DATA_HOME:-$HOME/.local/share}

refresh_with() {
    command=$1 folder=$2
    shift 2
    if [ -d "$folder" ] && command -v "$command" >/dev/null; then "$command" "$@" "$folder" || true; fi
}

refresh() {
    # Not every desktop has these; those that lack them look for themselves.
    refresh_with update-desktop-database "$data/applications" -q
    refresh_with update-mime-database "$data/mime"
    refresh_with gtk-update-icon-cache "$data/icons/hicolor" -q -t -f
}

case ${1:-} in
--remove)
    rm -f "$data/applications/brainseg-desktop.desktop" "$data/mime/packages/brainseg-desktop.xml"
    rm -f "$data"/icons/hicolor/*/apps/brainseg-desktop.png "$data/icons/hicolor/scalable/apps/brainseg-desktop.svg"
    refresh
    echo "The entry is gone. To remove the program itself, delete $here"
    ;;
"")
    # What a desktop entry wants escaped inside quotes, and a percent sign doubled.
    program=$(printf '%s' "$here/brainseg-desktop" |
        sed -e 's/\\/\\\\\\\\/g' -e 's/["`$]/\\\\&/g' -e 's/%/%%/g')
    mkdir -p "$data/applications" "$data/mime/packages"
    cp -f "$here/share/mime/packages/brainseg-desktop.xml" "$data/mime/packages/"
    # One by one: with the folders their rights would come along, and this folder may be read-only.
    for icon in "$here"/share/icons/hicolor/*/apps/*; do
        apps=${icon%/*}
        size=${apps%/apps}
        mkdir -p "$data/icons/hicolor/${size##*/}/apps"
        cp -f "$icon" "$data/icons/hicolor/${size##*/}/apps/"
    done
    while IFS= read -r line; do
        case $line in
        Exec=*) printf 'Exec="%s" %%F\n' "$program" ;;
        *) printf '%s\n' "$line" ;;
        esac
    done < "$here/share/applications/brainseg-desktop.desktop" > "$data/applications/brainseg-desktop.desktop"
    refresh
    echo "BrainSeg Desktop is in your menu now. To take it out: $0 --remove"
    ;;
*)
    echo "usage: $0 [--remove]" >&2
    exit 2
    ;;
esac
