# The nightly export, and the role of the pipeline.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = { arn_without_revision = "arn:aws:ecs:ap-south-1:123456789012:task-definition/msil-mcp-prod-audit-export" }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
}

variables {
  name               = "msil-mcp-prod"
  region             = "ap-south-1"
  account_id         = "123456789012"
  cluster_arn        = "arn:aws:ecs:ap-south-1:123456789012:cluster/msil-mcp-prod"
  execution_role_arn = "arn:aws:iam::123456789012:role/execution"
  subnet_ids         = ["subnet-0123456789abcdef0"]
  security_group_ids = ["sg-0123456789abcdef0"]
  bucket_name        = "audit"
  bucket_arn         = "arn:aws:s3:::audit"
  key_arn            = "arn:aws:kms:ap-south-1:123456789012:key/any"
  architecture       = "ARM64"
  uploader_image     = "registry.example.com/aws-cli:2"
  schedule           = "cron(30 0 * * ? *)"
  container = {
    image            = "registry.example.com/msil-mcp:0.1.0"
    essential        = true
    user             = "10001:10001"
    mountPoints      = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    logConfiguration = { logDriver = "awslogs", options = {} }
  }

  repository      = "example/msil-mcp"
  environment     = "production"
  provider_arn    = ""
  service_arn     = "arn:aws:ecs:ap-south-1:123456789012:service/msil-mcp-prod/msil-mcp-prod"
  task_families   = ["msil-mcp-prod", "msil-mcp-prod-command"]
  role_arns       = ["arn:aws:iam::123456789012:role/execution"]
  repository_arns = ["arn:aws:ecr:ap-south-1:123456789012:repository/msil-mcp-prod/server"]
  log_group_name  = "/ecs/msil-mcp-prod"
  alarm_topic_arn = "arn:aws:sns:ap-south-1:123456789012:alarms"
}

run "an_export_is_sent_only_when_it_is_whole" {
  command = apply

  module {
    source = "../modules/export"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].essential == false
    error_message = "The task goes on when the file is written."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[1].dependsOn == [{ condition = "SUCCESS", containerName = "export" }]
    error_message = "Half a file is not sent."
  }

  assert {
    condition     = strcontains(jsondecode(one(aws_scheduler_schedule.this.target).input).containerOverrides[0].command[6], "<aws.scheduler.scheduled-time>")
    error_message = "Each night has a file of its own."
  }

  assert {
    condition     = aws_cloudwatch_log_metric_filter.sent.pattern == "\"upload:\" \"s3://audit/exports/\"" && aws_cloudwatch_metric_alarm.missing.alarm_actions == toset(["arn:aws:sns:ap-south-1:123456789012:alarms"])
    error_message = "Somebody is told of a night without a file."
  }
}

run "jobs_of_the_environment_deploy" {
  command = apply

  module {
    source = "../modules/deployer"
  }

  assert {
    condition     = aws_iam_role.this.name == "msil-mcp-prod-deployer" && length(aws_iam_openid_connect_provider.github) == 1
    error_message = "A role without a stored key."
  }
}
