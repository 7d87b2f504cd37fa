#!/usr/bin/env bash
# Sees to one thing the house needs from the system: `debian.sh venv|npm|chromium|firefox|strace`. Silent when it is
# there; installs it where that is possible on Debian and its kin; otherwise says what to do.
set -euo pipefail

install() {
  local root=()
  if ! command -v apt-get >/dev/null; then
    echo "playhead: $need is missing and this is not Debian: please install it, then call make again." >&2
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "playhead: $need is missing. As root: apt-get install $* -- then call make again." >&2
      exit 1
    fi
    root=(sudo)
  fi
  echo "playhead: installing $need ($*)" >&2
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

case "${1:-}" in
venv)
  need="Python's venv"
  python=${PYTHON:-python3}
  if ! command -v "$python" >/dev/null; then
    install python3 python3-venv
  fi
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "playhead: $python is older than 3.11; name a newer one: make PYTHON=python3.12 …" >&2
    exit 1
  fi
  # Debian ships venv without ensurepip unless asked.
  "$python" -c 'import ensurepip, venv' 2>/dev/null || install python3-venv
  ;;
npm)
  need="npm (Node 18 or newer)"
  command -v npm >/dev/null || install npm
  ;;
chromium)
  need="Chromium, for the browser tests,"
  command -v chromium >/dev/null || install chromium
  ;;
firefox)
  need="Firefox, for the tests in a second browser,"
  command -v firefox >/dev/null || command -v firefox-esr >/dev/null || install firefox-esr
  ;;
strace)
  need="strace, for the tests of power cuts and failing disks,"
  command -v strace >/dev/null || install strace
  ;;
*)
  echo "usage: $0 venv|npm|chromium|firefox|strace" >&2
  exit 2
  ;;
esac
