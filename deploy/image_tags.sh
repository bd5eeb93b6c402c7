#!/bin/sh
# What an image is called, as outputs of a step: sh deploy/image_tags.sh server >> "$GITHUB_OUTPUT"
#
#   a branch    VERSION-COMMIT and the branch
#   a tag v…    VERSION, its first two numbers, and latest; the tag must be the project's version
#   otherwise   VERSION-COMMIT, which is built and not pushed
set -eu

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
image=ghcr.io/$(printf '%s' "$GITHUB_REPOSITORY" | tr '[:upper:]' '[:lower:]')/$1
commit=$(printf '%.12s' "$GITHUB_SHA")

case $GITHUB_REF in
refs/tags/v*)
    if [ "$GITHUB_REF" != "refs/tags/v$version" ]; then
        echo "The tag ${GITHUB_REF#refs/tags/} is not the version of pyproject.toml, $version" >&2
        exit 1
    fi
    reference=$image:$version
    tags=$reference,$image:${version%.*},$image:latest
    ;;
refs/heads/*)
    reference=$image:$version-$commit
    tags=$reference,$image:$(printf '%s' "${GITHUB_REF#refs/heads/}" | tr -c '[:alnum:]._' '-')
    ;;
*)
    reference=$image:$version-$commit
    tags=$reference
    ;;
esac
echo "version=$version"
echo "created=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
echo "reference=$reference"
echo "tags=$tags"
