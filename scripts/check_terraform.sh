#!/bin/sh
# Terraform itself and checkov look at deploy/terraform, in a copy, so that nothing is left behind.
# Providers come from where Terraform finds them; TF_CLI_ARGS_init=-plugin-dir=… names a mirror.
# With `schema` it only writes down what the provider knows, for the tests.
set -eu

command -v terraform >/dev/null || {
    echo "terraform is not installed; 1.11 or newer is needed" >&2
    exit 1
}
root=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R deploy/terraform "$work"
cd "$work/terraform"
mkdir "$work/plugins"
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
export TF_PLUGIN_CACHE_DIR="${TF_PLUGIN_CACHE_DIR:-$work/plugins}"

quietly() {
    "$@" >"$work/said" 2>&1 || {
        cat "$work/said" >&2
        exit 1
    }
}

quietly terraform -chdir=checks init -backend=false -input=false
if [ "${1:-}" = schema ]; then
    version=$(terraform -chdir=checks version -json |
        sed -n 's|.*"registry.terraform.io/hashicorp/aws": "\(.*\)".*|\1|p')
    terraform -chdir=checks providers schema -json >"$work/schema.json"
    cd "$root"
    .venv/bin/python scripts/read_aws_schema.py terraform "$version" <"$work/schema.json"
    exit
fi

terraform fmt -check -diff -recursive .
echo "The configuration has Terraform's format."
for environment in envs/*; do
    quietly terraform -chdir="$environment" init -backend=false -input=false
    quietly terraform -chdir="$environment" validate
    echo "$environment is valid."
done
quietly terraform -chdir=checks test
echo "The modules do what they should on an AWS that is made up."
# What is ephemeral cannot be made up; for a plan, data are as good.
for file in modules/*/main.tf; do
    sed 's/^ephemeral "/data "/; s/ephemeral\.aws_/data.aws_/g' "$file" >"$work/changed"
    cp "$work/changed" "$file"
done
for environment in envs/*; do
    cp checks/environments/plan.tftest.hcl "$environment"
    quietly terraform -chdir="$environment" test
    echo "$environment plans as a whole."
done
cd "$root"
.venv/checkov/bin/checkov --directory deploy/terraform --framework terraform \
    --compact --quiet --skip-download
