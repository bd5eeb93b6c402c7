#!/bin/sh
# Puts an image in force on ECS: sh deploy/ecs.sh msil-mcp-prod ghcr.io/example/msil-mcp/server:0.1.0-abc
#
# NAME is that of deploy/terraform: cluster, service and task definition NAME, the task definitions
# NAME-command for migrations and NAME-audit-export for every night, the repository NAME/server. The image
# is copied by its digest, with every architecture; then the schema is migrated, then the tasks are
# replaced. ECS undoes a revision that does not come up, and this fails. It needs aws, docker with buildx,
# and python3.
set -eu

name=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "$*" >&2
    exit 1
}

case $source in
*@*) fail "Name the image by its tag: what it is called here comes from that, and its digest is looked up" ;;
esac
digest=$(docker buildx imagetools inspect "$source" --format '{{.Manifest.Digest}}')
registry=$(aws sts get-caller-identity --query Account --output text).dkr.ecr.$AWS_REGION.amazonaws.com
target=$registry/$name/server:${source##*:}
aws ecr get-login-password | docker login "$registry" --username AWS --password-stdin >/dev/null
# A tag is given once there; a run that is repeated finds it.
docker buildx imagetools inspect "$target" >/dev/null 2>&1 ||
    docker buildx imagetools create --tag "$target" "${source%:*}@$digest"
image=$registry/$name/server@$digest
echo "Image: $target ($digest)"

# The newest revision of a family, as Terraform left it or as the last deployment did, with this image.
register() {
    aws ecs describe-task-definition --task-definition "$1" --query taskDefinition --output json |
        python3 -c '
import json, sys
answered = ("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities",
            "registeredAt", "registeredBy", "deregisteredAt")
definition = {name: value for name, value in json.load(sys.stdin).items() if name not in answered}
for container in definition["containerDefinitions"]:
    if container["name"] != "upload":
        container["image"] = sys.argv[1]
json.dump(definition, sys.stdout)
' "$image" >"$work/definition.json"
    aws ecs register-task-definition --cli-input-json "file://$work/definition.json" \
        --query taskDefinition.taskDefinitionArn --output text
}

command=$(register "$name-command")
network=$(aws ecs describe-services --cluster "$name" --services "$name" \
    --query 'services[0].networkConfiguration' --output json)
task=$(aws ecs run-task --cluster "$name" --task-definition "$command" --launch-type FARGATE \
    --network-configuration "$network" --query 'tasks[0].taskArn' --output text)
[ "$task" != None ] || fail "The migration did not start"
aws ecs wait tasks-stopped --cluster "$name" --tasks "$task"
code=$(aws ecs describe-tasks --cluster "$name" --tasks "$task" \
    --query 'tasks[0].containers[0].exitCode' --output text)
if [ "$code" != 0 ]; then
    aws logs get-log-events --log-group-name "/ecs/$name" \
        --log-stream-name "ecs/command/${task##*/}" --query 'events[].message' --output text >&2 || true
    fail "The migration ended with $code; nothing was replaced"
fi
echo "The schema is that of this image."
# What runs at night has to know that schema, too.
register "$name-audit-export" >/dev/null

server=$(register "$name")
aws ecs update-service --cluster "$name" --service "$name" --task-definition "$server" \
    --query service.serviceName --output text >/dev/null
# Each waits ten minutes at most; draining may take longer.
aws ecs wait services-stable --cluster "$name" --services "$name" ||
    aws ecs wait services-stable --cluster "$name" --services "$name"
# A deployment that was undone is stable as well, with the revision before.
current=$(aws ecs describe-services --cluster "$name" --services "$name" \
    --query 'services[0].taskDefinition' --output text)
[ "$current" = "$server" ] || fail "ECS undid the deployment: $current runs, not $server"
echo "In force: $server"
