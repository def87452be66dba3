#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# meson test's wrapper: runs one test, with a file of its own for GoogleTest's report. NC_XML is the directory.
set -euo pipefail
GTEST_OUTPUT="xml:$NC_XML/$(basename "$1").$$.xml"
export GTEST_OUTPUT
exec "$@"
